"""Money back: owed once, sent by the way it came, or repaid as a debt by transfer."""

from __future__ import annotations

import logging
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kernel import audit, clock, logs
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid
from kernel.ledger import AccountKind
from kernel.money import Money
from kernel.text import plain
from orders import books
from orders.model import (
    AGAIN,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
)
from orders.payments.dues import cut, lock_live_payment
from orders.payments.terms import REFUND_WINDOW

log = logging.getLogger(__name__)

LONGEST_REFERENCE = 34
"""Characters of a bank's number that fit into a refund's cause."""
BY_TRANSFER = "by_transfer"
LOST = "lost"
"""Why a refund is a debt that the provider does not know any more. What it says later counts."""


def cause_again(which: str) -> str:
    """Return the cause that names what came once more: Stripe's intent, or the bank's number."""
    return AGAIN + which[-LONGEST_REFERENCE:]


def refund_line(line: OrderLine, units: int, amount: Money, cause: str) -> Refund | None:
    """Give `amount` back for `units` of a line, once per `cause`, in the caller's transaction.

    What was not paid yet is reduced instead, and None returned; likewise when nothing was
    ever due. The caller has locked the order. Raises Conflict (refund_too_large) when more
    would go back than the line took.
    """
    if amount.fen <= 0:
        return None
    with transaction() as session:
        payment = lock_live_payment(session, line.order_id)
        known = session.scalar(
            select(Refund).where(Refund.line_id == line.id, Refund.cause == cause)
        )
        if known is not None:
            return None if known.state is RefundState.CUT else known
        if payment is None or _went_back_whole(payment, line.order):
            return None
        before = session.scalar(
            select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(Refund.line_id == line.id)
        )
        if int(before or 0) + amount.fen > line.amount_fen:
            raise Conflict(
                _l("退的比这一行付的还多。看看已经退过多少，再填。"), code="refund_too_large"
            )
        if payment.state is PaymentState.DUE:
            cut(payment, line, units, amount, cause)
            return None
        failure = _why_no_way_back(payment, clock.now())
        return _owe(
            session, payment, line.order_id, amount, cause, failure=failure, line=line, units=units
        )


def _went_back_whole(payment: Payment, order: Order) -> bool:
    """Tell whether what came paid for nothing: too little for a due order, which then lapses."""
    captured = payment.state is PaymentState.CAPTURED
    return (
        captured and order.state is OrderState.DUE and payment.refunded_fen == payment.captured_fen
    )


def refund_unsold(payment: Payment, order_id: int, amount: Money, cause: str) -> Refund:
    """Owe back money that paid for no goods: it came too late, or was not what was due.

    The caller has locked the payment.
    """
    failure = _why_no_way_back(payment, clock.now())
    with transaction() as session:
        return _owe(session, payment, order_id, amount, cause, failure=failure)


def refund_again(
    payment: Payment, order_id: int, amount: Money, which: str, method: PaymentMethod
) -> Refund:
    """Owe back what came once more for a paid payment, by the way that it came.

    `which` is Stripe's payment intent, to which it goes back, or the bank's number of the
    transfer; that is a debt. The caller has locked the payment.
    """
    intent_id = which if method is PaymentMethod.STRIPE else None
    failure = None if intent_id is not None else BY_TRANSFER
    with transaction() as session:
        return _owe(
            session,
            payment,
            order_id,
            amount,
            cause_again(which),
            failure=failure,
            intent_id=intent_id,
        )


def _owe(
    session: Session,
    payment: Payment,
    order_id: int,
    amount: Money,
    cause: str,
    *,
    failure: str | None,
    line: OrderLine | None = None,
    units: int = 0,
    intent_id: str | None = None,
) -> Refund:
    """Write what is owed; `failure` says why it cannot go back by itself, None when it can."""
    if payment.refunded_fen + amount.fen > payment.captured_fen:
        raise Conflict(_l("退的比付的还多。看看已经退过多少，再填。"), code="refund_too_large")
    refund = Refund(
        payment_id=payment.id,
        order_id=order_id,
        line_id=line.id if line else None,
        cause=cause,
        units=units,
        amount_fen=amount.fen,
        state=RefundState.PENDING if failure is None else RefundState.DEBT,
        failure=failure or "",
        intent_id=intent_id,
    )
    payment.refunded_fen += amount.fen
    session.add(refund)
    session.add(OrderEvent(order_id=order_id, kind="refund_owed", facts=str(amount)))
    session.flush()
    books.refund_owed(refund)
    return refund


def _why_no_way_back(payment: Payment, at: datetime) -> str | None:
    """Say why money cannot go back by itself (a code); None when it can."""
    if payment.method is not PaymentMethod.STRIPE:
        return BY_TRANSFER
    window = REFUND_WINDOW.get(payment.wallet)
    if window is not None and payment.captured_at is not None and at > payment.captured_at + window:
        return "window_over"
    return None


def _locked(session: Session, public_id: str) -> Refund:
    return found(
        session.scalar(
            select(Refund)
            .where(Refund.public_id == public_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def record_sent(public_id: str, provider_id: str) -> None:
    """Remember which refund of the provider's stands for ours. Raises NotFound."""
    with transaction() as session:
        _locked(session, public_id).provider_id = provider_id


def record_succeeded(public_id: str, provider_id: str) -> None:
    """The provider gave the money back. Repeats, and news older than a failure, change nothing.

    What had been lost, and was repaid by transfer meanwhile, has gone out twice.
    """
    with transaction() as session:
        refund = _locked(session, public_id)
        if refund.state is RefundState.REPAID and refund.failure == LOST:
            _went_twice(refund, provider_id)
            return
        if refund.state is not RefundState.PENDING and not _is_lost(refund):
            return
        refund.state, refund.failure = RefundState.SUCCEEDED, ""
        refund.provider_id = provider_id
        refund.settled_at = clock.now()
        books.refund_paid(refund, PaymentMethod.STRIPE)
        session.add(OrderEvent(order_id=refund.order_id, kind="refunded", facts=_amount(refund)))


def _went_twice(refund: Refund, provider_id: str) -> None:
    refund.state, refund.failure = RefundState.TWICE, ""
    refund.provider_id = provider_id
    books.refund_twice(refund)
    logs.say(log, logging.WARNING, "refunded_twice", subject=f"refund:{refund.public_id}")


def record_failed(public_id: str, provider_id: str | None, why: str) -> None:
    """The money could not go back, or came back to us: from now on it is a debt to the buyer."""
    with transaction() as session:
        refund = _locked(session, public_id)
        if refund.state is RefundState.TWICE:
            refund.state, refund.failure = RefundState.REPAID, why[:120]
            books.refund_once(refund, AccountKind.PROVIDER_CLEARING)
            return
        if refund.state is RefundState.REPAID and refund.failure == LOST:
            # It is known again, and went out by transfer alone: older news counts no more.
            refund.failure = why[:120]
            return
        open_ = (RefundState.PENDING, RefundState.SUCCEEDED)
        if refund.state not in open_ and not _is_lost(refund):
            return
        if refund.state is RefundState.SUCCEEDED:
            books.refund_bounced(refund)
        refund.state = RefundState.DEBT
        refund.provider_id = provider_id or refund.provider_id
        refund.failure = why[:120]
        refund.settled_at = None
        session.add(
            OrderEvent(order_id=refund.order_id, kind="refund_failed", facts=_amount(refund))
        )


def _is_lost(refund: Refund) -> bool:
    return refund.state is RefundState.DEBT and refund.failure == LOST


def repay_debt(public_id: str, account_id: int, reference: str) -> Refund:
    """Record that a debt was paid to the buyer by transfer, once; `reference` is the bank's.

    A repeat with the same reference changes nothing. Raises Invalid without a reference,
    NotFound, and Conflict (not_a_debt) for a refund that is on its way or was paid already.
    """
    number = _bank_number(reference)
    with transaction() as session:
        refund = _locked(session, public_id)
        if refund.state is RefundState.REPAID and refund.reference == number:
            return refund
        if refund.state is not RefundState.DEBT:
            raise Conflict(_l("这一笔不用转账退：已经退了，或者正在退。"), code="not_a_debt")
        refund.state = RefundState.REPAID
        refund.settled_at = clock.now()
        # With a reference, a first transfer was sent back: it had gone out twice.
        books.debt_repaid(refund, "again" if refund.reference else "")
        refund.reference = number
        audit.note(Act.DEBT_REPAID, f"refund:{public_id}", account_id=account_id, reason=number)
        session.add(OrderEvent(order_id=refund.order_id, kind="refunded", facts=_amount(refund)))
    return refund


def take_back(public_id: str, account_id: int, reference: str) -> Refund:
    """Record that the buyer sent back, by transfer, what it was given twice.

    `reference` is the bank's. From then on the provider gave it back, once; a repeat changes
    nothing. Raises Invalid without a reference, NotFound, and Conflict (not_given_twice).
    """
    number = _bank_number(reference)
    with transaction() as session:
        refund = _locked(session, public_id)
        if refund.state is RefundState.SUCCEEDED and refund.reference == number:
            return refund
        if refund.state is not RefundState.TWICE:
            raise Conflict(_l("这一笔没有退两次，不用收回。"), code="not_given_twice")
        refund.state = RefundState.SUCCEEDED
        refund.reference = number
        books.refund_once(refund, AccountKind.TRANSFER_CLEARING)
        audit.note(Act.TAKEN_BACK, f"refund:{public_id}", account_id=account_id, reason=number)
    return refund


def _bank_number(typed: str) -> str:
    number = plain(typed)[:80]
    if not number:
        raise Invalid(fields={"reference": _l("填银行回单上的流水号。")})
    return number


def _amount(refund: Refund) -> str:
    return str(Money(refund.amount_fen))
