"""The test cards that Stripe documents, and what comes of them."""

from dataclasses import dataclass

from orders.payments.sandbox.store import Body


@dataclass(frozen=True)
class Card:
    """A test card: the `decline` that it meets, if any, and how its refunds go.

    `refunds` is succeeded (at once), pending (succeeds later) or failing (succeeds, fails later).
    """

    outcome: str
    number: str
    decline: str | None = None
    refunds: str = "succeeded"


NORMAL = Card("success", "4242424242424242")
CARDS = {
    card.outcome: card
    for card in (
        NORMAL,
        Card("declined", "4000000000000002", decline="generic_decline"),
        Card("insufficient_funds", "4000000000009995", decline="insufficient_funds"),
        Card("refund_pending", "4000000000007726", refunds="pending"),
        Card("refund_fails", "4000000000005126", refunds="failing"),
    )
}


def _declined(decline_code: str, message: str) -> Body:
    return {
        "advice_code": "try_again_later",
        "code": "card_declined",
        "decline_code": decline_code,
        "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "message": message,
        "type": "card_error",
    }


DECLINES = {
    "generic_decline": _declined("generic_decline", "Your card was declined."),
    "insufficient_funds": _declined("insufficient_funds", "Your card has insufficient funds."),
}


def authentication_failure(method: Body) -> Body:
    """Give the error of a wallet payment that its buyer did not authorise."""
    code = "payment_intent_authentication_failure"
    return {
        "code": code,
        "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        "message": (
            "The provided PaymentMethod has failed authentication. You can provide "
            "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
            "again."
        ),
        "payment_method": method,
        "type": "invalid_request_error",
    }
