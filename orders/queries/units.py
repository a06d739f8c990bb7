"""What a coordinator reads: how far the unit's group order is, its people, its year.

Every figure is derived from the members' lines; each function is a fixed number of statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import aliased, joinedload, selectinload, subqueryload

from kernel.db import db
from kernel.identity import Membership, MembershipState, Role
from kernel.money import Money
from orders.model import (
    GroupOrder,
    GroupOrderState,
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
    Round,
    StaffListEntry,
)
from orders.queries.members import waiting
from orders.queries.outcomes import Outcome, asked_for, outcomes
from orders.queries.rounds import STANDING, Crate, RoundItem, has_offers, items_of

LATEST = 6
PAID_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Need:
    """One offer in a group order: how much, by how many people, for how much money.

    `came` is how many units were allocated, None before; `due` is what they come to, before that
    the same as `total`.
    """

    item: RoundItem
    units: int
    people: int
    total: Money
    due: Money
    came: int | None = None

    @property
    def crate(self) -> Crate:
        """How full this unit's own cases are."""
        return Crate(self.units, max(1, self.item.offer.product.case_units))


@dataclass(frozen=True, slots=True)
class Latest:
    """Who registered last: department and staff number, no name."""

    at: datetime
    department: str
    staff_number: str
    lines: tuple[OrderLine, ...]
    total: Money


@dataclass(frozen=True, slots=True)
class Department:
    """How many of a department's known staff have registered."""

    name: str
    registered: int
    staff: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A group order as its coordinator sees it now."""

    group: GroupOrder
    needs: tuple[Need, ...]
    people: int
    total: Money
    latest: tuple[Latest, ...]
    departments: tuple[Department, ...]
    waiting: int
    unpaid: int

    @property
    def staff(self) -> int:
        """The unit's staff; never fewer than have registered."""
        return max(self.group.unit.staff, self.people)


@dataclass(frozen=True, slots=True)
class PastGroupOrder:
    """A line of a unit's history; `outcome` is None until it is closed."""

    group: GroupOrder
    people: int
    total: Money
    outcome: Outcome | None


def progress(group: GroupOrder) -> Progress:
    """Return how far `group` is, in eight statements whatever its size."""
    needs = _needs(group)
    people, unpaid = db.session.execute(
        select(
            func.count(func.distinct(Order.account_id)),
            func.count().filter(Order.state == OrderState.DUE),
        ).where(Order.group_order_id == group.id, Order.state.in_(STANDING))
    ).one()
    return Progress(
        group=group,
        needs=needs,
        people=people,
        total=Money(sum(need.total.fen for need in needs)),
        latest=tuple(_latest(group)),
        departments=tuple(_departments(group)),
        waiting=waiting(group.unit_id),
        unpaid=unpaid,
    )


def _needs(group: GroupOrder) -> tuple[Need, ...]:
    """Return what was asked for of each offer of the round, also where nobody asked."""
    due_units = func.coalesce(OrderLine.allocated, OrderLine.quantity)
    by_offer = {
        row.offer_id: row
        for row in db.session.execute(
            select(
                OrderLine.offer_id,
                func.sum(OrderLine.quantity).label("units"),
                func.count(func.distinct(Order.account_id)).label("people"),
                func.sum(OrderLine.amount_fen).label("fen"),
                func.sum(OrderLine.allocated).label("came"),
                func.sum(OrderLine.price_fen * due_units).label("due_fen"),
            )
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.group_order_id == group.id, asked_for())
            .group_by(OrderLine.offer_id)
        )
    }
    needs = []
    for item in items_of(group.round_id):
        row = by_offer.get(item.offer.id)
        needs.append(
            Need(
                item,
                int(row.units),
                row.people,
                Money(int(row.fen)),
                Money(int(row.due_fen)),
                row.came,
            )
            if row
            else Need(item, 0, 0, Money(0), Money(0))
        )
    return tuple(needs)


def _latest(group: GroupOrder) -> list[Latest]:
    rows = db.session.execute(
        select(Order, Membership.department, Membership.staff_number)
        .outerjoin(
            Membership,
            (Membership.account_id == Order.account_id)
            & (Membership.organisation_id == group.unit_id)
            & (Membership.role == Role.OFFICIAL),
        )
        .where(Order.group_order_id == group.id, Order.state.in_(STANDING))
        .options(selectinload(Order.lines))
        .order_by(Order.placed_at.desc(), Order.id.desc())
        .limit(LATEST)
    )
    return [
        Latest(
            at=row.Order.placed_at,
            department=row.department or "",
            staff_number=row.staff_number or "",
            lines=tuple(row.Order.lines),
            total=row.Order.total,
        )
        for row in rows
    ]


def _departments(group: GroupOrder) -> list[Department]:
    """Return the departments known from the staff list or from members, the fullest first."""
    members = db.session.execute(
        select(
            Membership.department,
            func.count(func.distinct(Membership.id)).label("members"),
            func.count(func.distinct(Order.account_id)).label("registered"),
        )
        .outerjoin(
            Order,
            (Order.account_id == Membership.account_id)
            & (Order.group_order_id == group.id)
            & Order.state.in_(STANDING),
        )
        .where(
            Membership.organisation_id == group.unit_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.ACTIVE,
            Membership.department != "",
        )
        .group_by(Membership.department)
    ).all()
    listed = {
        row.department: row.staff
        for row in db.session.execute(
            select(StaffListEntry.department, func.count().label("staff"))
            .where(StaffListEntry.unit_id == group.unit_id, StaffListEntry.department != "")
            .group_by(StaffListEntry.department)
        )
    }
    known = {row.department: row for row in members}
    departments = [
        Department(
            name,
            known[name].registered if name in known else 0,
            max(listed.get(name, 0), known[name].members if name in known else 0),
        )
        for name in known.keys() | listed.keys()
    ]
    return sorted(departments, key=lambda one: (-one.registered / one.staff, one.name))


def current_group_order(unit_id: int, at: datetime) -> GroupOrder | None:
    """Return the unit's open group order that closes next, else its newest one, or None."""
    is_open = (GroupOrder.state == GroupOrderState.OPEN) & (Round.closes_at > at)
    return db.session.scalar(
        select(GroupOrder)
        .join(GroupOrder.round)
        .where(GroupOrder.unit_id == unit_id)
        .options(joinedload(GroupOrder.round), joinedload(GroupOrder.unit))
        .order_by(
            is_open.desc(),
            case((is_open, Round.closes_at)).asc().nulls_last(),
            Round.closes_at.desc(),
        )
        .limit(1)
    )


def rounds_to_open(unit_id: int, at: datetime) -> list[Round]:
    """Return the open rounds with something to order in which the unit has no group order yet."""
    taken = select(GroupOrder.round_id).where(GroupOrder.unit_id == unit_id)
    return list(
        db.session.scalars(
            select(Round)
            .where(
                Round.opens_at <= at,
                Round.closes_at > at,
                Round.processed_at.is_(None),
                Round.id.not_in(taken),
                has_offers(),
            )
            .order_by(Round.closes_at)
        )
    )


def group_order_of_unit(unit_ids: Sequence[int], public_id: str) -> GroupOrder | None:
    """Return a group order of one of these units, or None."""
    return db.session.scalar(
        select(GroupOrder)
        .where(GroupOrder.public_id == public_id, GroupOrder.unit_id.in_(unit_ids))
        .options(joinedload(GroupOrder.round), joinedload(GroupOrder.unit))
    )


def to_pay(unit_id: int) -> list[PastGroupOrder]:
    """Return closed group orders, at most PAID_SHOWN: those not all paid for, then the newest."""
    own = aliased(Order)
    unpaid = (
        exists()
        .where(own.group_order_id == GroupOrder.id, PaymentShare.order_id == own.id)
        .where(Payment.id == PaymentShare.payment_id, Payment.state == PaymentState.DUE)
    )
    closed = (GroupOrder.unit_id == unit_id) & GroupOrder.closed_at.is_not(None)
    return _history(closed, unpaid.desc(), most=PAID_SHOWN)


def history(unit_id: int, *, most: int = 100) -> list[PastGroupOrder]:
    """Return the unit's group orders, newest first, each with its people and its sums."""
    return _history(GroupOrder.unit_id == unit_id, most=most)


def _history(
    which: ColumnElement[bool], *first: ColumnElement[Any], most: int
) -> list[PastGroupOrder]:
    query = (
        select(
            GroupOrder,
            func.count(func.distinct(Order.account_id)).label("people"),
            func.coalesce(func.sum(Order.total_fen), 0).label("fen"),
        )
        .join(Round, Round.id == GroupOrder.round_id)
        .outerjoin(Order, (Order.group_order_id == GroupOrder.id) & Order.state.in_(STANDING))
        .where(which)
        .options(joinedload(GroupOrder.round))
        .group_by(GroupOrder.id, Round.id)
        .order_by(*first, Round.closes_at.desc())
        .limit(most)
    )
    rows = db.session.execute(query).all()
    closed = [row.GroupOrder.id for row in rows if row.GroupOrder.state is GroupOrderState.CLOSED]
    ends = outcomes(closed)
    return [
        PastGroupOrder(row.GroupOrder, row.people, Money(int(row.fen)), ends.get(row.GroupOrder.id))
        for row in rows
    ]


def payments_of(group_order_id: int) -> list[Payment]:
    """Return the payments that cover a group order's orders, unpaid first."""
    return payments_by_group([group_order_id])[group_order_id]


def payments_by_group(group_order_ids: Sequence[int]) -> dict[int, list[Payment]]:
    """Return for each of these group orders what `payments_of` does, read at once."""
    unpaid = Payment.state == PaymentState.DUE
    rows = db.session.execute(
        select(GroupOrder.id, Payment, unpaid)
        .join(PaymentShare, PaymentShare.payment_id == Payment.id)
        .join(Order, Order.id == PaymentShare.order_id)
        .join(GroupOrder, GroupOrder.id == Order.group_order_id)
        .where(GroupOrder.id.in_(group_order_ids))
        .distinct()
        .order_by(unpaid.desc(), Payment.id)
    ).all()
    payments: dict[int, list[Payment]] = {one: [] for one in group_order_ids}
    for group_order_id, payment, _ in rows:
        payments[group_order_id].append(payment)
    return payments


@dataclass(frozen=True, slots=True)
class GoneBack:
    """What goes back to a unit of its payment: still owed, and repaid by transfer."""

    owed: Money
    repaid: Money


def gone_back(payment_ids: Sequence[int]) -> dict[int, GoneBack]:
    """Return payment id → what goes back of it, where anything does."""
    repaid = Refund.state == RefundState.REPAID
    rows = db.session.execute(
        select(
            Refund.payment_id,
            func.coalesce(func.sum(Refund.amount_fen).filter(~repaid), 0).label("owed"),
            func.coalesce(func.sum(Refund.amount_fen).filter(repaid), 0).label("repaid"),
        )
        .where(Refund.payment_id.in_(payment_ids), Refund.state != RefundState.CUT)
        .group_by(Refund.payment_id)
    )
    return {row.payment_id: GoneBack(Money(int(row.owed)), Money(int(row.repaid))) for row in rows}


def unpaid_by_group(group_order_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return who has not paid in each of these group orders: department and staff number."""
    rows = db.session.execute(
        select(Order.group_order_id, Membership.department, Membership.staff_number)
        .join(GroupOrder, GroupOrder.id == Order.group_order_id)
        .outerjoin(
            Membership,
            (Membership.account_id == Order.account_id)
            & (Membership.organisation_id == GroupOrder.unit_id)
            & (Membership.role == Role.OFFICIAL),
        )
        .where(Order.group_order_id.in_(group_order_ids), Order.state == OrderState.DUE)
        .order_by(Membership.department, Membership.staff_number, Order.id)
    )
    unpaid: dict[int, list[str]] = {one: [] for one in group_order_ids}
    for group_order_id, department, staff_number in rows:
        if group_order_id is not None:
            unpaid[group_order_id].append(f"{department or ''} {staff_number or ''}".strip())
    return unpaid


def print_rows(group_order_id: int) -> list[tuple[Order, str, str]]:
    """Return every standing order with its lines, department and staff number, to print."""
    rows = db.session.execute(
        select(Order, Membership.department, Membership.staff_number)
        .join(GroupOrder, GroupOrder.id == Order.group_order_id)
        .outerjoin(
            Membership,
            (Membership.account_id == Order.account_id)
            & (Membership.organisation_id == GroupOrder.unit_id)
            & (Membership.role == Role.OFFICIAL),
        )
        .where(Order.group_order_id == group_order_id, Order.state.in_(STANDING))
        .options(subqueryload(Order.lines))
        .order_by(Membership.department, Membership.staff_number, Order.id)
    )
    return [(row.Order, row.department or "", row.staff_number or "") for row in rows]


def group_order_in(unit_id: int, round_id: int) -> GroupOrder | None:
    """Return the unit's group order in a round, or None."""
    return db.session.scalar(
        select(GroupOrder).where(GroupOrder.unit_id == unit_id, GroupOrder.round_id == round_id)
    )
