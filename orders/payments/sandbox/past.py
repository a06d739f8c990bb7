"""Payments that were made long ago, written at once: for a demo whose buyers have paid already."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orders.payments.sandbox import checkout, refunds
from orders.payments.sandbox.config import Config, fee_fen
from orders.payments.sandbox.objects import CURRENCY
from orders.payments.sandbox.outcomes import NORMAL
from orders.payments.sandbox.state import Sandbox

NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class PastPayment:
    """What was paid, when, and by which of card, alipay and wechat_pay."""

    amount_fen: int
    method: str
    at: datetime
    name: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Charged:
    """What became of it: the payment intent, and what was kept of it."""

    intent_id: str
    fee_fen: int


class Past(Sandbox):
    """A sandbox whose clock stands where what is written happened. It tells nobody of it."""

    moment = 0.0

    def now(self) -> float:
        """Give the moment of what is being written: seconds since 1970."""
        return self.moment

    def webhook_url(self) -> str:
        """Give nowhere: who writes the past knows it."""
        return ""

    def pay(self, paid: PastPayment) -> Charged:
        """Open a session for a payment and pay it. Raises ApiError for what Stripe refuses."""
        self.moment = paid.at.timestamp()
        session = checkout.create(self, _asked(paid), NOWHERE)
        if paid.method == "card":
            checkout.pay_by_card(self, session, NORMAL)
        else:
            checkout.begin_wallet(self, session, paid.method)
            checkout.answer_wallet(self, session, authorised=True)
        intent_id = str(session.body["payment_intent"])
        return Charged(intent_id, fee_fen(paid.method, paid.amount_fen))

    def give_back(
        self, intent_id: str, amount_fen: int, at: datetime, metadata: Mapping[str, str]
    ) -> str:
        """Refund a part of a payment and give the refund's id. Raises ApiError as above."""
        self.moment = at.timestamp()
        asked = {"payment_intent": intent_id, "amount": amount_fen, "metadata": dict(metadata)}
        made = refunds.create(self, asked)
        if made.body["status"] == "pending":
            refunds.settle(self, made)
        return made.id


@contextmanager
def past(state_dir: Path) -> Iterator[Past]:
    """Write into the state folder of a sandbox, all or nothing, whether or not it runs."""
    written = Past(Config(state_dir, webhook_url="", webhook_secret=""))
    try:
        with written.transaction():
            yield written
    finally:
        written.close()


def _asked(paid: PastPayment) -> dict[str, object]:
    item = {
        "price_data": {
            "currency": CURRENCY,
            "unit_amount": paid.amount_fen,
            "product_data": {"name": paid.name},
        },
        "quantity": 1,
    }
    return {
        "mode": "payment",
        "line_items": [item],
        "payment_method_types": [paid.method],
        "payment_method_options": {"wechat_pay": {"client": "web"}},
        "success_url": NOWHERE,
        "cancel_url": NOWHERE,
        "metadata": dict(paid.metadata),
        "payment_intent_data": {"metadata": dict(paid.metadata)},
    }
