"""Buying units and what a sale can be credited to."""

from __future__ import annotations

import enum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel.db import Base, SmallKey, choice
from kernel.identity import Organisation


class BuyingUnit(Base):
    """An office, school, hospital or helper unit that buys. Shares its organisation's key."""

    __tablename__ = "buying_unit"

    id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(20))
    staff: Mapped[int]
    invoice_title: Mapped[str] = mapped_column(String(120), default="")
    address: Mapped[str] = mapped_column(String(200), default="")

    organisation: Mapped[Organisation] = relationship(lazy="joined", innerjoin=True)

    @property
    def name_zh(self) -> str:
        """The unit's Chinese name."""
        return self.organisation.name_zh

    @property
    def name_en(self) -> str:
        """The unit's English name, empty when it has none."""
        return self.organisation.name_en


class StaffListEntry(SmallKey, Base):
    """A staff number that a unit knows: whoever joins with it needs nobody's approval."""

    __tablename__ = "staff_list_entry"
    __table_args__ = (UniqueConstraint("unit_id", "staff_number"),)

    unit_id: Mapped[int] = mapped_column(ForeignKey("buying_unit.id"))
    staff_number: Mapped[str] = mapped_column(String(20))
    department: Mapped[str] = mapped_column(String(40), default="")


class PurchaseTarget(SmallKey, Base):
    """What a unit set aside for consumption aid in a year: budget and share in basis points."""

    __tablename__ = "purchase_target"
    __table_args__ = (
        UniqueConstraint("unit_id", "year"),
        CheckConstraint("basis_points BETWEEN 0 AND 10000", name="share"),
        CheckConstraint("budget_fen >= 0", name="budget"),
    )

    unit_id: Mapped[int] = mapped_column(ForeignKey("buying_unit.id"))
    year: Mapped[int]
    budget_fen: Mapped[int]
    basis_points: Mapped[int]


class CreditKind(enum.StrEnum):
    """The channels, in the order in which they are always shown."""

    BROADCAST = "broadcast"
    ROUND = "round"
    SHARE = "share"
    SHOP = "shop"
    CABINET = "cabinet"


class CreditSource(SmallKey, Base):
    """What can sell a line. Each channel adds its own rows; lines point here."""

    __tablename__ = "credit_source"
    __table_args__ = (UniqueConstraint("kind", "code"),)

    kind: Mapped[CreditKind] = mapped_column(choice(CreditKind, 12))
    code: Mapped[str] = mapped_column(String(40))
    title_zh: Mapped[str] = mapped_column(String(120))
    title_en: Mapped[str] = mapped_column(String(160), default="")
