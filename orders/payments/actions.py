"""What other rooms ask of payments; each verb lives with its use case."""

from orders.payments.captures import (
    Captured,
    confirm_transfer,
    record_capture,
    record_cash,
    record_expiry,
    record_transfer_again,
    submit_proof,
)
from orders.payments.dues import make_payment
from orders.payments.refunds import refund_line, repay_debt, take_back

__all__ = [
    "Captured",
    "confirm_transfer",
    "make_payment",
    "record_capture",
    "record_cash",
    "record_expiry",
    "record_transfer_again",
    "refund_line",
    "repay_debt",
    "submit_proof",
    "take_back",
]
