"""Closing: needs freeze, money falls due, and each seller learns what to harvest, once."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kernel import clock, logs
from kernel.access import found
from kernel.db import transaction
from kernel.errors import Conflict
from orders import books
from orders.lifecycle import move
from orders.model import (
    GroupOrder,
    GroupOrderState,
    HarvestNotice,
    NoticeItem,
    Order,
    OrderLine,
    OrderState,
    PaymentMethod,
    PayMode,
    Round,
    RoundLeg,
    RoundOffer,
)
from orders.payments.actions import make_payment
from sellers.actions import withdraw_offers

log = logging.getLogger(__name__)

COUNTED = (OrderState.DUE, OrderState.CONFIRMED)
"""Orders whose lines a harvest notice asks for."""


class NothingRegistered(Conflict):
    """Nobody has registered anything yet."""

    code = "nothing_registered"
    message = _l("还没有人登记，先不用关单。把链接发给同事。")


def close_group_order(group_order_id: int) -> GroupOrder:
    """Close a group order before its round closes: its needs freeze and money falls due.

    Closing again changes nothing. Raises NotFound, and NothingRegistered when it is empty.
    """
    with transaction() as session:
        group = _locked(session, group_order_id)
        if group.state is GroupOrderState.OPEN:
            if not _needs(session, group.id):
                raise NothingRegistered()
            _close(session, group, clock.now())
    return group


def close_due_rounds(at: datetime) -> int:
    """Process every round that the clock has closed and that was not processed; return how many.

    However long ago that was: there is no window to miss. Several workers may run at once;
    each takes the rounds that no other has in hand.
    """
    with transaction() as session:
        due = session.scalars(
            select(Round.id)
            .where(Round.closes_at <= at, Round.processed_at.is_(None))
            .order_by(Round.closes_at, Round.id)
        ).all()
    done = 0
    for round_id in due:
        try:
            done += close_round(round_id, at)
        except Exception as error:
            # One round that cannot be processed must not keep the others from their harvest.
            logs.fault(log, "round_not_closed", error, subject=f"round:{round_id}")
    return done


def close_round(round_id: int, at: datetime) -> bool:
    """Process one round that the clock has closed by `at`, in one transaction.

    Closes its open group orders and makes one harvest notice for each leg's seller. Returns
    False, and changes nothing, when it is not due, already processed, or in other hands.
    """
    with transaction() as session:
        kept = session.scalar(
            select(Round)
            .where(Round.id == round_id, Round.closes_at <= at, Round.processed_at.is_(None))
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        if kept is None:
            return False
        groups = session.scalars(
            select(GroupOrder)
            .where(GroupOrder.round_id == kept.id, GroupOrder.state == GroupOrderState.OPEN)
            .order_by(GroupOrder.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        for group in groups:
            _close(session, group, at)
        _end_offers(session, kept, at)
        _notify(session, kept, at)
        kept.processed_at = at
    return True


def _locked(session: Session, group_order_id: int) -> GroupOrder:
    return found(
        session.scalar(
            select(GroupOrder)
            .where(GroupOrder.id == group_order_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def _needs(session: Session, group_order_id: int) -> list[Order]:
    return list(
        session.scalars(
            select(Order)
            .where(Order.group_order_id == group_order_id, Order.state == OrderState.REGISTERED)
            .order_by(Order.id)
            .with_for_update()
        )
    )


def _close(session: Session, group: GroupOrder, at: datetime) -> None:
    """Freeze the needs of an open, locked group order and let its money fall due."""
    orders = _needs(session, group.id)
    group.closed_at = at
    if not orders:
        group.state = GroupOrderState.CANCELLED
        return
    group.state = GroupOrderState.CLOSED
    group.pay_by = at + timedelta(hours=group.round.pay_within_h)
    if group.pay_mode is PayMode.MEMBERS:
        for order in orders:
            order.expires_at = group.pay_by
            move(order, OrderState.DUE, "closed")
            make_payment({order.id: order.total_fen}, PaymentMethod.STRIPE, None, group.pay_by)
        return
    for order in orders:
        move(order, OrderState.CONFIRMED, "closed")
    # No expiry: the unit owes it until its transfer arrives, and only people give it up.
    payment = make_payment(
        {order.id: order.total_fen for order in orders},
        PaymentMethod.TRANSFER,
        group.unit_id,
        None,
    )
    books.unit_owes(payment)


def _end_offers(session: Session, kept: Round, at: datetime) -> None:
    """Withdraw the round's offers: what was bought just before the hour is counted."""
    ids = session.scalars(select(RoundOffer.offer_id).where(RoundOffer.round_id == kept.id)).all()
    withdraw_offers(ids, at)


def _notify(session: Session, kept: Round, at: datetime) -> None:
    """Make each leg's harvest notice: per lot, what members and single buyers ordered."""
    session.flush()
    rows = session.execute(
        select(
            OrderLine.seller_id,
            OrderLine.lot_id,
            func.sum(OrderLine.quantity - OrderLine.released).label("units"),
        )
        .join(Order, Order.id == OrderLine.order_id)
        .join(RoundOffer, RoundOffer.offer_id == OrderLine.offer_id)
        .where(RoundOffer.round_id == kept.id, Order.state.in_(COUNTED))
        .group_by(OrderLine.seller_id, OrderLine.lot_id)
        .having(func.sum(OrderLine.quantity - OrderLine.released) > 0)
        .order_by(OrderLine.seller_id, OrderLine.lot_id)
    )
    by_seller: dict[int, list[NoticeItem]] = defaultdict(list)
    for row in rows:
        by_seller[row.seller_id].append(NoticeItem(lot_id=row.lot_id, quantity=int(row.units)))
    sellers = session.scalars(
        select(RoundLeg.seller_id).where(RoundLeg.round_id == kept.id).order_by(RoundLeg.seller_id)
    ).all()
    for seller_id in sellers:
        session.add(
            HarvestNotice(
                round_id=kept.id, seller_id=seller_id, made_at=at, items=by_seller[seller_id]
            )
        )
