"""Enter what was really harvested, then divide it among the lines, exactly once."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from kernel import audit, clock
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.money import Money
from kernel.quantity import looks_mistyped
from orders.actions.handover import hand_over
from orders.actions.harvest import lock_item
from orders.allocation import POLICIES, divide
from orders.lifecycle import give_back, move
from orders.model import (
    AllocationRun,
    HouseholdQuota,
    NoticeItem,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    QuotaState,
    YieldEntry,
)
from orders.payments.actions import refund_line
from orders.payments.dues import lock_payments
from orders.queries.harvest import WAITING, code_of, lines_for
from sellers.model import Lot
from sellers.supply import lock


@dataclass(frozen=True, slots=True)
class Harvested:
    """What somebody says was harvested. `weight_g` None: it was not weighed."""

    units: int
    weight_g: int | None = None
    confirmed: bool = False


def enter_yield(
    item_id: int,
    household_id: int | None,
    harvested: Harvested,
    *,
    account_id: int | None,
    by_proxy: bool = False,
) -> YieldEntry:
    """Record, or correct, what a household (None: the seller as a whole) harvested of an item.

    A household's share counts as delivered from then on. Raises Conflict (looks_mistyped)
    for a figure five times off that was not confirmed, and when the item is allocated, the
    household has no share of it, or households and the whole would be counted twice.
    """
    if harvested.units < 0 or (harvested.weight_g or 0) < 0:
        raise Invalid(fields={"quantity": _l("填 0 或者更大的整数。")})
    with transaction() as session:
        item = lock_item(session, item_id)
        _check_counted_once(session, item_id, household_id)
        quota = _quota(session, item_id, household_id) if household_id else None
        if not harvested.confirmed:
            _check_plausible(session, item, quota, harvested)
        entry = _entry(session, item_id, household_id)
        if entry is None:
            entry = YieldEntry(item_id=item_id, household_id=household_id)
            session.add(entry)
        entry.quantity, entry.weight_g = harvested.units, harvested.weight_g
        entry.entered_by, entry.entered_at, entry.by_proxy = account_id, clock.now(), by_proxy
        if quota is not None:
            quota.state = QuotaState.DELIVERED
            if by_proxy:
                audit.note(
                    Act.YIELD_ENTERED_BY_PROXY, f"quota:{quota.public_id}", account_id=account_id
                )
        session.flush()
    return entry


def withdraw_yield(item_id: int, household_id: int | None) -> None:
    """Take an entry back, as if nothing had been entered. Raises NotFound and Conflict."""
    with transaction() as session:
        lock_item(session, item_id)
        entry = _entry(session, item_id, household_id)
        if entry is None:
            raise NotFound()
        session.delete(entry)
        if household_id is not None:
            quota = _quota(session, item_id, household_id)
            quota.state = QuotaState.ACCEPTED if quota.answered_at else QuotaState.OFFERED


def _entry(session: Session, item_id: int, household_id: int | None) -> YieldEntry | None:
    """Return what was entered, read anew: the caller has waited for the item."""
    return session.scalar(
        select(YieldEntry)
        .where(
            YieldEntry.item_id == item_id,
            YieldEntry.household_id.is_not_distinct_from(household_id),
        )
        .execution_options(populate_existing=True)
    )


def _check_counted_once(session: Session, item_id: int, household_id: int | None) -> None:
    whole = YieldEntry.household_id.is_(None)
    other = ~whole if household_id is None else whole
    if session.scalar(select(YieldEntry.id).where(YieldEntry.item_id == item_id, other).limit(1)):
        raise Conflict(
            _l("这一项已经按另一种方式填过：要么按户填，要么填总数。先撤掉原来的，再填。"),
            code="yield_counted_twice",
        )


def _quota(session: Session, item_id: int, household_id: int) -> HouseholdQuota:
    quota = session.scalar(
        select(HouseholdQuota)
        .where(
            HouseholdQuota.item_id == item_id,
            HouseholdQuota.household_id == household_id,
            HouseholdQuota.state != QuotaState.DECLINED,
        )
        .execution_options(populate_existing=True)
    )
    if quota is None:
        raise Conflict(_l("这一户没有这项任务。先把任务分给它。"), code="no_quota")
    return quota


def _check_plausible(
    session: Session, item: NoticeItem, quota: HouseholdQuota | None, harvested: Harvested
) -> None:
    expected = quota.quantity if quota else item.quantity
    unit_g = session.get_one(Lot, item.lot_id).product.unit_g
    wrong_weight = harvested.weight_g is not None and (
        looks_mistyped(harvested.weight_g, (harvested.units or expected) * unit_g)
    )
    if looks_mistyped(harvested.units, expected):
        field = "quantity"
        message = _l("任务是 %(n)s，差得太多。看看数字对不对；没有错，就再确认一次。", n=expected)
    elif wrong_weight:
        field = "weight"
        message = _l("重量和数量对不上，差得太多。看看重量对不对；没有错，就再确认一次。")
    else:
        return
    raise Conflict(message, code="looks_mistyped", fields={field: message}, expected=expected)


def allocate(
    item_id: int, policy: str, *, account_id: int | None, shown: str | None = None
) -> AllocationRun:
    """Divide an item's yield among its order lines by `policy`, exactly once.

    Every line gets its allocated units; what falls short is given back to the stock and
    reduces what is unpaid, or refunds what was paid, once. `shown` is the code of the
    preview that somebody agreed to (None: nobody was shown one). Raises Invalid for an unknown
    policy, Conflict when it was allocated already, no yield was entered, or the division is
    another one by now (preview_changed).
    """
    if policy not in POLICIES:
        raise Invalid(fields={"policy": _l("没有这种分法。")}, code="unknown_policy")
    with transaction() as session:
        _lock_orders(session, found(session.get(NoticeItem, item_id)))
        item = lock_item(session, item_id)
        yielded = session.scalar(
            select(func.sum(YieldEntry.quantity)).where(YieldEntry.item_id == item_id)
        )
        if yielded is None:
            raise Conflict(_l("还没有填实收。先填实收，再分配。"), code="no_yield")
        lines = _lines(session, item)
        units = divide(policy, int(yielded), [line.needed for line in lines])
        if shown is not None and shown != code_of(int(yielded), lines, units):
            raise Conflict(
                _l("实收或者订单刚刚变了，还没有分配。看看新的分法，再点一次。"),
                code="preview_changed",
            )
        run = AllocationRun(
            item_id=item_id,
            policy=policy,
            yielded=int(yielded),
            allocated=sum(units),
            left_over=int(yielded) - sum(units),
            run_by=account_id,
        )
        session.add(run)
        session.flush()
        _divide(session, lines, units, run)
        _write_lot(session, item, run, sum(line.quantity for line in lines) - sum(units))
        _end_orders(session, lines)
    return run


def _lock_orders(session: Session, item: NoticeItem) -> None:
    """Lock every order that takes part in dividing `item`, or may before it is done, by id.

    Orders come before their item, as for whoever pays late, and all at once: one that joined
    later would be locked out of turn, in a circle with whoever packs its group.
    """
    may_join = (*WAITING, OrderState.LAPSED)
    touched = lines_for(item, may_join).with_only_columns(OrderLine.order_id).order_by(None)
    session.scalars(
        select(Order)
        .where(Order.id.in_(touched))
        .order_by(Order.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _lines(session: Session, item: NoticeItem) -> list[OrderLine]:
    """Return the lines of `item`, whose orders are locked, oldest first."""
    # Read anew: what was cancelled while we waited for a lock is no longer among them.
    wanted = lines_for(item).options(selectinload(OrderLine.order))
    return list(session.scalars(wanted.execution_options(populate_existing=True)))


def _divide(session: Session, lines: list[OrderLine], units: list[int], run: AllocationRun) -> None:
    short = [(line, line.quantity - given) for line, given in zip(lines, units, strict=True)]
    short = [(line, missing) for line, missing in short if missing]
    for line, given in zip(lines, units, strict=True):
        line.allocated = given
        session.add(
            OrderEvent(order_id=line.order_id, kind="allocated", facts=line.allocation_facts)
        )
    lock_payments(session, [line.order_id for line, _ in short])
    for line, missing in short:
        refund_line(line, missing, Money(line.price_fen) * missing, f"short:{run.public_id}")
    # Stock is locked after orders and payments, everywhere, and all of it in one fixed order.
    lock({line.offer_id for line, _ in short})
    for line, missing in short:
        give_back(line, missing)
    session.flush()


def _write_lot(session: Session, item: NoticeItem, run: AllocationRun, short: int) -> None:
    """Keep the yield, and take what never grew off the lot: it must not be promised again."""
    session.execute(
        update(Lot)
        .where(Lot.id == item.lot_id)
        .values(yielded=func.coalesce(Lot.yielded, 0) + run.yielded, offered=Lot.offered - short)
    )


def _end_orders(session: Session, lines: list[OrderLine]) -> None:
    """End the orders that get nothing of this: here, or because the rest was signed for before."""
    touched = {line.order_id for line in lines if line.allocated == 0}
    orders = session.scalars(select(Order).where(Order.id.in_(touched)).order_by(Order.id)).all()
    for order in orders:
        if order.state in WAITING and all(line.allocated == 0 for line in order.lines):
            move(order, OrderState.CANCELLED, "nothing_harvested")
    confirmed = [order for order in orders if order.state is OrderState.CONFIRMED]
    hand_over(session, confirmed)
