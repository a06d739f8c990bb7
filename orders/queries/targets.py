"""A buying unit's purchase target of a year, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

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
)


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
    kept = db.session.scalar(
        select(PurchaseTarget).where(PurchaseTarget.unit_id == unit_id, PurchaseTarget.year == year)
    )
    if kept is None:
        return None
    committed, completed = _bought(unit_id, starts, ends)
    gone = (at - starts) // timedelta(seconds=1)
    return Target(
        goal=Money(kept.budget_fen).percent(kept.basis_points),
        basis_points=kept.basis_points,
        committed=committed,
        completed=completed,
        calendar_bp=gone * 10_000 // ((ends - starts) // timedelta(seconds=1)),
    )


def _bought(unit_id: int, starts: datetime, ends: datetime) -> tuple[Money, Money]:
    """Return what a unit has committed and completed between two times, in one statement."""
    units = func.coalesce(OrderLine.allocated, OrderLine.quantity)
    amount = OrderLine.price_fen * units
    signed_at = (
        select(func.min(Consignment.signed_at))
        .join(ConsignmentLine, ConsignmentLine.consignment_id == Consignment.id)
        .where(ConsignmentLine.line_id == OrderLine.id)
        .scalar_subquery()
    )
    committed, completed = db.session.execute(
        select(
            func.coalesce(
                func.sum(amount).filter(
                    Order.state == OrderState.CONFIRMED,
                    signed_at.is_(None),
                    Order.placed_at < ends,
                ),
                0,
            ),
            func.coalesce(
                func.sum(amount).filter(
                    signed_at >= starts,
                    signed_at < ends,
                ),
                0,
            ),
        )
        .select_from(OrderLine)
        .join(Order, Order.id == OrderLine.order_id)
        .join(GroupOrder, GroupOrder.id == Order.group_order_id)
        .where(GroupOrder.unit_id == unit_id)
    ).one()
    return Money(int(committed)), Money(int(completed))
