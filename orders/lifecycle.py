"""The life of an order: one table of moves, and what a move gives back.

An order is locked before its payment, both before what a harvest notice asks for, and all
before lots and offers, everywhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, exists, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from kernel import clock, logs
from kernel.access import found
from kernel.db import db, transaction
from kernel.errors import Conflict
from kernel.money import Money
from orders.model import (
    ORDER_MOVES,
    AllocationRun,
    Consignment,
    HarvestNotice,
    NoticeItem,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    PaymentState,
    Round,
    RoundOffer,
)
from orders.payments.dues import give_up
from orders.payments.refunds import refund_line
from orders.placing import Buyer
from sellers.model import Offer
from sellers.supply import GivenBack, release, take_again

log = logging.getLogger(__name__)

LAPSED_AT_ONCE = 50
"""How many orders lapse in one transaction: few enough that their locks are short."""


def lock_order(session: Session, order_id: int) -> Order:
    """Lock an order until the transaction ends, and read it and its lines anew.

    Raises NotFound.
    """
    return found(
        session.scalar(
            select(Order)
            .where(Order.id == order_id)
            .options(selectinload(Order.lines))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def move(order: Order, to: OrderState, event: str, facts: str = "") -> None:
    """Let `order` become `to` and remember the event, in the caller's transaction.

    `event` is a stable word, `facts` what the order's history shows with it. The caller has
    locked the order. Raises Conflict (order_moved_on) for a move that ORDER_MOVES lacks.
    """
    if to not in ORDER_MOVES[order.state]:
        raise Conflict(
            _l("这张订单刚刚有了变化，这一步做不了了。刷新看看它走到了哪。"),
            code="order_moved_on",
            state=order.state,
        )
    with transaction() as session:
        order.state = to
        session.add(OrderEvent(order_id=order.id, at=clock.now(), kind=event, facts=facts[:200]))
        session.flush()


def _back(line: OrderLine, units: int) -> GivenBack:
    buyer = Buyer(line.order.account_id, line.order.visitor).name
    return GivenBack(line.offer_id, line.lot_id, units, buyer)


def give_back(line: OrderLine, units: int) -> None:
    """Give `units` of a line back to its lot and offer; the caller has locked the order.

    Units sold from a slot were promised when it was restocked and do not return to the lot.
    Raises ValueError for more than the line still holds.
    """
    if not 0 <= units <= line.quantity - line.released:
        raise ValueError("a line gives back only what it holds")
    with transaction():
        line.released += units
        if not line.from_slot:
            release([_back(line, units)])


def _give_back_all(lines: Sequence[OrderLine]) -> None:
    """Give back everything that `lines` hold, in one go, so that locks keep their order."""
    held = [(line, line.quantity - line.released) for line in lines if not line.from_slot]
    for line in lines:
        line.released = line.quantity
    release([_back(line, units) for line, units in held])


def lapse_due(at: datetime, most: int = LAPSED_AT_ONCE) -> int:
    """Let up to `most` orders lapse whose payment was due by `at`; return how many did.

    Their stock is promised to nobody from then on, and their payments expire. Orders that
    somebody else is busy with are left for the next time. One that cannot lapse is said in the
    log and keeps no other from it: then each gets a transaction of its own.
    """
    due = (
        select(Order)
        .where(Order.state == OrderState.DUE, Order.expires_at <= at)
        .order_by(Order.expires_at, Order.id)
        .limit(most)
    )
    try:
        return _lapse(due)
    except IntegrityError:
        with transaction() as session:
            ids = session.scalars(due.with_only_columns(Order.id)).all()
        return sum(_lapse_alone(order_id) for order_id in ids)


def _lapse_alone(order_id: int) -> int:
    """Let one due order lapse, or say why it cannot; return how many did."""
    try:
        return _lapse(select(Order).where(Order.id == order_id, Order.state == OrderState.DUE))
    except IntegrityError as error:
        logs.fault(log, "order_not_lapsed", error, subject=f"order:{order_id}")
        return 0


def _lapse(due: Select[Order]) -> int:
    """Let the orders of `due` lapse in one transaction; return how many did."""
    with transaction() as session:
        orders = session.scalars(
            due.options(selectinload(Order.lines))
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        for order in sorted(orders, key=lambda one: one.id):
            move(order, OrderState.LAPSED, "lapsed")
            give_up(order, PaymentState.EXPIRED)
        _give_back_all([line for order in orders for line in order.lines])
    return len(orders)


def honour_late(order: Order) -> bool:
    """Promise a lapsed order's stock again, because its money came after all; tell whether.

    True: the order is confirmed; False: nothing has changed. The caller has locked the order and
    its payment. Nothing is promised of a round's harvest that is already divided among other
    lines, or that nobody was asked to bring in.
    """
    with transaction() as session:
        if _missed_its_harvest(session, order):
            return False
        lines = [line for line in order.lines if not line.from_slot]
        if not take_again([_back(line, line.released) for line in lines]):
            return False
        for line in order.lines:
            line.released = 0
        move(order, OrderState.CONFIRMED, "paid_late")
    return True


def _missed_its_harvest(session: Session, order: Order) -> bool:
    """Tell whether a line's round has closed without a harvest that it could still share."""
    # Closing waits until we are done, and we until a closing or an allocation is.
    rows = session.execute(
        select(RoundOffer.round_id, OrderLine.lot_id, OrderLine.released, Round.processed_at)
        .join(OrderLine, OrderLine.offer_id == RoundOffer.offer_id)
        .join(Round, RoundOffer.round_id == Round.id)
        .where(OrderLine.order_id == order.id)
        .order_by(Round.id)
        .with_for_update(read=True, of=Round)
    ).all()
    wanted = Counter[tuple[int, int]]()
    for row in rows:
        if row.processed_at is not None:
            wanted[row.round_id, row.lot_id] += row.released
    left = _left_to_share(session, wanted)
    return any(units > left.get(harvest, 0) for harvest, units in wanted.items())


def _left_to_share(
    session: Session, harvests: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """Return how many units of (round, lot) sellers were asked for and no order holds.

    What nobody was asked to bring in is missing, and so is what is divided already. The asked
    items stay locked until the transaction ends, so that two who pay late do not share one rest.
    """
    items = session.execute(
        select(NoticeItem.id, NoticeItem.quantity, HarvestNotice.round_id, NoticeItem.lot_id)
        .join(HarvestNotice, NoticeItem.notice_id == HarvestNotice.id)
        .where(tuple_(HarvestNotice.round_id, NoticeItem.lot_id).in_(harvests))
        .order_by(NoticeItem.id)
        .with_for_update(of=NoticeItem)
    ).all()
    divided = set(
        session.scalars(
            select(AllocationRun.item_id).where(AllocationRun.item_id.in_([i.id for i in items]))
        )
    )
    rows = session.execute(
        select(
            RoundOffer.round_id,
            OrderLine.lot_id,
            func.sum(OrderLine.quantity - OrderLine.released).label("units"),
        )
        .join(OrderLine, OrderLine.offer_id == RoundOffer.offer_id)
        .where(tuple_(RoundOffer.round_id, OrderLine.lot_id).in_(harvests))
        .group_by(RoundOffer.round_id, OrderLine.lot_id)
    )
    held = {(row.round_id, row.lot_id): int(row.units) for row in rows}
    return {
        (one.round_id, one.lot_id): one.quantity - held.get((one.round_id, one.lot_id), 0)
        for one in items
        if one.id not in divided
    }


def _round_is_over(session: Session, order: Order, at: datetime) -> bool:
    over = Round.processed_at.is_not(None) | (Round.closes_at <= at)
    offers = [line.offer_id for line in order.lines]
    return bool(
        session.scalar(
            select(
                exists()
                .where(RoundOffer.round_id == Round.id, over)
                .where(RoundOffer.offer_id.in_(offers))
            )
        )
    )


def can_cancel(order: Order, at: datetime) -> bool:
    """Tell whether `order` may still be cancelled at `at`.

    A member's needs until the cut-off; its unpaid order until the round closed, for then its
    goods were asked for and it can only lapse; once confirmed, never. Another order always before
    it is paid; after that until its harvest began, its round closed or its goods were packed.
    What lapsed, was cancelled or was handed over cannot be. It only reads, and leaves the
    caller's transaction open.
    """
    if order.state is OrderState.DUE:
        return order.group_order_id is None or not _round_is_over(db.session(), order, at)
    if order.state is OrderState.REGISTERED:
        offers = [line.offer_id for line in order.lines]
        return not db.session.scalar(
            select(exists().where(Offer.id.in_(offers), Offer.closes_at <= at))
        )
    if order.state is not OrderState.CONFIRMED or order.group_order_id is not None:
        return False
    today = clock.local(at).date()
    if any(line.harvest_from is not None and line.harvest_from <= today for line in order.lines):
        return False
    packed = db.session.scalar(select(exists().where(Consignment.order_id == order.id)))
    return not packed and not _round_is_over(db.session(), order, at)


def cancel(order: Order, cause: str = "cancel") -> None:
    """Cancel an order: its stock is given back, and what was paid is refunded, line by line.

    `cause` names the refunds and makes them happen once. Cancelling again changes nothing.
    Raises Conflict: too_late_to_cancel, or order_moved_on for one that lapsed or was handed
    over.
    """
    with transaction() as session:
        kept = lock_order(session, order.id)
        if kept.state is OrderState.CANCELLED:
            return
        stands = OrderState.CANCELLED in ORDER_MOVES[kept.state]
        if stands and not can_cancel(kept, clock.now()):
            raise Conflict(
                _l("已经截单、开始采收或装好了，不能再取消。有难处，联系平台工作人员。"),
                code="too_late_to_cancel",
            )
        was_confirmed = kept.state is OrderState.CONFIRMED
        move(kept, OrderState.CANCELLED, "cancelled", cause if cause != "cancel" else "")
        if was_confirmed:
            for line in kept.lines:
                units = line.quantity - line.released
                refund_line(line, units, Money(line.price_fen) * units, cause)
        else:
            give_up(kept, PaymentState.VOID)
        _give_back_all(kept.lines)
