"""Money that Stripe gave back without our having asked: somebody did it in Stripe's own pages.

It is recorded once, as a refund of its payment. What we owed the buyer anyhow has then gone
back, where it is as much, or where nothing else is left of what was captured.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kernel import logs
from kernel.db import db, end_read, transaction
from kernel.errors import Conflict, NotFound
from kernel.money import Money
from orders.model import AGAIN, OUTSIDE, Payment, PaymentState, Refund, RefundState
from orders.payments import gateway
from orders.payments.captures import lock_with_orders
from orders.payments.refunds import LOST, owe_outside, split

log = logging.getLogger(__name__)

WENT = (RefundState.PENDING, RefundState.SUCCEEDED, RefundState.TWICE)


def known(provider_id: str) -> list[str]:
    """Return our refunds (public ids) for which one of Stripe's stands."""
    query = select(Refund.public_id).where(Refund.provider_id == provider_id).order_by(Refund.id)
    ids = list(db.session.scalars(query))
    end_read()
    return ids


def take_up(
    now: gateway.ProviderRefund, payment_id: str, dispute_id: int | None = None
) -> list[str]:
    """Write how one of Stripe's refunds stands now that is new to us; return ours (public ids).

    With a `dispute_id` it is no refund: a chargeback gave it back, and bears the dispute's name.

    How it stands is for the caller to record of each of them. Of one that has failed nothing is
    written where somebody gave as much once more, or nothing is left that could be owed. Raises
    NotFound for a payment that is not captured, and Conflict (refund_too_early) while refunds
    of ours that Stripe has not answered yet leave no room for it: one of them will be refused.
    """
    with transaction() as session:
        payment, orders = lock_with_orders(session, payment_id)
        if payment.state is not PaymentState.CAPTURED:
            raise NotFound()
        rows = _rows(session, payment, now.intent_id)
        if not any(one.provider_id == now.id for one in rows):
            logs.say(log, logging.WARNING, "refunded_outside", subject=f"payment:{payment_id}")
            written = _write(session, _Back(payment, min(orders), rows, now, dispute_id))
            return [one.public_id for one in written]
    return known(now.id)


def payment_of(intent_id: str) -> str:
    """Return the payment (public id) that an intent paid, first or once more. Raises NotFound."""
    again = select(Payment.public_id).join(Refund, Refund.payment_id == Payment.id)
    known = db.session.scalar(
        select(Payment.public_id).where(Payment.intent_id == intent_id)
    ) or db.session.scalar(again.where(Refund.intent_id == intent_id).limit(1))
    end_read()
    if not intent_id or known is None:
        raise NotFound()
    return known


@dataclass(frozen=True, slots=True)
class _Back:
    """What is known of a refund of Stripe's: the rows are all that go back to its intent."""

    payment: Payment
    order_id: int
    rows: Sequence[Refund]
    now: gateway.ProviderRefund
    dispute_id: int | None


def _write(session: Session, back: _Back) -> list[Refund]:
    """Write one refund of Stripe's: first as what is owed anyhow, then as one of its own."""
    now = back.now
    room = _room(session, back)
    if now.has_failed:
        as_much = [one for one in back.rows if one.amount_fen == now.amount_fen]
        again = any(one.cause.startswith(OUTSIDE) for one in as_much)
        return [] if again or now.amount_fen > room else [_own(session, back, now.amount_fen)]
    for one in back.rows:
        if one.state is RefundState.DEBT and one.amount_fen == now.amount_fen:
            return [_stands_for(one, back)]
    over, left, written = now.amount_fen - room, now.amount_fen, []
    for state in (RefundState.DEBT, RefundState.REPAID):
        for owed in back.rows:
            if owed.state is state and over > 0:
                part = split(session, owed, min(over, owed.amount_fen))
                over, left = over - part.amount_fen, left - part.amount_fen
                written.append(_stands_for(part, back))
    if over > 0:
        raise Conflict(_l("这一笔付款还有退款没有回音，先等它。"), code="refund_too_early")
    return [*written, _own(session, back, left)] if left else written


def _own(session: Session, back: _Back, amount_fen: int) -> Refund:
    now, amount = back.now, Money(amount_fen)
    own = owe_outside(session, back.payment, back.order_id, amount, now.id, now.intent_id)
    own.dispute_id = back.dispute_id
    return own


def _stands_for(refund: Refund, back: _Back) -> Refund:
    """Let Stripe's refund be ours, which had failed or was repaid by transfer."""
    refund.provider_id, refund.dispute_id = back.now.id, back.dispute_id
    if refund.state is RefundState.DEBT:
        refund.state, refund.failure, refund.asked_at = RefundState.PENDING, "", None
    else:
        refund.failure = LOST  # what Stripe says of it from now on counts
    return refund


def _rows(session: Session, payment: Payment, intent_id: str) -> list[Refund]:
    """Lock and return what goes back to an intent, the oldest first."""
    own = Refund.intent_id.is_(None) & ~Refund.cause.startswith(AGAIN)
    query = (
        select(Refund)
        .where(
            Refund.payment_id == payment.id,
            Refund.state != RefundState.CUT,
            own if intent_id == payment.intent_id else Refund.intent_id == intent_id,
        )
        .order_by(Refund.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def _room(session: Session, back: _Back) -> int:
    """Return how much of what an intent brought is neither given back nor owed back, in fen."""
    payment, given = back.payment, sum(one.amount_fen for one in back.rows)
    if back.now.intent_id != payment.intent_id:
        return sum(one.amount_fen for one in back.rows if one.cause.startswith(AGAIN)) - given
    again = session.scalar(
        select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
            Refund.payment_id == payment.id, Refund.cause.startswith(AGAIN)
        )
    )
    return payment.captured_fen - int(again or 0) - given


def known_fen(intent_id: str) -> int:
    """Return how much of an intent we know to be refunded, or on its way, in fen.

    What a bank took back counts with Stripe as no refund.
    """
    own = Payment.intent_id == intent_id, Refund.intent_id.is_(None)
    query = (
        select(func.coalesce(func.sum(Refund.amount_fen), 0))
        .join(Payment, Refund.payment_id == Payment.id)
        .where(
            (own[0] & own[1]) | (Refund.intent_id == intent_id),
            Refund.provider_id.is_not(None),
            Refund.dispute_id.is_(None),
            Refund.state.in_(WENT),
        )
    )
    fen = int(db.session.scalar(query) or 0)
    end_read()
    return fen
