"""What the worker does for payments: everything is found by a due row, claimed, and repeatable.

A claim writes when the row was asked about, commits, and only then talks to Stripe. A worker
that dies in between loses nothing: the row is due again a minute later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, extract, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from kernel import clock, logs
from kernel.db import db, end_read, transaction
from kernel.errors import Conflict, NotFound
from kernel.money import Money
from orders import books
from orders.model import AGAIN, Payment, PaymentMethod, PaymentState, Refund, RefundState
from orders.payments import checkout, gateway, outside
from orders.payments.disputes import record_dispute
from orders.payments.dues import lock_payment
from orders.payments.refunds import LOST, record_failed, record_sent, record_succeeded

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=1)
"""The shortest pause between two questions about one row; it grows with the row's age."""
AGE_SHARE = 10
AT_ONCE = 20

LOST_AFTER = timedelta(days=30)
"""A refund on its way takes Stripe ten working days at most; what it does not know then is lost."""


def _due(
    asked_at: InstrumentedAttribute[datetime | None],
    created_at: InstrumentedAttribute[datetime],
    at: datetime,
) -> ColumnElement[bool]:
    now_s = at.timestamp()
    waited_s, age_s = now_s - extract("epoch", asked_at), now_s - extract("epoch", created_at)
    long_enough = and_(asked_at <= at - AGAIN_AFTER, waited_s * AGE_SHARE >= age_s)
    return or_(asked_at.is_(None), long_enough)


def ask_about_sessions(at: datetime) -> int:
    """Ask Stripe about sessions of which no webhook told; return how many were asked about."""
    return _each(Payment, Payment.session_url.is_not(None), at, checkout.ask)


def send_refunds(at: datetime) -> int:
    """Send refunds that have not left, and ask about those on their way; return how many."""
    return _each(Refund, Refund.state == RefundState.PENDING, at, _send_refund)


def _send_refund(public_id: str) -> None:
    row = db.session.execute(
        select(
            Refund.provider_id,
            Refund.amount_fen,
            Refund.created_at,
            Refund.cause,
            Refund.intent_id.label("again"),
            func.coalesce(Refund.intent_id, Payment.intent_id).label("intent_id"),
        )
        .join(Payment, Refund.payment_id == Payment.id)
        .where(Refund.public_id == public_id)
    ).one()
    end_read()
    if row.again is not None and row.cause.startswith(AGAIN):
        _learn_fee_again(public_id, row.again)
    try:
        if row.provider_id is not None:
            told = gateway.refund_now(row.provider_id)
        else:
            told = _made_before(row.intent_id, public_id, row.created_at) or gateway.refund(
                row.intent_id, row.amount_fen, public_id
            )
    except gateway.StripeRefused as refusal:
        # Who is only asked how it stands, and does not say, has not refused to give money back.
        if row.provider_id is None:
            record_failed(public_id, None, refusal.code)
            # Perhaps somebody has given it back already.
            take_up_refunds(row.intent_id)
        elif refusal.code == gateway.UNKNOWN and clock.now() - row.created_at >= LOST_AFTER:
            record_failed(public_id, None, LOST)
        else:
            raise
    else:
        record_refund(public_id, told)


def _learn_fee_again(public_id: str, intent_id: str) -> None:
    """Learn what Stripe kept of what came once more: giving it back does not bring that back.

    Only the payment's own charge is asked about by itself.
    """
    try:
        fee_fen = gateway.charge_of(intent_id).fee_fen
    except gateway.StripeRefused as refusal:
        about = f"refund:{public_id}"
        logs.say(log, logging.WARNING, "stripe_refused", subject=about, reason=refusal.code)
        return
    with transaction() as session:
        refund = session.scalars(select(Refund).where(Refund.public_id == public_id)).one()
        payment = lock_payment(session, refund.payment_id)
        if books.provider_fee_again(payment, refund, Money(fee_fen)):
            payment.fee_fen += fee_fen


def _made_before(
    intent_id: str, public_id: str, created_at: datetime
) -> gateway.ProviderRefund | None:
    """Return what a call of long ago has made whose answer was lost, and its key forgotten."""
    if clock.now() - created_at < gateway.KEYS_KEPT:
        return None
    return gateway.refund_known(intent_id, public_id)


def record_refund(public_id: str, told: gateway.ProviderRefund) -> None:
    """Record how Stripe says that a refund stands. Raises NotFound.

    What contradicts what is known may be older: then Stripe is asked how it stands now.
    """
    if not _record(public_id, told, now=False):
        now = _refund_now(told.id)
        if now is not None and now.has_failed == told.has_failed:
            _record(public_id, now, now=True)


def _record(public_id: str, told: gateway.ProviderRefund, *, now: bool) -> bool:
    if told.status == "succeeded":
        return record_succeeded(public_id, told.id, now=now)
    if told.has_failed:
        return record_failed(public_id, told.id, told.failure or told.status, now=now)
    record_sent(public_id, told.id)
    return True


def _refund_now(provider_id: str) -> gateway.ProviderRefund | None:
    """Return how a refund stands now, None for one that Stripe does not know."""
    try:
        return gateway.refund_now(provider_id)
    except gateway.StripeRefused as refusal:
        if refusal.code != gateway.UNKNOWN:
            raise gateway.StripeBusy() from refusal
        return None


def record_told(told: gateway.ProviderRefund) -> None:
    """Record a refund of Stripe's, whoever made it. Raises NotFound, Conflict as `take_up`."""
    if told.ours:
        record_refund(told.ours, told)
        return
    ids = outside.known(told.id)
    if not ids:
        payment_id = outside.payment_of(told.intent_id)
        # The first news of it may be old news.
        now = _refund_now(told.id)
        if now is None:
            raise NotFound()
        ids, told = outside.take_up(now, payment_id), now
    for public_id in ids:
        record_refund(public_id, told)


def take_up_refunds(intent_id: str, went_fen: int | None = None) -> None:
    """Record what went back to an intent, where that is more than we know of, or not said.

    Raises NotFound for one that we do not know, and Conflict as `record_told`.
    """
    outside.payment_of(intent_id)
    if went_fen is None or outside.known_fen(intent_id) < went_fen:
        for one in gateway.refunds_of(intent_id):
            record_told(one)


def learn_charges(at: datetime) -> int:
    """Learn which wallet paid and what Stripe kept, for captured payments; return how many."""
    unlearned = and_(
        Payment.state == PaymentState.CAPTURED,
        Payment.method == PaymentMethod.STRIPE,
        Payment.wallet == "",
        Payment.intent_id.is_not(None),
    )
    return _each(Payment, unlearned, at, _learn_charge)


def _learn_charge(public_id: str) -> None:
    row = db.session.execute(
        select(Payment.id, Payment.intent_id).where(Payment.public_id == public_id)
    ).one()
    end_read()
    charge = gateway.charge_of(row.intent_id)
    # What went back before we knew of the payment was news about nothing of ours then.
    take_up_refunds(row.intent_id, charge.refunded_fen)
    if charge.disputed:
        for told in gateway.disputes_of(row.intent_id, clock.now()):
            record_dispute(told)
    with transaction() as session:
        payment = lock_payment(session, row.id)
        if not payment.wallet:
            payment.wallet = charge.wallet
            payment.fee_fen += charge.fee_fen
            session.flush()
            books.provider_fees({public_id: Money(charge.fee_fen)})


def _each(
    table: type[Payment | Refund],
    open_: ColumnElement[bool],
    at: datetime,
    work: Callable[[str], None],
) -> int:
    """Claim the open rows that are due, one after another, and do `work` for each of them.

    Returns how many were claimed. What Stripe does not answer or refuses is left for the next
    time, when whoever was not reached comes first.
    """
    claimed = 0
    while claimed < AT_ONCE and (public_id := _claim(table, open_, at)) is not None:
        claimed += 1
        try:
            work(public_id)
        except gateway.StripeBusy:
            logs.say(log, logging.WARNING, "stripe_silent")  # the rest waits for the next time
            break
        except gateway.StripeRefused as refusal:
            about = f"{table.__tablename__}:{public_id}"
            logs.say(log, logging.WARNING, "stripe_refused", subject=about, reason=refusal.code)
        except Conflict as refusal:
            about = f"{table.__tablename__}:{public_id}"
            logs.say(log, logging.WARNING, "refund_too_early", subject=about, reason=refusal.code)
    return claimed


def _claim(table: type[Payment | Refund], open_: ColumnElement[bool], at: datetime) -> str | None:
    """Write that the open row which has waited longest is asked about at `at`; return its id."""
    longest = (
        select(table.id)
        .where(open_, _due(table.asked_at, table.created_at, at))
        .order_by(table.asked_at.nulls_first(), table.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with transaction() as session:
        return session.scalar(
            update(table)
            .where(table.id == longest.scalar_subquery())
            .values(asked_at=at)
            .returning(table.public_id)
            .execution_options(synchronize_session=False)
        )
