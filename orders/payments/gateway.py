"""The only place that talks to Stripe. Every call is bounded, and none runs in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import stripe
from flask import current_app
from flask_babel import lazy_gettext as _l

from kernel.db import assert_no_transaction
from kernel.errors import Unavailable
from kernel.settings import Settings
from orders.payments.sandbox.config import DEFAULT_API_KEY

TIMEOUT_S = 5.0
CURRENCY = "cny"
PAYMENT_KEY = "payment"
REFUND_KEY = "refund"

T = TypeVar("T")


class StripeBusy(Unavailable):
    """Retryable: Stripe did not answer, or asks to come again. Nothing is known to be lost."""

    code = "payments_unavailable"
    message = _l("付款服务暂时没有应答。钱没有扣，订单还在，过一会儿再试。")


class StripeRefused(Exception):
    """Permanent: Stripe understood and said no; `code` is Stripe's word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Session:
    """A Checkout Session as Stripe has it now. `status` is open, complete or expired."""

    id: str
    status: str
    paid: bool
    url: str | None
    amount_fen: int
    intent_id: str | None


@dataclass(frozen=True, slots=True)
class Charge:
    """What paid: `wallet` is card, alipay or wechat_pay; `fee_fen` what Stripe kept of it."""

    wallet: str
    fee_fen: int


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as Stripe has it now. `status` is pending, succeeded, failed and so on."""

    id: str
    status: str
    failure: str


@dataclass(frozen=True, slots=True)
class Item:
    """One row on Stripe's page: what it is called, and its amount in fen, for `units`."""

    name: str
    amount_fen: int
    units: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a Checkout Session is asked for with; the same again is the same session."""

    payment_id: str
    attempt: int
    items: Sequence[Item]
    methods: Sequence[str]
    until: datetime
    success_url: str
    cancel_url: str


@lru_cache(maxsize=4)
def _client(key: str, address: str | None) -> stripe.StripeClient:
    # A call that fails is tried again by the buyer or by the due row's next turn, under the
    # same idempotency key; trying again here would only make a buyer wait longer than 5 s.
    return stripe.StripeClient(
        key,
        base_addresses={"api": address} if address else {},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
        max_network_retries=0,
    )


def _call(work: Callable[[stripe.StripeClient], T]) -> T:
    """Run one call. Raises StripeBusy or StripeRefused, and RuntimeError in a transaction."""
    assert_no_transaction()
    settings: Settings = current_app.extensions["settings"]
    key = settings.stripe_secret_key or DEFAULT_API_KEY
    try:
        return work(_client(key, settings.stripe_api_base))
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise StripeBusy() from error
    except stripe.StripeError as error:
        # 409: the same request is still on its way. A wrong key is ours to mend, not the
        # buyer's: until then it is as if Stripe were away.
        status = error.http_status or 0
        if status >= 500 or status in (0, 401, 403, 409):
            raise StripeBusy() from error
        raise StripeRefused(str(error.code or type(error).__name__)) from error


def _session(made: stripe.checkout.Session) -> Session:
    data: dict[str, Any] = made.to_dict()
    return Session(
        id=data["id"],
        status=data["status"],
        paid=data["payment_status"] == "paid",
        url=data.get("url"),
        amount_fen=int(data["amount_total"]),
        intent_id=data.get("payment_intent"),
    )


def open_session(asked: Asked) -> Session:
    """Create a Checkout Session; asked twice with the same attempt, Stripe makes one."""
    params: Any = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {
                    "currency": CURRENCY,
                    "unit_amount": item.amount_fen,
                    "product_data": {"name": item.name},
                },
                "quantity": item.units,
            }
            for item in asked.items
        ],
        "payment_method_types": list(asked.methods),
        "success_url": asked.success_url,
        "cancel_url": asked.cancel_url,
        "expires_at": int(asked.until.timestamp()),
        "client_reference_id": asked.payment_id,
        "metadata": {PAYMENT_KEY: asked.payment_id},
        "payment_intent_data": {"metadata": {PAYMENT_KEY: asked.payment_id}},
    }
    if "wechat_pay" in asked.methods:
        params["payment_method_options"] = {"wechat_pay": {"client": "web"}}
    options: Any = {"idempotency_key": f"{asked.payment_id}-{asked.attempt}"}
    return _session(_call(lambda client: client.v1.checkout.sessions.create(params, options)))


def session(session_id: str) -> Session:
    """Return how a Checkout Session stands."""
    return _session(_call(lambda client: client.v1.checkout.sessions.retrieve(session_id)))


def expire_session(session_id: str) -> None:
    """End an open Checkout Session. StripeRefused: it is not open any more."""
    _call(lambda client: client.v1.checkout.sessions.expire(session_id))


def charge_of(intent_id: str) -> Charge:
    """Return what paid a payment intent."""
    params: Any = {"expand": ["latest_charge.balance_transaction"]}
    intent = _call(lambda client: client.v1.payment_intents.retrieve(intent_id, params)).to_dict()
    charge = intent["latest_charge"]
    return Charge(
        wallet=charge["payment_method_details"]["type"],
        fee_fen=int(charge["balance_transaction"]["fee"]),
    )


def _refund(made: stripe.Refund) -> ProviderRefund:
    data: dict[str, Any] = made.to_dict()
    return ProviderRefund(data["id"], data["status"] or "", data.get("failure_reason") or "")


def refund(intent_id: str, amount_fen: int, refund_id: str) -> ProviderRefund:
    """Ask Stripe to give `amount_fen` back; asked twice for `refund_id`, it happens once."""
    params: Any = {
        "payment_intent": intent_id,
        "amount": amount_fen,
        "metadata": {REFUND_KEY: refund_id},
    }
    options: Any = {"idempotency_key": refund_id}
    return _refund(_call(lambda client: client.v1.refunds.create(params, options)))


def refund_now(provider_id: str) -> ProviderRefund:
    """Return how a refund that was sent stands."""
    return _refund(_call(lambda client: client.v1.refunds.retrieve(provider_id)))


def read_event(payload: bytes, signature: str, secret: str) -> dict[str, Any]:
    """Return a webhook's event. Raises ValueError when it is altered, forged or too old."""
    try:
        event = stripe.Webhook.construct_event(payload, signature, secret)
    except stripe.SignatureVerificationError as error:
        raise ValueError("the signature does not match") from error
    data: dict[str, Any] = event.to_dict()
    return data


def moment(seconds: int) -> datetime:
    """Return Stripe's count of seconds since 1970 as a moment."""
    return datetime.fromtimestamp(seconds, UTC)
