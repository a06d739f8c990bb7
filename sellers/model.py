"""Tables of the supply side, with the rules of one object."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.crypt import EncryptedText
from kernel.db import Base, Keyed, SmallKey, choice
from kernel.files import StoredFile
from kernel.identity import Account, Organisation
from kernel.money import MAX_FEN
from kernel.quantity import MAX_UNITS


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


class HouseholdStatus(enum.StrEnum):
    """Registered (脱贫户), monitored (监测户) or ordinary (一般户)."""

    REGISTERED = "registered"
    MONITORED = "monitored"
    ORDINARY = "ordinary"


class Household(Keyed, Base):
    """A household behind a seller. Shown by its number; personal data is masked and encrypted."""

    __tablename__ = "household"
    __table_args__ = (UniqueConstraint("seller_id", "number"),)

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"))
    number: Mapped[str] = mapped_column(String(10))
    name: Mapped[str | None] = mapped_column(EncryptedText)
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    bank_account: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    status: Mapped[HouseholdStatus] = mapped_column(choice(HouseholdStatus, 12))
    status_evidence: Mapped[str] = mapped_column(String(200), default="")
    status_reviewed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    status_until: Mapped[date | None]
    share_weight: Mapped[int] = mapped_column(default=1)
    steward_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    seller: Mapped[Seller] = relationship()
    steward: Mapped[Account | None] = relationship(foreign_keys=[steward_id])
    status_reviewer: Mapped[Account | None] = relationship(foreign_keys=[status_reviewed_by])

    @property
    def awaits_review(self) -> bool:
        """Tell whether its steward has still to look at the evidence of its status."""
        return self.status is not HouseholdStatus.ORDINARY and self.status_reviewed_by is None

    def is_registered(self, day: date) -> bool:
        """Tell whether it is registered (脱贫户), and that status still held on `day`."""
        holds = self.status_until is None or self.status_until >= day
        return holds and self.status is HouseholdStatus.REGISTERED


class Category(enum.StrEnum):
    """Kinds of produce; each has its own wall colour in a stall."""

    FRUIT = "fruit"
    EGGS = "eggs"
    POULTRY = "poultry"
    VEGETABLE = "vegetable"
    TEA = "tea"
    HONEY = "honey"
    GRAIN = "grain"
    MUSHROOM = "mushroom"
    DRIED = "dried"
    OIL = "oil"
    SPICE = "spice"


class Product(Keyed, Base):
    """What is grown: variety, grade, photo. `terms` is what search looks in."""

    __tablename__ = "product"
    __table_args__ = (Index("ix_product_terms", "terms", postgresql_using="gin"),)

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    category: Mapped[Category] = mapped_column(choice(Category, 12), index=True)
    variety: Mapped[str] = mapped_column(String(60), default="")
    grade: Mapped[str] = mapped_column(String(30), default="")
    keeping: Mapped[str] = mapped_column(String(120), default="")
    picture: Mapped[str] = mapped_column(String(40), default="basket.webp")
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    unit_name: Mapped[str] = mapped_column(String(8))
    unit_g: Mapped[int]
    case_units: Mapped[int] = mapped_column(default=1)
    weighed: Mapped[bool] = mapped_column(default=False)
    terms: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    seller: Mapped[Seller] = relationship()
    photo: Mapped[StoredFile | None] = relationship()


class LotMode(enum.StrEnum):
    """In hand, or still in the field with a harvest window."""

    IN_HAND = "in_hand"
    IN_FIELD = "in_field"


class Lot(Keyed, Base):
    """A quantity of one product from one seller; offered, promised and yielded stay apart."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("0 <= promised AND promised <= offered", name="promise"),
        CheckConstraint(f"offered <= {MAX_UNITS}", name="size"),
        CheckConstraint("yielded IS NULL OR yielded >= 0", name="yield"),
        CheckConstraint("harvest_from <= harvest_to", name="window"),
    )

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    code: Mapped[str] = mapped_column(String(40), default="")
    mode: Mapped[LotMode] = mapped_column(choice(LotMode, 10))
    offered: Mapped[int]
    promised: Mapped[int] = mapped_column(default=0)
    yielded: Mapped[int | None]
    harvest_from: Mapped[date | None]
    harvest_to: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    product: Mapped[Product] = relationship()
    seller: Mapped[Seller] = relationship()

    @property
    def left(self) -> int:
        """Units that can still be promised."""
        return self.offered - self.promised

    def is_harvested(self, day: date) -> bool:
        """Tell whether nothing of it grows any more on `day`, so that it is no pre-order.

        Until its harvest ends it may be sold in one round after another, each with its yield.
        """
        ended = self.harvest_to is not None and self.harvest_to < day
        return self.mode is LotMode.IN_FIELD and ended


class Place(enum.StrEnum):
    """The kind of place in which an offer stands."""

    SHOP = "shop"
    ROUND = "round"
    BROADCAST = "broadcast"
    SLOT = "slot"


class Offer(Keyed, Base):
    """A lot on sale in one place at one price. Everything sold is sold through an offer.

    `quota` is a ceiling (None: the lot alone is), `limit_per_buyer` likewise. It is on sale
    while not withdrawn, within its window, and its seller is verified. `broadcast_floor_fen`
    stands on shop offers: see `sellers.floors`.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("0 <= sold AND (quota IS NULL OR sold <= quota)", name="quota"),
        CheckConstraint(f"0 < price_fen AND price_fen <= {MAX_FEN}", name="price"),
        CheckConstraint("limit_per_buyer IS NULL OR limit_per_buyer > 0", name="limit"),
        CheckConstraint(
            "broadcast_floor_fen IS NULL OR (place = 'shop'"
            " AND 0 < broadcast_floor_fen AND broadcast_floor_fen <= price_fen)",
            name="floor",
        ),
        CheckConstraint("opens_at < closes_at", name="window"),
        # The storefront's list: newest first among what is not withdrawn.
        Index("ix_offer_shelf", "place", "id", postgresql_where="withdrawn_at IS NULL"),
    )

    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    place: Mapped[Place] = mapped_column(choice(Place, 10))
    price_fen: Mapped[int]
    quota: Mapped[int | None]
    sold: Mapped[int] = mapped_column(default=0)
    limit_per_buyer: Mapped[int | None]
    broadcast_floor_fen: Mapped[int | None]
    opens_at: Mapped[datetime] = mapped_column(default=clock.now)
    closes_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    lot: Mapped[Lot] = relationship()
    product: Mapped[Product] = relationship()
    seller: Mapped[Seller] = relationship()

    @property
    def left(self) -> int:
        """Units that can still be bought here: the lot's rest, under the quota's rest."""
        if self.quota is None:
            return self.lot.left
        return min(self.lot.left, self.quota - self.sold)

    def is_open(self, at: datetime) -> bool:
        """Tell whether it is on sale at `at`, by its window and withdrawal."""
        begun, ended = self.opens_at <= at, self.closes_at is not None and self.closes_at <= at
        return begun and not ended and self.withdrawn_at is None

    def is_on_sale(self, at: datetime) -> bool:
        """Tell whether it can be bought at `at`, stock aside."""
        harvested = self.lot.is_harvested(clock.local(at).date())
        return self.is_open(at) and self.seller.state is SellerState.VERIFIED and not harvested


class BuyerTake(Base):
    """How many units one buyer holds of an offer that has a limit per buyer."""

    __tablename__ = "buyer_take"
    __table_args__ = (CheckConstraint("units >= 0", name="units"),)

    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), primary_key=True)
    buyer: Mapped[str] = mapped_column(String(40), primary_key=True)
    units: Mapped[int]


class BenefitPlan(SmallKey, Base):
    """How a seller's income reaches households.

    `kind`: delivery (each is paid for what it delivered), shares (by `share_weight`), wage,
    or second (`basis_points` of the income once more to registered households).
    """

    __tablename__ = "benefit_plan"
    __table_args__ = (CheckConstraint("basis_points BETWEEN 0 AND 10000", name="share"),)

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    basis_points: Mapped[int]
    note_zh: Mapped[str] = mapped_column(String(200), default="")
    note_en: Mapped[str] = mapped_column(String(200), default="")
    starts_on: Mapped[date] = mapped_column(default=clock.today)


class ImportState(enum.StrEnum):
    """A spreadsheet is read, shown as a preview, and only then loaded, whole or not at all."""

    READING = "reading"
    PREVIEW = "preview"
    LOADING = "loading"
    DONE = "done"
    FAILED = "failed"


class OfferImport(Keyed, Base):
    """One uploaded spreadsheet of stock, its rows, its faults and how far the work has come.

    `content` is the file until it has been read. A fault is a dictionary with line, column,
    value, fault (a key of `sellers.imports.words.FAULTS`) and what fills its words.
    """

    __tablename__ = "offer_import"

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    file_name: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes | None] = mapped_column(deferred=True)
    state: Mapped[ImportState] = mapped_column(choice(ImportState, 10), default=ImportState.READING)
    rows: Mapped[list[Any]] = mapped_column(default=list)
    faults: Mapped[list[Any]] = mapped_column(default=list)
    rows_total: Mapped[int] = mapped_column(default=0)
    rows_done: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
