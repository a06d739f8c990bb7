"""Order-then-harvest: rounds, group orders, notices, quotas, yields and allocation."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey, choice, public_code
from orders.model.buying import BuyingUnit, CreditSource
from sellers.model import Household, Lot, Offer, Seller


class Round(Keyed, Base):
    """One order-then-harvest cycle. It is closed by the clock; `processed_at` says it was done."""

    __tablename__ = "round"
    __table_args__ = (
        CheckConstraint("opens_at < closes_at", name="window"),
        CheckConstraint("harvest_from <= harvest_to", name="harvest"),
        Index("ix_round_unprocessed", "closes_at", postgresql_where="processed_at IS NULL"),
    )

    code: Mapped[str] = mapped_column(String(40), unique=True)
    title_zh: Mapped[str] = mapped_column(String(80))
    title_en: Mapped[str] = mapped_column(String(120), default="")
    region: Mapped[str] = mapped_column(String(40), default="")
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    harvest_from: Mapped[date]
    harvest_to: Mapped[date]
    handover_on: Mapped[date]
    handover_place: Mapped[str] = mapped_column(String(120), default="")
    pay_within_h: Mapped[int] = mapped_column(default=48)
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"))
    processed_at: Mapped[datetime | None]

    legs: Mapped[list[RoundLeg]] = relationship(back_populates="round")
    credit: Mapped[CreditSource] = relationship()

    def is_open(self, at: datetime) -> bool:
        """Tell whether needs may be registered at `at`."""
        return self.opens_at <= at < self.closes_at and self.processed_at is None


class RoundLeg(SmallKey, Base):
    """One seller's part of a round, with its own cut-off (never after the round's)."""

    __tablename__ = "round_leg"
    __table_args__ = (UniqueConstraint("round_id", "seller_id"),)

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    cutoff_at: Mapped[datetime]

    round: Mapped[Round] = relationship(back_populates="legs")
    seller: Mapped[Seller] = relationship()


class RoundOffer(SmallKey, Base):
    """An offer that stands in a round."""

    __tablename__ = "round_offer"

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"), index=True)
    leg_id: Mapped[int] = mapped_column(ForeignKey("round_leg.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), unique=True)

    round: Mapped[Round] = relationship()
    offer: Mapped[Offer] = relationship()

    @staticmethod
    def cut_off() -> ColumnElement[datetime]:
        """Return when orders for it end: at its leg's cut-off, or when its seller withdrew it.

        An expression over joined `round_leg` and `offer`; LEAST passes over a null.
        """
        return func.least(RoundLeg.cutoff_at, Offer.withdrawn_at)

    @staticmethod
    def stands() -> ColumnElement[bool]:
        """Tell whether it is part of its round, over joined `round` and `offer`.

        What was withdrawn before anybody ordered it is not. What was ordered is still delivered;
        and a processed round's offers are all withdrawn, and stood in it nevertheless.
        """
        return Offer.withdrawn_at.is_(None) | (Offer.sold > 0) | Round.processed_at.is_not(None)


class PayMode(enum.StrEnum):
    """Each member pays for itself, or the unit pays once by transfer."""

    MEMBERS = "members"
    UNIT = "unit"


class GroupOrderState(enum.StrEnum):
    """Open until the cut-off or the coordinator closes it."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class GroupOrder(Keyed, Base):
    """One buying unit's order in one round; its totals are its members' lines, nothing else."""

    __tablename__ = "group_order"
    __table_args__ = (UniqueConstraint("round_id", "unit_id"),)

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("buying_unit.id"), index=True)
    join_code: Mapped[str] = mapped_column(String(16), unique=True, default=lambda: public_code(10))
    pay_mode: Mapped[PayMode] = mapped_column(choice(PayMode, 10))
    state: Mapped[GroupOrderState] = mapped_column(
        choice(GroupOrderState, 10), default=GroupOrderState.OPEN
    )
    opened_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    closed_at: Mapped[datetime | None]
    pay_by: Mapped[datetime | None]

    round: Mapped[Round] = relationship()
    unit: Mapped[BuyingUnit] = relationship()


class HarvestNotice(Keyed, Base):
    """What one seller must harvest for one round; made once, when the round closes."""

    __tablename__ = "harvest_notice"
    __table_args__ = (UniqueConstraint("round_id", "seller_id"),)

    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(default=clock.now)

    round: Mapped[Round] = relationship()
    seller: Mapped[Seller] = relationship()
    items: Mapped[list[NoticeItem]] = relationship(
        back_populates="notice", order_by="NoticeItem.id"
    )


class NoticeItem(Keyed, Base):
    """How much of one lot a notice asks for, in whole sale units."""

    __tablename__ = "notice_item"
    __table_args__ = (
        UniqueConstraint("notice_id", "lot_id"),
        CheckConstraint("quantity >= 0", name="quantity"),
    )

    notice_id: Mapped[int] = mapped_column(ForeignKey("harvest_notice.id"))
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    quantity: Mapped[int]

    notice: Mapped[HarvestNotice] = relationship(back_populates="items")
    lot: Mapped[Lot] = relationship()
    quotas: Mapped[list[HouseholdQuota]] = relationship(
        back_populates="item", order_by="HouseholdQuota.id"
    )


class QuotaState(enum.StrEnum):
    """A household's share of a notice, from being offered to being delivered."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    DELIVERED = "delivered"


class HouseholdQuota(Keyed, Base):
    """One household's share of a notice item. `by_proxy` marks what a steward answered for it."""

    __tablename__ = "household_quota"
    __table_args__ = (
        UniqueConstraint("item_id", "household_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    item_id: Mapped[int] = mapped_column(ForeignKey("notice_item.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    quantity: Mapped[int]
    state: Mapped[QuotaState] = mapped_column(choice(QuotaState, 10), default=QuotaState.OFFERED)
    answered_at: Mapped[datetime | None]
    by_proxy: Mapped[bool] = mapped_column(default=False)

    item: Mapped[NoticeItem] = relationship(back_populates="quotas")
    household: Mapped[Household] = relationship()


class YieldEntry(SmallKey, Base):
    """What was really harvested of a notice item, by household (None: the seller as a whole)."""

    __tablename__ = "yield_entry"
    __table_args__ = (
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("weight_g IS NULL OR weight_g >= 0", name="weight"),
        UniqueConstraint("item_id", "household_id", postgresql_nulls_not_distinct=True),
    )

    item_id: Mapped[int] = mapped_column(ForeignKey("notice_item.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    quantity: Mapped[int]
    weight_g: Mapped[int | None]
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    by_proxy: Mapped[bool] = mapped_column(default=False)
    entered_at: Mapped[datetime] = mapped_column(default=clock.now)


class AllocationRun(Keyed, Base):
    """The one allocation of a notice item: yield entered = allocated + left over (law 5)."""

    __tablename__ = "allocation_run"
    __table_args__ = (
        CheckConstraint("allocated + left_over = yielded", name="conserves"),
        CheckConstraint("allocated >= 0 AND left_over >= 0", name="signs"),
    )

    item_id: Mapped[int] = mapped_column(ForeignKey("notice_item.id"), unique=True)
    policy: Mapped[str] = mapped_column(String(16))
    yielded: Mapped[int]
    allocated: Mapped[int]
    left_over: Mapped[int]
    run_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    run_at: Mapped[datetime] = mapped_column(default=clock.now)
