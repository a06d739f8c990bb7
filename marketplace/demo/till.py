"""What the payment service knows of the demo's payments: the sandbox has them, so refunds work."""

from __future__ import annotations

from pathlib import Path

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from kernel.db import transaction
from kernel.money import Money
from kernel.settings import Settings
from marketplace.demo.world import World
from orders import books
from orders.model import Payment, PaymentMethod, PaymentState, Refund, RefundState
from orders.payments.gateway import PAYMENT_KEY, REFUND_KEY
from orders.payments.sandbox.config import state_dir
from orders.payments.sandbox.past import Past, PastPayment, past

WALLETS = ("alipay", "wechat_pay", "card")
FEE_BASIS_POINTS = 60
INVENTED = "demo_"
"""How ids begin that no payment service gave."""


def learn(world: World) -> None:
    """Let the payment service have made what was paid and given back since the last time.

    Where real Stripe takes the payments, the demo's stay made up: it knows nothing of them.
    """
    settings: Settings = current_app.extensions["settings"]
    with transaction() as session:
        payments, refunds = _new_payments(session), _new_refunds(session)
        for payment in payments:
            payment.wallet = world.dice.choice(WALLETS)
        if settings.payments_are_sandbox:
            _write(settings.var_dir, payments, refunds)
        else:
            _invent(payments, refunds)
        books.provider_fees({one.public_id: Money(one.fee_fen) for one in payments})


def _new_payments(session: Session) -> list[Payment]:
    return list(
        session.scalars(
            select(Payment)
            .where(
                Payment.state == PaymentState.CAPTURED,
                Payment.method == PaymentMethod.STRIPE,
                Payment.wallet == "",
            )
            .order_by(Payment.captured_at, Payment.id)
        )
    )


def _new_refunds(session: Session) -> list[Refund]:
    return list(
        session.scalars(
            select(Refund)
            .where(Refund.state == RefundState.SUCCEEDED, Refund.provider_id.startswith(INVENTED))
            .options(joinedload(Refund.payment))
            .order_by(Refund.settled_at, Refund.id)
        )
    )


def _write(var_dir: Path, payments: list[Payment], refunds: list[Refund]) -> None:
    with past(state_dir(var_dir)) as sandbox:
        for payment in payments:
            _charge(sandbox, payment)
        for refund in refunds:
            assert refund.settled_at is not None
            assert refund.payment.intent_id is not None
            refund.provider_id = sandbox.give_back(
                refund.payment.intent_id,
                refund.amount_fen,
                refund.settled_at,
                {REFUND_KEY: refund.public_id},
            )


def _charge(sandbox: Past, payment: Payment) -> None:
    assert payment.captured_at is not None
    charged = sandbox.pay(
        PastPayment(
            payment.captured_fen,
            payment.wallet,
            payment.captured_at,
            "乡集",
            {PAYMENT_KEY: payment.public_id},
        )
    )
    payment.intent_id, payment.fee_fen = charged.intent_id, charged.fee_fen


def _invent(payments: list[Payment], refunds: list[Refund]) -> None:
    for payment in payments:
        payment.intent_id = f"pi_{INVENTED}{payment.public_id}"
        payment.fee_fen = Money(payment.captured_fen).percent(FEE_BASIS_POINTS).fen
    for refund in refunds:
        refund.provider_id = f"re_{refund.provider_id}"
