"""Open Stripe's page for a payment, and ask Stripe how its sessions and refunds stand.

Each step reads or writes in a transaction of its own, and talks to Stripe between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from kernel import clock
from kernel.access import found
from kernel.db import db, end_read, transaction
from kernel.errors import Conflict
from orders.model import (
    GroupOrder,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Round,
)
from orders.payments import gateway
from orders.payments.captures import Captured, record_capture, record_expiry
from orders.payments.dues import lock_payment
from orders.payments.terms import (
    CLAIMS,
    DELIVERY,
    LONGEST_SESSION,
    REFUND_WINDOW,
    SHORTEST_SESSION,
    is_payable,
)

MARGIN = timedelta(minutes=2)
"""What is added to Stripe's shortest session, so that a repeat is still long enough."""
ITEMS_MOST = 100


def methods_for(back_until: datetime, paid_at: datetime) -> list[str]:
    """Return the ways to pay whose refunds are still possible at `back_until`.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 22, tzinfo=UTC)
    >>> methods_for(now + timedelta(days=100), now)
    ['card', 'wechat_pay']
    """
    wallets = [name for name, window in REFUND_WINDOW.items() if paid_at + window >= back_until]
    return ["card", *wallets]


def _back_until(lines: Sequence[OrderLine], handover: datetime | None, at: datetime) -> datetime:
    """Return until when any of these lines may have to be refunded."""
    latest = handover or at
    for line in lines:
        if line.harvest_to is not None:
            latest = max(latest, clock.start_of_day(line.harvest_to) + timedelta(days=1))
    return latest + DELIVERY + CLAIMS


def open_checkout(public_id: str, back_url: str) -> str:
    """Return the address of Stripe's page for a payment; `back_url` is where it leads back to.

    An open session is used again. Raises NotFound; Conflict: already_paid, payment_over,
    not_online, amount_too_small; StripeBusy when Stripe does not answer, after which the
    same call may be repeated.
    """
    open_before = _check_open(public_id)
    if open_before is not None:
        known = _look(open_before)
        if known.status == "open" and known.url and known.amount_fen == _due_fen(public_id):
            return known.url
        settle_session(public_id, known)
        _check_open(public_id)
    asked = _next_try(public_id, back_url, open_before)
    if asked is None:
        return open_checkout(public_id, back_url)
    try:
        made = gateway.open_session(asked)
    except gateway.StripeRefused as refusal:
        _forget_try(public_id, asked.attempt)
        raise gateway.StripeBusy() from refusal
    _keep_session(public_id, asked.attempt, made)
    if made.url is None:
        raise gateway.StripeBusy()
    return made.url


def _payment(public_id: str) -> Payment:
    return found(db.session.scalar(select(Payment).where(Payment.public_id == public_id)))


def _due_fen(public_id: str) -> int:
    fen = _payment(public_id).amount_fen
    end_read()
    return fen


def _check_open(public_id: str) -> str | None:
    """Return the session that may still be open; raise Conflict when nothing is to be paid."""
    payment = _payment(public_id)
    state, method, amount_fen = payment.state, payment.method, payment.amount_fen
    session_id = payment.session_id if payment.session_url else None
    end_read()
    if state is PaymentState.CAPTURED:
        raise Conflict(_l("这一笔已经付过了，不用再付。"), code="already_paid")
    if state is not PaymentState.DUE:
        raise Conflict(
            _l("这一笔过了付款时间，货已经放回去了。重新下一单就好。"), code="payment_over"
        )
    if method is not PaymentMethod.STRIPE:
        raise Conflict(_l("这一笔不是在线付的。看看订单里写的付款办法。"), code="not_online")
    if not is_payable(amount_fen, method):
        raise Conflict(
            _l("剩下的不到 ¥4.00，不能在线付。回到订单，改用转账付。"), code="amount_too_small"
        )
    return session_id


def _next_try(public_id: str, back_url: str, seen: str | None) -> gateway.Asked | None:
    """Settle what the next session is asked for with, so that repeating it asks for the same.

    None when another one than `seen` was opened meanwhile: two open ones could both be paid.
    """
    at = clock.now()
    with transaction() as session:
        payment = lock_payment(session, _payment(public_id).id)
        if payment.session_url is not None and payment.session_id != seen:
            return None
        until = payment.session_until
        unanswered = payment.session_id is None and payment.session_try > 0
        if not unanswered or until is None or until < at + SHORTEST_SESSION:
            payment.session_try += 1
            payment.session_id = payment.session_url = None
            hold = min(payment.expires_at or at, at + LONGEST_SESSION)
            until = payment.session_until = max(hold, at + SHORTEST_SESSION + MARGIN)
        orders, handover = _orders_of(payment.id)
        lines = [line for order in orders for line in order.lines]
        return gateway.Asked(
            payment_id=public_id,
            attempt=payment.session_try,
            items=_items(payment, orders, lines),
            # A wallet's window begins when it is paid, at the earliest as soon as it is asked for.
            methods=methods_for(_back_until(lines, handover, until), until - LONGEST_SESSION),
            until=until,
            success_url=back_url,
            cancel_url=back_url,
        )


def _orders_of(payment_id: int) -> tuple[list[Order], datetime | None]:
    """Return the orders of a payment, and when the latest of their rounds hands over."""
    orders = list(
        db.session.scalars(
            select(Order)
            .join(PaymentShare, PaymentShare.order_id == Order.id)
            .where(PaymentShare.payment_id == payment_id)
            .options(selectinload(Order.lines))
            .order_by(Order.id)
        )
    )
    groups = [order.group_order_id for order in orders if order.group_order_id is not None]
    days = db.session.scalars(
        select(Round.handover_on).join(GroupOrder).where(GroupOrder.id.in_(groups))
    ).all()
    return orders, clock.start_of_day(max(days)) if days else None


def _items(
    payment: Payment, orders: Sequence[Order], lines: Sequence[OrderLine]
) -> list[gateway.Item]:
    items = [gateway.Item(line.name_zh, line.price_fen, line.quantity) for line in lines]
    total = sum(item.amount_fen * item.units for item in items)
    if total == payment.amount_fen and len(items) <= ITEMS_MOST:
        return items
    return [gateway.Item(" ".join(order.number for order in orders)[:200], payment.amount_fen)]


def _forget_try(public_id: str, attempt: int) -> None:
    """Let the next call begin a new try, because Stripe refused this one for good."""
    with transaction() as session:
        payment = lock_payment(session, _payment(public_id).id)
        if payment.session_try == attempt and payment.session_id is None:
            payment.session_until = None


def _keep_session(public_id: str, attempt: int, made: gateway.Session) -> None:
    # Kept even when the payment ended meanwhile: then the next look at Stripe ends the session.
    with transaction() as session:
        payment = lock_payment(session, _payment(public_id).id)
        if payment.session_try == attempt:
            payment.session_id, payment.session_url = made.id, made.url
            payment.asked_at = clock.now() if payment.state is PaymentState.DUE else None


def settle_session(public_id: str, known: gateway.Session) -> None:
    """Record what Stripe says of a session, and end one that nobody should pay any more."""
    if known.paid and known.intent_id is not None:
        captured = Captured(known.amount_fen, clock.now(), known.intent_id, known.id)
        record_capture(public_id, captured)
        return
    if known.status == "expired":
        record_expiry(public_id, known.id)
        return
    payment = _payment(public_id)
    wanted = payment.state is PaymentState.DUE and payment.amount_fen == known.amount_fen
    end_read()
    if known.status == "open" and not wanted:
        try:
            gateway.expire_session(known.id)
        except gateway.StripeRefused as refusal:
            # It was paid or ended this very moment: the next look says which.
            raise gateway.StripeBusy() from refusal
        record_expiry(public_id, known.id)


def ask(public_id: str) -> None:
    """Ask Stripe once how a payment's session stands, and record it. Raises StripeBusy."""
    payment = _payment(public_id)
    session_id = payment.session_id if payment.session_url else None
    end_read()
    if session_id is not None:
        settle_session(public_id, _look(session_id))


def _look(session_id: str) -> gateway.Session:
    """Return how a session stands; one that Stripe does not know cannot be paid any more."""
    try:
        return gateway.session(session_id)
    except gateway.StripeRefused as refusal:
        if refusal.code != "resource_missing":
            raise gateway.StripeBusy() from refusal
        return gateway.Session(session_id, "expired", False, None, 0, None)
