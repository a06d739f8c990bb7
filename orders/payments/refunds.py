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
from kernel.db import public_code, transaction
from kernel.errors import Conflict, Invalid
from kernel.ledger import AccountKind
from kernel.money import Money
from kernel.text import plain
from orders import books
from orders.model import (
    AGAIN,
    OUTSIDE,
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
LONGEST_OUTSIDE = 32
"""Characters of the provider's name of a refund that fit there."""
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
        room = payment.captured_fen - payment.refunded_fen
        taken = _take_from_outside(session, payment, line, amount.fen - room)
        if taken and sum(one.amount_fen for one in taken) == amount.fen:
            taken[0].cause, taken[0].units = cause, units
            return taken[0]
        amount -= Money(sum(one.amount_fen for one in taken))
        failure = _why_no_way_back(payment, clock.now())
        return _owe(
            session, payment, line.order_id, amount, cause, failure=failure, line=line, units=units
        )


def _take_from_outside(
    session: Session, payment: Payment, line: OrderLine, missing_fen: int
) -> list[Refund]:
    """Let what went back in the provider's own pages be for `line`, up to `missing_fen`.

    So much of what the line has to get cannot go back any more: the buyer has it already.
    """
    taken: list[Refund] = []
    if missing_fen <= 0:
        return taken
    query = (
        select(Refund)
        .where(
            Refund.payment_id == payment.id,
            Refund.line_id.is_(None),
            Refund.cause.startswith(OUTSIDE),
        )
        .order_by(Refund.id)
    )
    for one in session.scalars(query.with_for_update()).all():
        if missing_fen > 0:
            part = split(session, one, min(missing_fen, one.amount_fen))
            part.line_id, part.order_id = line.id, line.order_id
            missing_fen -= part.amount_fen
            taken.append(part)
    session.flush()
    return taken


def split(session: Session, refund: Refund, amount_fen: int) -> Refund:
    """Return a refund of `amount_fen` that is a part of `refund`, or all of it.

    The caller has locked the order; what became of the money is the same for both parts.
    """
    if amount_fen == refund.amount_fen:
        return refund
    part = Refund(
        public_id=public_code(),
        payment_id=refund.payment_id,
        order_id=refund.order_id,
        line_id=refund.line_id,
        amount_fen=amount_fen,
        state=refund.state,
        provider_id=refund.provider_id,
        dispute_id=refund.dispute_id,
        intent_id=refund.intent_id,
        failure=refund.failure,
        reference=refund.reference,
        settled_at=refund.settled_at,
    )
    part.cause = f"{refund.cause.partition(':')[0]}:{part.public_id}"
    refund.amount_fen -= amount_fen
    session.add(part)
    session.flush()
    books.refund_split(refund, part)
    return part


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


def owe_outside(
    session: Session, payment: Payment, order_id: int, amount: Money, provider_id: str, intent: str
) -> Refund:
    """Write what somebody gives back in the provider's own pages; the caller locked the payment."""
    return _owe(
        session,
        payment,
        order_id,
        amount,
        OUTSIDE + provider_id[-LONGEST_OUTSIDE:],
        failure=None,
        intent_id=None if intent == payment.intent_id else intent,
        provider_id=provider_id,
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
    provider_id: str | None = None,
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
        provider_id=provider_id,
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
    # Its order first, as everywhere: its events are written, and whoever has it may split this.
    its_order = select(Refund.order_id).where(Refund.public_id == public_id)
    kept = select(Order.id).where(Order.id == its_order.scalar_subquery())
    session.execute(kept.with_for_update(read=True, key_share=True))
    return found(
        session.scalar(
            select(Refund)
            .where(Refund.public_id == public_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def _stands_for(provider_id: str | None, refund: Refund) -> bool:
    """Tell whether news of a refund of the provider's are about ours.

    They are not where somebody has made another one for it in the provider's own pages.
    """
    return (
        refund.failure == LOST
        or None in (provider_id, refund.provider_id)
        or (refund.provider_id == provider_id)
    )


def record_sent(public_id: str, provider_id: str) -> None:
    """Remember which refund of the provider's stands for ours. Raises NotFound."""
    with transaction() as session:
        refund = _locked(session, public_id)
        if _stands_for(provider_id, refund):
            refund.provider_id = provider_id


def record_succeeded(public_id: str, provider_id: str, *, now: bool = False) -> bool:
    """The provider gave the money back. Repeats change nothing.

    Returns False where it is known to have failed, and nothing is recorded: such news may be
    older than the failure. With `now` it is how things stand after it. What was repaid by
    transfer meanwhile has gone out twice.
    """
    with transaction() as session:
        refund = _locked(session, public_id)
        gone = (RefundState.SUCCEEDED, RefundState.TWICE, RefundState.CUT)
        if refund.state in gone or not _stands_for(provider_id, refund):
            return True
        if refund.state is not RefundState.PENDING and refund.failure != LOST and not now:
            return False
        refund.provider_id = provider_id
        refund.failure = ""
        if refund.state is RefundState.REPAID:
            _went_twice(refund)
            return True
        refund.state = RefundState.SUCCEEDED
        refund.settled_at = clock.now()
        books.refund_paid(refund)
        session.add(OrderEvent(order_id=refund.order_id, kind="refunded", facts=_amount(refund)))
    return True


def _went_twice(refund: Refund) -> None:
    refund.state = RefundState.TWICE
    books.refund_twice(refund)
    logs.say(log, logging.WARNING, "refunded_twice", subject=f"refund:{refund.public_id}")


def record_failed(public_id: str, provider_id: str | None, why: str, *, now: bool = False) -> bool:
    """The money could not go back, or came back to us: from now on it is a debt to the buyer.

    Returns False where it is known to have gone, and nothing is recorded: such news may be
    older. With `now` it is how things stand after that.
    """
    with transaction() as session:
        refund = _locked(session, public_id)
        if not _stands_for(provider_id, refund):
            return True
        if refund.state in (RefundState.SUCCEEDED, RefundState.TWICE) and not now:
            return False
        lost = refund.failure == LOST
        if refund.state is RefundState.TWICE:
            refund.state, refund.failure = RefundState.REPAID, why[:120]
            books.refund_once(refund)
        elif refund.state is RefundState.REPAID and lost:
            # It is known again, and went out by transfer alone: older news counts no more.
            refund.failure = why[:120]
        elif refund.state in (RefundState.PENDING, RefundState.SUCCEEDED) or (
            refund.state is RefundState.DEBT and lost
        ):
            _owe_again(session, refund, provider_id, why)
    return True


def _owe_again(session: Session, refund: Refund, provider_id: str | None, why: str) -> None:
    if refund.state is RefundState.SUCCEEDED:
        books.refund_bounced(refund)
    refund.state = RefundState.DEBT
    refund.provider_id = provider_id or refund.provider_id
    refund.failure = why[:120]
    refund.settled_at = None
    session.add(OrderEvent(order_id=refund.order_id, kind="refund_failed", facts=_amount(refund)))


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
        books.debt_repaid(refund)
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
