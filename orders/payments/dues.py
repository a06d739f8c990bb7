"""What is due: payments and their shares, until money comes in.

Whoever changes an order and its payment locks the order first, then the payment, then stock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from kernel import clock
from kernel.db import transaction
from kernel.money import Money
from orders import books
from orders.model import (
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
)
from orders.payments.terms import HOLD, is_payable
from orders.placing import transfer_code


def make_payment(
    shares: Mapping[int, int],
    method: PaymentMethod,
    unit_id: int | None,
    expires_at: datetime | None,
) -> Payment:
    """Make one payment for several orders (order id → fen) and return it, flushed.

    With a `unit_id` it is what that buying unit owes; posting it to the ledger is the
    caller's. `expires_at` None: it is waited for until people give it up. Less than Stripe takes
    is to come by transfer, whatever `method` says. Raises ValueError unless there is a share and
    none is negative.
    """
    if not shares or min(shares.values()) < 0:
        raise ValueError("a payment has shares, none of them negative")
    with transaction() as session:
        payment = Payment(
            method=method,
            amount_fen=sum(shares.values()),
            unit_id=unit_id,
            expires_at=expires_at,
            transfer_code=transfer_code() if method is PaymentMethod.TRANSFER else None,
            shares=[
                PaymentShare(order_id=order_id, amount_fen=fen) for order_id, fen in shares.items()
            ],
        )
        session.add(payment)
        session.flush()
        if not is_payable(payment.amount_fen, method):
            _by_transfer(payment)
            session.flush()
    return payment


def lock_payment(session: Session, payment_id: int) -> Payment:
    """Lock a payment until the transaction ends, and read it and its shares anew."""
    return session.scalars(
        select(Payment)
        .where(Payment.id == payment_id)
        .options(selectinload(Payment.shares))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def lock_payments(session: Session, order_ids: Collection[int]) -> None:
    """Lock every payment of these orders by id, whose orders the caller has locked.

    Who changes several calls this first: two whose orders share payments of units would else
    wait for each other in a circle.
    """
    theirs = select(PaymentShare.payment_id).where(PaymentShare.order_id.in_(order_ids))
    query = select(Payment.id).where(Payment.id.in_(theirs)).order_by(Payment.id)
    session.scalars(query.with_for_update()).all()


def lock_live_payment(session: Session, order_id: int) -> Payment | None:
    """Lock the payment that is captured or due for an order, None when there is none.

    The order is locked by the caller.
    """
    payment_id = session.scalar(
        select(Payment.id)
        .join(PaymentShare)
        .where(
            PaymentShare.order_id == order_id,
            Payment.state.in_((PaymentState.CAPTURED, PaymentState.DUE)),
        )
        .order_by(Payment.id.desc())
        .limit(1)
    )
    return None if payment_id is None else lock_payment(session, payment_id)


def give_up(order: Order, state: PaymentState) -> None:
    """Wait no longer for the money of `order`: its payment becomes `state` (expired or void).

    A payment that also covers other orders only shrinks.
    """
    with transaction() as session:
        payment = lock_live_payment(session, order.id)
        if payment is None or payment.state is not PaymentState.DUE:
            return
        [own] = [share for share in payment.shares if share.order_id == order.id]
        _shrink(session, payment, own, Money(own.amount_fen), state)


def cut(payment: Payment, line: OrderLine, units: int, amount: Money, cause: str) -> None:
    """Take `amount` for `units` of `line` off a payment that is locked and still due."""
    with transaction() as session:
        [share] = [one for one in payment.shares if one.order_id == line.order_id]
        session.add(
            Refund(
                payment_id=payment.id,
                order_id=line.order_id,
                line_id=line.id,
                cause=cause,
                units=units,
                amount_fen=amount.fen,
                state=RefundState.CUT,
                settled_at=clock.now(),
            )
        )
        if payment.unit_id is not None:
            books.unit_owes_less(payment, amount, f"{cause}:{line.id}")
        _shrink(session, payment, share, amount, PaymentState.VOID)


def _shrink(
    session: Session, payment: Payment, share: PaymentShare, amount: Money, when_empty: PaymentState
) -> None:
    """Take `amount` off a share; a payment of which nothing is left ends as `when_empty`.

    An ended payment keeps its last amounts: shares always sum to the payment.
    """
    # Its open session asks for another amount now: the next look at Stripe ends it.
    payment.asked_at = None
    if payment.amount_fen <= amount.fen:
        payment.state = when_empty
    else:
        payment.amount_fen -= amount.fen
        share.amount_fen -= amount.fen
        if not is_payable(payment.amount_fen, payment.method):
            _by_transfer(payment)
    session.flush()


def _by_transfer(payment: Payment) -> None:
    """Let so little be paid by transfer, with the time that one takes: Stripe takes no less."""
    payment.method, payment.transfer_code = PaymentMethod.TRANSFER, transfer_code()
    until = clock.now() + HOLD[PaymentMethod.TRANSFER]
    if payment.expires_at is not None and payment.expires_at < until:
        payment.expires_at = until
        for share in payment.shares:
            share.order.expires_at = until
