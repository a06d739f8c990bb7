"""Households behind a seller, and how its income reaches them."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.crypt import EncryptedText
from kernel.db import Base, Keyed, SmallKey, choice
from kernel.identity import Account
from kernel.text import plain
from sellers.model.seller import Seller


def as_said(number: str) -> str:
    """Return a household's number as people say it: 17 for 017."""
    return plain(number).casefold().lstrip("0")


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
