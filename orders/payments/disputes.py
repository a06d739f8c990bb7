"""Chargebacks: what a buyer's bank took back is in the books, and what was lost has gone back.

Evidence is given in the provider's own pages. Here is said what stands, and what it cost.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from kernel import clock
from kernel.db import public_code, transaction
from kernel.money import Money
from orders import books
from orders.model import DISPUTE_LOST, Dispute, Payment
from orders.payments import gateway, outside
from orders.payments.refunds import record_succeeded


def record_dispute(told: gateway.ProviderDispute) -> None:
    """Record what Stripe says of a chargeback; repeats and older news move no money again.

    Raises NotFound for a payment intent that we do not know, and Conflict as `outside.take_up`.
    """
    payment_id = outside.payment_of(told.intent_id)
    with transaction() as session:
        dispute = _locked(session, payment_id, told)
        for moved in told.movements:
            amount, fee = Money(moved.amount_fen), Money(moved.fee_fen)
            if books.dispute_moved(dispute, moved.id, amount, fee):
                dispute.withdrawn_fen += moved.amount_fen
                dispute.fee_fen += moved.fee_fen
        # Of two that were said in one second the end is the newer one.
        if told.at > dispute.told_at or (told.at == dispute.told_at and not dispute.is_over):
            dispute.status, dispute.reason = told.status[:40], told.reason[:60]
            dispute.amount_fen, dispute.answer_by = told.amount_fen, told.answer_by
            dispute.told_at = told.at
        lost_fen = dispute.withdrawn_fen if dispute.status == DISPUTE_LOST else 0
        dispute_id = dispute.id
    if lost_fen > 0:
        _give_back(told, payment_id, dispute_id, lost_fen)


def _locked(session: Session, payment_id: str, told: gateway.ProviderDispute) -> Dispute:
    """Lock a dispute, written when it is new."""
    payment = select(Payment.id).where(Payment.public_id == payment_id).scalar_subquery()
    session.execute(
        insert(Dispute)
        .values(
            public_id=public_code(),
            payment_id=payment,
            provider_id=told.id,
            status=told.status[:40],
            reason=told.reason[:60],
            amount_fen=told.amount_fen,
            answer_by=told.answer_by,
            told_at=told.at,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["provider_id"])
    )
    return session.scalars(
        select(Dispute)
        .where(Dispute.provider_id == told.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _give_back(
    told: gateway.ProviderDispute, payment_id: str, dispute_id: int, lost_fen: int
) -> None:
    """Record that the buyer has the money of a dispute that was lost."""
    back = gateway.ProviderRefund(told.id, "succeeded", "", lost_fen, told.intent_id)
    for public_id in outside.known(told.id) or outside.take_up(back, payment_id, dispute_id):
        record_succeeded(public_id, told.id)
