"""Reads from the harvest notice to the allocation, scoped to who asks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, case, func, select, tuple_
from sqlalchemy.orm import contains_eager, joinedload

from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, decode, page_of
from orders.allocation import divide
from orders.model import (
    AllocationRun,
    BuyingUnit,
    GroupOrder,
    HarvestNotice,
    HouseholdQuota,
    NoticeItem,
    Order,
    OrderLine,
    OrderState,
    QuotaState,
    RoundOffer,
)
from orders.queries.notices import OPEN, ItemView
from sellers.model import Household, Lot
from sellers.queries.workspace import cares_for, in_care_of

TASKS_AT_ONCE = 60
WAITING = (OrderState.DUE, OrderState.CONFIRMED)
"""States of orders that take part in an allocation: still payable, paid, or owed by a unit."""


def quota(public_id: str) -> HouseholdQuota:
    """Return one household's share. Raises NotFound."""
    return found(
        db.session.scalar(select(HouseholdQuota).where(HouseholdQuota.public_id == public_id))
    )


def quotas_of_steward(who: Viewer, cursor: str | None = None) -> Page[HouseholdQuota]:
    """Return a page of the shares of the households for which a steward acts.

    What is still to do comes first, then the newest. Raises Invalid for a wrong cursor.
    """
    to_do = case((HouseholdQuota.state.in_(OPEN), 2), else_=1)
    query = (
        select(HouseholdQuota)
        .join(HouseholdQuota.household)
        .options(
            contains_eager(HouseholdQuota.household),
            joinedload(HouseholdQuota.item).joinedload(NoticeItem.lot).joinedload(Lot.product),
        )
        .where(in_care_of(who))
        .order_by(to_do.desc(), HouseholdQuota.id.desc())
        .limit(TASKS_AT_ONCE + 1)
    )
    if cursor:
        query = query.where(tuple_(to_do, HouseholdQuota.id) < tuple_(*decode(cursor, int, int)))
    return page_of(
        db.session.scalars(query).all(),
        TASKS_AT_ONCE,
        lambda one: (2 if one.state in OPEN else 1, one.id),
    )


def next_task(done: HouseholdQuota, steward: Viewer | None) -> HouseholdQuota | None:
    """Return what the household has to do next, the oldest first; None when nothing waits.

    For a steward, of any of the households for which they act.
    """
    own = HouseholdQuota.household_id == done.household_id
    return db.session.scalar(
        select(HouseholdQuota)
        .join(HouseholdQuota.household)
        .outerjoin(AllocationRun, AllocationRun.item_id == HouseholdQuota.item_id)
        .options(
            contains_eager(HouseholdQuota.household),
            joinedload(HouseholdQuota.item).joinedload(NoticeItem.lot).joinedload(Lot.product),
        )
        .where(
            own if steward is None else in_care_of(steward),
            HouseholdQuota.id != done.id,
            HouseholdQuota.state.in_((QuotaState.OFFERED, QuotaState.ACCEPTED)),
            AllocationRun.id.is_(None),
        )
        .order_by(HouseholdQuota.id)
        .limit(1)
    )


def any_item(public_id: str) -> NoticeItem | None:
    """Return an item whoever asks; the caller checks for whom they act."""
    return db.session.scalar(select(NoticeItem).where(NoticeItem.public_id == public_id))


@dataclass(frozen=True)
class Acting:
    """As whom somebody acts for a household: its steward (by proxy), or the seller's clerk."""

    by_proxy: bool


def acting_for(household: Household, who: Viewer) -> Acting | None:
    """Return as whom `who` acts for a household; None when they may not."""
    if cares_for(who, household):
        return Acting(by_proxy=True)
    return Acting(by_proxy=False) if who.belongs(household.seller_id, Role.CLERK) else None


def households(seller_id: int) -> list[Household]:
    """Return a seller's households by number."""
    return list(
        db.session.scalars(
            select(Household).where(Household.seller_id == seller_id).order_by(Household.number)
        )
    )


def lines_for(row: NoticeItem, states: Collection[OrderState] = WAITING) -> Select[OrderLine]:
    """Select the lines that an item's yield is for, oldest order first."""
    return (
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .join(RoundOffer, RoundOffer.offer_id == OrderLine.offer_id)
        .join(HarvestNotice, HarvestNotice.round_id == RoundOffer.round_id)
        .where(
            HarvestNotice.id == row.notice_id,
            OrderLine.lot_id == row.lot_id,
            Order.state.in_(states),
        )
        .order_by(Order.placed_at, OrderLine.id)
    )


@dataclass
class PreviewRow:
    """What one buying unit (None: single buyers) ordered of an item, and would get."""

    unit: BuyingUnit | None
    lines: int = 0
    ordered: int = 0
    gets: int = 0


@dataclass(frozen=True)
class Preview:
    """Who would get how much, unit by unit, before it is done."""

    rows: list[PreviewRow]
    ordered: int
    gets: int
    left_over: int
    short_amount: Money
    code: str
    """What stands for exactly this division: whoever was shown it, does this one or none."""


def code_of(yielded: int, lines: Sequence[OrderLine], given: Sequence[int]) -> str:
    """Return the code of the division that gives the `lines` so many units of a yield each."""
    parts = [
        (line.id, line.price_fen, line.quantity, units)
        for line, units in zip(lines, given, strict=True)
    ]
    return hashlib.sha256(repr((yielded, parts)).encode()).hexdigest()[:20]


def preview(view: ItemView, policy: str = "pro_rata") -> Preview:
    """Return what `policy` would do with the yield entered so far. It changes nothing."""
    lines = db.session.scalars(lines_for(view.item).options(contains_eager(OrderLine.order))).all()
    given = divide(policy, view.yielded or 0, [line.needed for line in lines])
    groups = db.session.scalars(
        select(GroupOrder)
        .where(GroupOrder.id.in_({line.order.group_order_id for line in lines}))
        .options(joinedload(GroupOrder.unit))
    )
    units_by_group: dict[int | None, BuyingUnit] = {one.id: one.unit for one in groups}
    rows: dict[int | None, PreviewRow] = {}
    for line, units in zip(lines, given, strict=True):
        unit = units_by_group.get(line.order.group_order_id)
        row = rows.setdefault(unit.id if unit else None, PreviewRow(unit))
        row.lines, row.ordered, row.gets = (
            row.lines + 1,
            row.ordered + line.quantity,
            row.gets + units,
        )
    missing = sum(
        line.price_fen * (line.quantity - units) for line, units in zip(lines, given, strict=True)
    )
    return Preview(
        list(rows.values()),
        sum(line.quantity for line in lines),
        sum(given),
        (view.yielded or 0) - sum(given),
        Money(missing),
        code_of(view.yielded or 0, lines, given),
    )


def price_per_unit(row: NoticeItem) -> Money:
    """Return what one unit of an item brings on average, in fen rounded down."""
    lines = lines_for(row).order_by(None).subquery()
    sums = select(func.sum(lines.c.amount_fen), func.sum(lines.c.quantity))
    fen, units = db.session.execute(sums).one()
    return Money(int(fen // units) if units else 0)
