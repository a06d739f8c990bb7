"""The terms of payment: how long money is waited for, how little is taken, until when it goes back.

Whatever asks about one of them asks here.
"""

from __future__ import annotations

from datetime import timedelta

from flask_babel import lazy_gettext as _l

from kernel.errors import Invalid
from kernel.money import MAX_FEN
from orders.model import PaymentMethod

SHORTEST_SESSION = timedelta(minutes=30)
"""Stripe's shortest Checkout Session."""
LONGEST_SESSION = timedelta(hours=23)
"""Stripe's longest is 24 hours; ours ends safely before it."""
HOLD = {
    PaymentMethod.STRIPE: SHORTEST_SESSION,
    # A corporate transfer takes up to three working days.
    PaymentMethod.TRANSFER: timedelta(days=5),
    PaymentMethod.CASH: timedelta(days=1),
}
"""How long goods are kept for whoever ordered them and has not paid yet."""
STRIPE_MINIMUM_FEN = 400
"""Stripe refuses charges below the equivalent of 0.50 USD; 4 yuan is safely above it."""
STRIPE_MAXIMUM_FEN = 99_999_999
"""Stripe takes eight digits at most."""
NEEDS_MAXIMUM_FEN = 10**9
"""What one member may need where its unit pays: the units' sum stays far below any bound."""
DELIVERY = timedelta(days=7)
"""How long goods are on their way at most, after they are in hand or harvested."""
CLAIMS = timedelta(days=7)
"""How long after hand-over a buyer may complain and be refunded."""
REFUND_WINDOW = {"alipay": timedelta(days=90), "wechat_pay": timedelta(days=180)}
"""How long after the payment a wallet takes money back; a card takes it at any time."""


def is_payable(amount_fen: int, method: PaymentMethod) -> bool:
    """Tell whether so little can be paid by `method`: Stripe has a minimum, the others none."""
    return method is not PaymentMethod.STRIPE or amount_fen >= STRIPE_MINIMUM_FEN


def missing_online(amount_fen: int) -> int:
    """Return how many fen are missing to the least that Stripe takes; 0 where it is enough."""
    return max(0, STRIPE_MINIMUM_FEN - amount_fen)


def check_payable(amount_fen: int, method: PaymentMethod) -> None:
    """Raise Invalid for what `method` does not take.

    That is amount_too_small with `least_fen`, or amount_too_large with `most_fen`.
    """
    check_amount(amount_fen, STRIPE_MAXIMUM_FEN if method is PaymentMethod.STRIPE else MAX_FEN)
    if not is_payable(amount_fen, method):
        raise Invalid(
            _l("在线支付最少 ¥4.00，再加一点就能付。"),
            code="amount_too_small",
            least_fen=STRIPE_MINIMUM_FEN,
        )


def check_amount(amount_fen: int, most_fen: int) -> None:
    """Raise Invalid (amount_too_large) for more than `most_fen`."""
    if amount_fen > most_fen:
        raise Invalid(_l("金额太大，分成几张订单。"), code="amount_too_large", most_fen=most_fen)
