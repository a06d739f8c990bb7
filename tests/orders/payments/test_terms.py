"""The terms of payment."""

import pytest

from kernel.errors import Invalid
from orders.model import PaymentMethod
from orders.payments.terms import STRIPE_MINIMUM_FEN, check_payable, is_payable


def test_stripe_takes_its_minimum_and_nothing_below_it() -> None:
    check_payable(STRIPE_MINIMUM_FEN, PaymentMethod.STRIPE)
    with pytest.raises(Invalid) as refusal:
        check_payable(STRIPE_MINIMUM_FEN - 1, PaymentMethod.STRIPE)
    assert refusal.value.code == "amount_too_small"
    assert refusal.value.extra["least_fen"] == STRIPE_MINIMUM_FEN


@pytest.mark.parametrize("method", [PaymentMethod.TRANSFER, PaymentMethod.CASH])
def test_a_transfer_and_cash_take_any_amount(method: PaymentMethod) -> None:
    assert is_payable(1, method)
