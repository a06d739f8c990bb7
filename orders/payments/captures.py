"""Money that came in: recorded once, whoever tells us of it and in whatever order."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel import audit, clock, files, logs
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid
from kernel.money import Money
from kernel.text import plain
from orders import books
from orders.lifecycle import honour_late, lock_order, move
from orders.model import (
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Refund,
)
from orders.payments.dues import lock_payment
from orders.payments.refunds import LONGEST_REFERENCE, cause_again, refund_again, refund_unsold

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Captured:
    """What came in: whole fen, when, and Stripe's payment intent (None for other methods).

    `session_id` is the page on which it was paid, None where the news do not say.
    """

    amount_fen: int
    at: datetime
    intent_id: str | None = None
    session_id: str | None = None


def record_capture(public_id: str, captured: Captured) -> Payment:
    """Record, once, that the payment `public_id` was paid, and confirm its orders.

    A lapsed order is honoured if stock still allows; otherwise, as for a cancelled order,
    and for whatever came beyond what was due, the money is owed back. Less than was due
    pays for nothing and is owed back whole; so is another capture of what was paid already.
    Raises NotFound.
    """
    with transaction() as session:
        payment, orders = lock_with_orders(session, public_id)
        if payment.state is not PaymentState.CAPTURED:
            _capture(session, payment, orders, captured)
        elif captured.intent_id not in (None, payment.intent_id):
            _capture_again(session, payment, min(orders), captured)
        if captured.session_id is not None and captured.session_id == payment.session_id:
            payment.session_url = None
    return payment


def lock_with_orders(session: Session, public_id: str) -> tuple[Payment, dict[int, Order]]:
    """Lock a payment's orders by id, then the payment. Raises NotFound."""
    payment_id = found(session.scalar(select(Payment.id).where(Payment.public_id == public_id)))
    ids = session.scalars(
        select(PaymentShare.order_id)
        .where(PaymentShare.payment_id == payment_id)
        .order_by(PaymentShare.order_id)
    ).all()
    orders = {order_id: lock_order(session, order_id) for order_id in ids}
    return lock_payment(session, payment_id), orders


def _capture(
    session: Session, payment: Payment, orders: dict[int, Order], captured: Captured
) -> None:
    if captured.intent_id is not None:
        payment.method = PaymentMethod.STRIPE  # its page was still open when it became a transfer
    is_receivable = payment.unit_id is not None and payment.state is PaymentState.DUE
    payment.state = PaymentState.CAPTURED
    payment.captured_fen = captured.amount_fen
    payment.captured_at = captured.at
    payment.intent_id = captured.intent_id
    # Its charge is asked about, and its page, which may still be open and has to be ended.
    payment.asked_at = None
    session.flush()
    if is_receivable:
        books.unit_paid(payment)
    else:
        books.captured(payment)
    first = min(orders)
    beyond = captured.amount_fen - payment.amount_fen
    if beyond < 0:
        refund_unsold(payment, first, Money(captured.amount_fen), "underpaid")
        return
    for share in sorted(payment.shares, key=lambda one: one.order_id):
        if share.amount_fen and not _confirm(orders[share.order_id], captured.at):
            refund_unsold(payment, share.order_id, Money(share.amount_fen), "late")
    if beyond:
        refund_unsold(payment, first, Money(beyond), "overpaid")


def _capture_again(session: Session, payment: Payment, order_id: int, captured: Captured) -> None:
    """Owe back a second capture of a paid payment, whole and once: two of its pages were paid."""
    known = select(Refund.id).where(Refund.intent_id == captured.intent_id)
    if session.scalar(known) is not None:
        return
    # Two of its pages were paid; the second goes back.
    logs.say(log, logging.WARNING, "captured_twice", subject=f"payment:{payment.public_id}")
    _owe_again(
        payment, order_id, captured.amount_fen, captured.intent_id or "", PaymentMethod.STRIPE
    )


def _owe_again(
    payment: Payment, order_id: int, amount_fen: int, which: str, method: PaymentMethod
) -> Refund:
    payment.captured_fen += amount_fen
    refund = refund_again(payment, order_id, Money(amount_fen), which, method)
    books.captured_again(payment, refund, method)
    return refund


def _confirm(order: Order, at: datetime) -> bool:
    """Confirm an order that is paid now; False when its money has to go back."""
    if order.state is OrderState.DUE:
        move(order, OrderState.CONFIRMED, "paid")
    elif order.state is OrderState.LAPSED:
        if not honour_late(order):
            return False
    elif order.state is OrderState.CANCELLED:
        return False
    order.paid_at = at
    return True


def record_expiry(public_id: str, session_id: str) -> None:
    """A Checkout Session ended unpaid. Its payment stays due while its orders wait for it."""
    with transaction() as session:
        payment = _lock_alone(session, public_id)
        if payment.session_id == session_id:
            payment.session_url = None


def _lock_alone(session: Session, public_id: str) -> Payment:
    payment_id = found(session.scalar(select(Payment.id).where(Payment.public_id == public_id)))
    return lock_payment(session, payment_id)


def submit_proof(public_id: str, data: bytes, name: str, *, account_id: int | None) -> Payment:
    """Keep the proof of a transfer, for staff to hold against the bank statement.

    Raises NotFound, Conflict (not_waiting) when no transfer is waited for, and Invalid for
    a file that cannot be read.
    """
    with transaction() as session:
        payment = _lock_alone(session, public_id)
        if payment.method is not PaymentMethod.TRANSFER or payment.state is not PaymentState.DUE:
            raise Conflict(_l("这一笔现在不等转账。看看订单走到了哪。"), code="not_waiting")
        stored = files.store(data, name, organisation_id=payment.unit_id, account_id=account_id)
        payment.proof_id, payment.proof_at = stored.id, clock.now()
    return payment


def check_received(payment: Payment, received_fen: int) -> None:
    """Raise Conflict (amount_differs) unless what arrived is what is due."""
    if received_fen != payment.amount_fen:
        raise Conflict(
            _l("到账金额和应付的不一样。先和付款单位核对，多付少付都退回重转。"),
            code="amount_differs",
            due_fen=payment.amount_fen,
        )


def confirm_transfer(public_id: str, account_id: int, received_fen: int | None = None) -> Payment:
    """Staff found the transfer on the bank statement: record it, once.

    `received_fen` is what the statement says (None: what is due). Raises NotFound, and
    Conflict: not_a_transfer, or amount_differs when it is not what is due.
    """
    with transaction() as session:
        payment, orders = lock_with_orders(session, public_id)
        if payment.method is not PaymentMethod.TRANSFER:
            raise Conflict(_l("这一笔不是转账付的，不用确认。"), code="not_a_transfer")
        if payment.state is PaymentState.CAPTURED:
            return payment
        amount = payment.amount_fen if received_fen is None else received_fen
        check_received(payment, amount)
        payment.confirmed_by = account_id
        _capture(session, payment, orders, Captured(amount, clock.now()))
        audit.note(Act.TRANSFER_CONFIRMED, f"payment:{public_id}", account_id=account_id)
    return payment


def record_transfer_again(
    public_id: str, account_id: int, *, received_fen: int, reference: str
) -> Refund:
    """Staff found one more transfer for what was paid already: owe it back, whole and once.

    `reference` is the bank's number of that transfer; a repeat with the same changes nothing.
    Raises NotFound for a payment without a transfer's code, Invalid (reference_invalid), and
    Conflict: not_paid_yet, or amount_differs for a number that stands for another amount.
    """
    which = plain(reference)
    if not 3 <= len(which) <= LONGEST_REFERENCE or not which.isprintable():
        words = _l("写上银行的转账流水号，3 到 %(n)d 个字符。", n=LONGEST_REFERENCE)
        raise Invalid(words, code="reference_invalid", fields={"reference": words})
    with transaction() as session:
        payment, orders = lock_with_orders(session, public_id)
        found(payment.transfer_code)
        if payment.state is not PaymentState.CAPTURED:
            raise Conflict(_l("这一笔还没有记过到账。先确认到账。"), code="not_paid_yet")
        order_id = min(orders)
        known = session.scalar(
            select(Refund).where(Refund.order_id == order_id, Refund.cause == cause_again(which))
        )
        if known is not None:
            _check_same(known, received_fen)
            return known
        made = _owe_again(payment, order_id, received_fen, which, PaymentMethod.TRANSFER)
        subject = f"payment:{public_id}"
        audit.note(Act.TRANSFER_CAME_AGAIN, subject, account_id=account_id, reason=which)
    return made


def _check_same(known: Refund, received_fen: int) -> None:
    if known.amount_fen != received_fen:
        raise Conflict(
            _l(
                "这个流水号记过一笔，金额是 %(sum)s。核对流水号和金额。",
                sum=Money(known.amount_fen),
            ),
            code="amount_differs",
            recorded_fen=known.amount_fen,
        )


def record_cash(public_id: str) -> Payment:
    """Cash was taken at a counter for the payment: record it. Raises NotFound and Conflict."""
    with transaction() as session:
        payment, orders = lock_with_orders(session, public_id)
        if payment.method is not PaymentMethod.CASH:
            raise Conflict(_l("这一笔不是现金付的。"), code="not_cash")
        if payment.state is PaymentState.DUE:
            _capture(session, payment, orders, Captured(payment.amount_fen, clock.now()))
    return payment
