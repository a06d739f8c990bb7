"""Settlement: a seller's statement for delivered goods, and each household's share of it."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey, choice
from orders.model.order import OrderLine
from sellers.model import Household, Seller


class SettlementState(enum.StrEnum):
    """A statement that is made, then paid out; stated again when the bank returned the money."""

    STATED = "stated"
    PAID = "paid"


class Settlement(Keyed, Base):
    """What a seller is owed for lines that were handed over."""

    __tablename__ = "settlement"
    __table_args__ = (Index("ix_settlement_seller", "seller_id", "id"),)

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"))
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"), index=True)
    state: Mapped[SettlementState] = mapped_column(
        choice(SettlementState, 10), default=SettlementState.STATED
    )
    total_fen: Mapped[int]
    stated_at: Mapped[datetime] = mapped_column(default=clock.now)
    stated_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    paid_at: Mapped[datetime | None]
    paid_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    payout_reference: Mapped[str] = mapped_column(String(80), default="")

    seller: Mapped[Seller] = relationship()
    lines: Mapped[list[SettlementLine]] = relationship(order_by="SettlementLine.id")
    shares: Mapped[list[HouseholdShare]] = relationship(order_by="HouseholdShare.id")


class SettlementLine(SmallKey, Base):
    """One delivered line, settled once."""

    __tablename__ = "settlement_line"
    __table_args__ = (CheckConstraint("amount_fen >= 0", name="amount"),)

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlement.id"), index=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"), unique=True)
    amount_fen: Mapped[int]

    line: Mapped[OrderLine] = relationship()


class HouseholdShare(SmallKey, Base):
    """What one household gets from a settlement, and by which kind of benefit plan."""

    __tablename__ = "household_share"
    __table_args__ = (
        UniqueConstraint("settlement_id", "household_id", "kind"),
        CheckConstraint("amount_fen > 0", name="amount"),
    )

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlement.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    units: Mapped[int] = mapped_column(default=0)
    amount_fen: Mapped[int]

    household: Mapped[Household] = relationship()
