"""A buying unit's purchase target of a year, how far it has come, and with which purchases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, Subquery, and_, cast, func, select

from kernel import clock
from kernel.db import db
from kernel.money import Money
from orders.model import (
    Consignment,
    ConsignmentLine,
    GroupOrder,
    Order,
    OrderLine,
    OrderState,
    PurchaseTarget,
    Round,
)
from sellers.model import Seller


@dataclass(frozen=True, slots=True)
class Target:
    """A unit's purchase target of one year and how far it has come."""

    goal: Money
    basis_points: int
    committed: Money
    completed: Money
    calendar_bp: int

    @property
    def completed_bp(self) -> int:
        """Delivered goods as a share of the goal, in basis points."""
        return self._share(self.completed)

    @property
    def committed_bp(self) -> int:
        """Confirmed and not yet delivered, as a share of the goal, in basis points."""
        return self._share(self.committed)

    def _share(self, amount: Money) -> int:
        return amount.fen * 10_000 // self.goal.fen if self.goal else 0


def target(unit_id: int, at: datetime) -> Target | None:
    """Return the unit's target of the year of `at` and its progress; None when it has none.

    Confirmed goods count as committed, goods handed over as completed, line by line as each is
    signed for: what was allocated, at the price that was frozen on the line. What an earlier
    year ordered and did not get goes on being committed: it will complete this one.
    """
    year = clock.local(at).year
    starts, ends = clock.start_of_year(year), clock.start_of_year(year + 1)
    kept = _kept(unit_id, year)
    if kept is None:
        return None
    committed, completed = _bought(unit_id, starts, ends)
    gone = (at - starts) // timedelta(seconds=1)
    return Target(
        goal=_goal(kept),
        basis_points=kept.basis_points,
        committed=committed,
        completed=completed,
        calendar_bp=gone * 10_000 // ((ends - starts) // timedelta(seconds=1)),
    )


def _kept(unit_id: int, year: int) -> PurchaseTarget | None:
    return db.session.scalar(
        select(PurchaseTarget).where(PurchaseTarget.unit_id == unit_id, PurchaseTarget.year == year)
    )


def _goal(kept: PurchaseTarget) -> Money:
    return Money(kept.budget_fen).percent(kept.basis_points)


def _bought(unit_id: int, starts: datetime, ends: datetime) -> tuple[Money, Money]:
    """Return what a unit has committed and completed between two times, in one statement."""
    lines = _counted(unit_id, starts, ends)
    amount, is_signed = lines.c.price_fen * lines.c.units, lines.c.signed_at.is_not(None)
    committed, completed = db.session.execute(
        select(
            func.coalesce(func.sum(amount).filter(~is_signed), 0),
            func.coalesce(func.sum(amount).filter(is_signed), 0),
        )
    ).one()
    return Money(int(committed)), Money(int(completed))


def _counted(unit_id: int, starts: datetime, ends: datetime) -> Subquery:
    """Select the lines that count for a unit between two times; unsigned ones are committed.

    Columns: line_id, group_order_id, units, price_fen, signed_at.
    """
    lines = (
        select(
            OrderLine.id.label("line_id"),
            Order.group_order_id,
            Order.state,
            Order.placed_at,
            OrderLine.price_fen,
            func.coalesce(OrderLine.allocated, OrderLine.quantity).label("units"),
            func.min(Consignment.signed_at).label("signed_at"),
        )
        .join(Order, Order.id == OrderLine.order_id)
        .join(GroupOrder, GroupOrder.id == Order.group_order_id)
        .outerjoin(ConsignmentLine, ConsignmentLine.line_id == OrderLine.id)
        .outerjoin(Consignment, Consignment.id == ConsignmentLine.consignment_id)
        # What was handed over whole in an earlier year counts no more: its lines are not read.
        .where(GroupOrder.unit_id == unit_id, func.coalesce(Order.handed_at >= starts, True))
        # Once for all lines, and not once and again for each of them.
        .group_by(OrderLine.id, Order.id)
        .subquery("lines")
    )
    is_committed = and_(
        lines.c.signed_at.is_(None),
        lines.c.state == OrderState.CONFIRMED,
        lines.c.placed_at < ends,
    )
    is_completed = and_(lines.c.signed_at >= starts, lines.c.signed_at < ends)
    return select(lines).where(is_committed | is_completed).subquery("counted")


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a unit bought of one product at one price in one round; names are the lines' own."""

    group_order: str
    round_title_zh: str
    round_title_en: str
    seller_name_zh: str
    seller_name_en: str
    places: tuple[str, ...]
    """Where the seller is, from province to county."""
    certificate_number: str
    name_zh: str
    name_en: str
    unit_name: str
    price: Money
    units: int
    received_on: date | None
    """The day on which it was signed for in Shanghai; None while it is on its way."""

    @property
    def total(self) -> Money:
        """Its price times its units."""
        return self.price * self.units


@dataclass(frozen=True, slots=True)
class Year:
    """All that a unit bought in a year, beside its goal; None where it has none."""

    year: int
    goal: Money | None
    purchases: Sequence[Purchase]

    @property
    def committed(self) -> Money:
        """What is confirmed and not signed for yet."""
        return Money(sum(one.total.fen for one in self.purchases if one.received_on is None))

    @property
    def completed(self) -> Money:
        """What was signed for in the year."""
        return Money(sum(one.total.fen for one in self.purchases)) - self.committed

    @property
    def completed_bp(self) -> int | None:
        """The completed as a share of the goal in basis points; None without a goal."""
        return self.completed.fen * 10_000 // self.goal.fen if self.goal else None


def of_year(unit_id: int, year: int) -> Year:
    """Return what a unit bought in a year: two statements."""
    kept = _kept(unit_id, year)
    return Year(year, _goal(kept) if kept else None, purchases(unit_id, year))


def purchases(unit_id: int, year: int) -> list[Purchase]:
    """Return what counts for a unit's target of a year, what is on its way first: one statement.

    Their totals are the target's committed and completed sums. There are as many as products in
    the rounds of a year, not as people in the unit.
    """
    counted = _counted(unit_id, clock.start_of_year(year), clock.start_of_year(year + 1))
    received_on = cast(func.timezone("Asia/Shanghai", counted.c.signed_at), Date)
    what = (
        counted.c.group_order_id,
        OrderLine.seller_id,
        OrderLine.seller_name_zh,
        OrderLine.seller_name_en,
        OrderLine.certificate_number,
        OrderLine.name_zh,
        OrderLine.name_en,
        OrderLine.unit_name,
        OrderLine.price_fen,
        received_on.label("received_on"),
    )
    # Summed before it is named: thousands of lines are dozens of purchases.
    bought = (
        select(*what, func.sum(counted.c.units).label("units"))
        .join(OrderLine, OrderLine.id == counted.c.line_id)
        .where(counted.c.units > 0)
        .group_by(*what)
        .subquery("bought")
    )
    rows = db.session.execute(
        select(
            GroupOrder.public_id,
            Round.title_zh,
            Round.title_en,
            Seller.province,
            Seller.city,
            Seller.county,
            *bought.c,
        )
        .join(GroupOrder, GroupOrder.id == bought.c.group_order_id)
        .join(Round, Round.id == GroupOrder.round_id)
        .join(Seller, Seller.id == bought.c.seller_id)
        .order_by(
            bought.c.received_on.desc().nulls_first(),
            Round.id.desc(),
            bought.c.seller_name_zh,
            bought.c.name_zh,
            bought.c.price_fen,
        )
    )
    return [_purchase(row) for row in rows]


def _purchase(row: Any) -> Purchase:
    return Purchase(
        group_order=row.public_id,
        round_title_zh=row.title_zh,
        round_title_en=row.title_en,
        seller_name_zh=row.seller_name_zh,
        seller_name_en=row.seller_name_en,
        places=tuple(dict.fromkeys(one for one in (row.province, row.city, row.county) if one)),
        certificate_number=row.certificate_number,
        name_zh=row.name_zh,
        name_en=row.name_en,
        unit_name=row.unit_name,
        price=Money(row.price_fen),
        units=int(row.units),
        received_on=row.received_on,
    )
