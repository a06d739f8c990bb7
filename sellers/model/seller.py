"""Who supplies, and the papers that show it."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.crypt import EncryptedText
from kernel.db import Base, Keyed, choice
from kernel.files import StoredFile
from kernel.identity import Organisation


class SellerKind(enum.StrEnum):
    """What supplies goods."""

    COOPERATIVE = "cooperative"
    FAMILY_FARM = "family_farm"
    COLLECTIVE = "collective"
    HOUSEHOLD_GROUP = "household_group"
    PLATFORM = "platform"


class SellerState(enum.StrEnum):
    """A seller may sell only while verified; `moves` lists what may follow."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    RETURNED = "returned"

    @property
    def moves(self) -> frozenset[SellerState]:
        """States that may follow this one."""
        return _SELLER_MOVES[self]


_SELLER_MOVES: dict[SellerState, frozenset[SellerState]] = {
    SellerState.DRAFT: frozenset({SellerState.SUBMITTED}),
    SellerState.SUBMITTED: frozenset({SellerState.VERIFIED, SellerState.RETURNED}),
    SellerState.RETURNED: frozenset({SellerState.SUBMITTED}),
    SellerState.VERIFIED: frozenset({SellerState.RETURNED}),
}


class Seller(Base):
    """A cooperative, family farm, collective, household group or platform that supplies goods.

    Shares its key with its organisation, which holds its name.
    """

    __tablename__ = "seller"
    __table_args__ = (
        CheckConstraint("(bank_account IS NULL) = (bank_changed_at IS NULL)", name="bank_changed"),
        CheckConstraint("bank_checked_by <> bank_changed_by", name="bank_two_people"),
        # Accounts that wait for staff.
        Index(
            "ix_seller_bank_waits",
            "id",
            postgresql_where="bank_changed_at IS NOT NULL AND bank_checked_at IS NULL",
        ),
    )

    id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    kind: Mapped[SellerKind] = mapped_column(choice(SellerKind, 20))
    province: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(20))
    county: Mapped[str] = mapped_column(String(20))
    township: Mapped[str] = mapped_column(String(20), default="")
    village: Mapped[str] = mapped_column(String(20), default="")
    # Read, and so decrypted, only by what shows them.
    contact_phone: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    bank_account: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    # Nobody is paid to an account before staff, who did not write it, confirmed it.
    bank_changed_at: Mapped[datetime | None]
    bank_changed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    bank_checked_at: Mapped[datetime | None]
    bank_checked_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    households_count: Mapped[int] = mapped_column(default=0)
    registered_count: Mapped[int] = mapped_column(default=0)
    story_zh: Mapped[str] = mapped_column(Text, default="")
    story_en: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[SellerState] = mapped_column(
        choice(SellerState, 12), default=SellerState.DRAFT, index=True
    )
    return_reason: Mapped[str] = mapped_column(String(300), default="")
    submitted_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    organisation: Mapped[Organisation] = relationship(lazy="joined", innerjoin=True)
    certificates: Mapped[list[Certificate]] = relationship(
        back_populates="seller", order_by="Certificate.id"
    )

    @property
    def bank_waits(self) -> bool:
        """Whether its bank account waits for staff, and so is not paid to."""
        return self.bank_changed_at is not None and self.bank_checked_at is None

    @property
    def name_zh(self) -> str:
        """The seller's Chinese name."""
        return self.organisation.name_zh

    @property
    def name_en(self) -> str:
        """The seller's English name, empty when it has none."""
        return self.organisation.name_en

    @property
    def places(self) -> list[str]:
        """Origin from city to village, at most three names, without a repeated one."""
        names = [self.city, self.county, self.township + self.village]
        return list(dict.fromkeys(name for name in names if name))

    @property
    def address(self) -> str:
        """From province to village in one word; a city that is a province stands once."""
        city = "" if self.city == self.province else self.city
        return self.province + city + self.county + self.township + self.village


class CertificateState(enum.StrEnum):
    """Buyers see only what staff accepted; `moves` lists what may follow."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    RETURNED = "returned"

    @property
    def moves(self) -> frozenset[CertificateState]:
        """States that may follow this one; for a returned paper the seller sends a new one."""
        return _CERTIFICATE_MOVES[self]


_CERTIFICATE_MOVES: dict[CertificateState, frozenset[CertificateState]] = {
    CertificateState.PENDING: frozenset({CertificateState.ACCEPTED, CertificateState.RETURNED}),
    CertificateState.ACCEPTED: frozenset({CertificateState.RETURNED}),
    CertificateState.RETURNED: frozenset(),
}


class Certificate(Keyed, Base):
    """A paper that says something about a seller or one of its products, with its file."""

    __tablename__ = "certificate"
    __table_args__ = (
        # What waits for staff, however many papers there are.
        Index("ix_certificate_pending", "id", postgresql_where="state = 'pending'"),
    )

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    number: Mapped[str] = mapped_column(String(60))
    issued_by: Mapped[str] = mapped_column(String(120), default="")
    valid_until: Mapped[date | None]
    state: Mapped[CertificateState] = mapped_column(
        choice(CertificateState, 10), default=CertificateState.PENDING
    )
    return_reason: Mapped[str] = mapped_column(String(300), default="")
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    seller: Mapped[Seller] = relationship(back_populates="certificates")
    file: Mapped[StoredFile | None] = relationship()

    def is_valid(self, day: date) -> bool:
        """Tell whether it covers `day`."""
        return self.valid_until is None or self.valid_until >= day
