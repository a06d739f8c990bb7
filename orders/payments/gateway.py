"""The only place that talks to Stripe. Every call is bounded, and none runs in a transaction.

Only Stripe's own words count. An answer that is not whole, not Stripe's, or about something else
says nothing of what happened: it is as if none had come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from logging import getLogger
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, TypeVar

from flask import current_app
from flask_babel import lazy_gettext as _l

from kernel.db import assert_no_transaction
from kernel.errors import Unavailable
from kernel.settings import Settings
from orders.payments.sandbox.config import DEFAULT_API_KEY

if TYPE_CHECKING:
    # Loaded at the first call: with what it needs, Stripe's library is a tenth of a start.
    import stripe

log = getLogger(__name__)

TIMEOUT_S = 5.0
TURN_TIMEOUT_S = 1.0
CALLS_AT_ONCE = 4
"""Half of a worker's threads: while Stripe hangs, pages that do not need it are still answered."""
KEYS_KEPT = timedelta(hours=23)
"""Stripe forgets an idempotency key after a day; then a repeat has to look first."""
ENDED_BADLY = frozenset({"failed", "canceled"})
UNKNOWN = "resource_missing"
"""Stripe's word for what it does not know, or not by this key."""
CURRENCY = "cny"
PAYMENT_KEY = "payment"
REFUND_KEY = "refund"

T = TypeVar("T")
_turns = BoundedSemaphore(CALLS_AT_ONCE)


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
    """What paid: `wallet` is card, alipay or wechat_pay; `fee_fen` what Stripe kept of it.

    `refunded_fen` is what went back of it, or is on its way, whoever asked for it; `disputed`
    whether the buyer's bank has ever asked for it.
    """

    wallet: str
    fee_fen: int
    refunded_fen: int = 0
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as Stripe has it now. `status` is pending, succeeded, failed and so on.

    `ours` is the public id of our refund that it was made for, '' where it was not.
    """

    id: str
    status: str
    failure: str
    amount_fen: int = 0
    intent_id: str = ""
    ours: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the money did not go, or came back."""
        return self.status in ENDED_BADLY


@dataclass(frozen=True, slots=True)
class DisputeMovement:
    """What a dispute moved: `amount_fen` and `fee_fen` left; below zero they came back."""

    id: str
    amount_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A chargeback as Stripe had it at a moment; `status` and `reason` are Stripe's words."""

    id: str
    intent_id: str
    status: str
    reason: str
    amount_fen: int
    answer_by: datetime | None
    movements: Sequence[DisputeMovement]
    at: datetime


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
    import stripe  # noqa: PLC0415  # see above

    # A call that fails is tried again by the buyer or by the due row's next turn, under the
    # same idempotency key; trying again here would only make a buyer wait longer than 5 s.
    return stripe.StripeClient(
        key,
        base_addresses={"api": address} if address else {},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
        max_network_retries=0,
    )


def _call(work: Callable[[stripe.StripeClient], Any], read: Callable[[dict[str, Any]], T]) -> T:
    """Run one call and read its answer. StripeBusy, StripeRefused; RuntimeError in a transaction.

    `read` may raise KeyError, TypeError or ValueError for an answer that is none.
    """
    import stripe  # noqa: PLC0415  # see above

    assert_no_transaction()
    settings: Settings = current_app.extensions["settings"]
    client = _client(settings.stripe_secret_key or DEFAULT_API_KEY, settings.stripe_api_base)
    if not _turns.acquire(timeout=TURN_TIMEOUT_S):
        raise StripeBusy()
    try:
        return read(work(client).to_dict())
    except (stripe.InvalidRequestError, stripe.CardError, stripe.IdempotencyError) as error:
        # 409: the same request is still on its way.
        if error.http_status == 409:
            raise StripeBusy() from error
        raise StripeRefused(str(error.code or type(error).__name__)) from error
    except stripe.StripeError as error:
        # A wrong key, too, is ours to mend and not the buyer's: until then Stripe is away.
        raise StripeBusy() from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("an answer that is not Stripe's: %s", type(error).__name__)
        raise StripeBusy() from error
    finally:
        _turns.release()


def _meant(told: object, asked: object) -> None:
    """Raise ValueError unless the answer is about what was asked for."""
    if told != asked:
        raise ValueError("the answer is about something else")


def _session(data: dict[str, Any]) -> Session:
    return Session(
        id=str(data["id"]),
        status=str(data["status"]),
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

    def read(data: dict[str, Any]) -> Session:
        _meant(data["metadata"][PAYMENT_KEY], asked.payment_id)
        return _session(data)

    return _call(lambda client: client.v1.checkout.sessions.create(params, options), read)


def session(session_id: str) -> Session:
    """Return how a Checkout Session stands."""

    def read(data: dict[str, Any]) -> Session:
        _meant(data["id"], session_id)
        return _session(data)

    return _call(lambda client: client.v1.checkout.sessions.retrieve(session_id), read)


def expire_session(session_id: str) -> None:
    """End an open Checkout Session. StripeRefused: it is not open any more."""

    def read(data: dict[str, Any]) -> None:
        _meant((data["id"], data["status"]), (session_id, "expired"))

    _call(lambda client: client.v1.checkout.sessions.expire(session_id), read)


def charge_of(intent_id: str) -> Charge:
    """Return what paid a payment intent."""
    params: Any = {"expand": ["latest_charge.balance_transaction"]}

    def read(data: dict[str, Any]) -> Charge:
        _meant(data["id"], intent_id)
        charge = data["latest_charge"]
        return Charge(
            wallet=charge["payment_method_details"]["type"],
            fee_fen=int(charge["balance_transaction"]["fee"]),
            refunded_fen=int(charge["amount_refunded"]),
            disputed=bool(charge["disputed"]),
        )

    return _call(lambda client: client.v1.payment_intents.retrieve(intent_id, params), read)


def read_refund(data: dict[str, Any]) -> ProviderRefund:
    """Return what Stripe's object says. Raises KeyError, TypeError or ValueError for none."""
    refund_id, status = data["id"], data["status"] or ""
    failure, intent_id = data.get("failure_reason") or "", data.get("payment_intent") or ""
    ours = (data.get("metadata") or {}).get(REFUND_KEY) or ""
    texts = (refund_id, status, failure, intent_id, ours)
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("a refund of Stripe's says so in text")
    return ProviderRefund(refund_id, status, failure, int(data["amount"]), intent_id, ours)


def refund(intent_id: str, amount_fen: int, refund_id: str) -> ProviderRefund:
    """Ask Stripe to give `amount_fen` back; asked twice for `refund_id`, it happens once.

    That holds for KEYS_KEPT; after that `refund_known` has to be asked before.
    """
    params: Any = {
        "payment_intent": intent_id,
        "amount": amount_fen,
        "metadata": {REFUND_KEY: refund_id},
    }
    options: Any = {"idempotency_key": refund_id}

    def read(data: dict[str, Any]) -> ProviderRefund:
        _meant(data["metadata"][REFUND_KEY], refund_id)
        return read_refund(data)

    return _call(lambda client: client.v1.refunds.create(params, options), read)


def refund_known(intent_id: str, refund_id: str) -> ProviderRefund | None:
    """Return the refund that Stripe made for our `refund_id`, None if it never did."""
    made = [one for one in refunds_of(intent_id) if one.ours == refund_id]
    return made[0] if made else None


def refunds_of(intent_id: str) -> list[ProviderRefund]:
    """Return the refunds of a payment intent, whoever made them, the oldest first; 100 at most."""
    params: Any = {"payment_intent": intent_id, "limit": 100}

    def read(data: dict[str, Any]) -> list[ProviderRefund]:
        return [read_refund(one) for one in reversed(data["data"])]

    return _call(lambda client: client.v1.refunds.list(params), read)


def refund_now(provider_id: str) -> ProviderRefund:
    """Return how a refund that was sent stands."""

    def read(data: dict[str, Any]) -> ProviderRefund:
        _meant(data["id"], provider_id)
        return read_refund(data)

    return _call(lambda client: client.v1.refunds.retrieve(provider_id), read)


def read_dispute(data: dict[str, Any], at: datetime) -> ProviderDispute:
    """Return what Stripe's object said at a moment.

    Raises KeyError, TypeError or ValueError for none.
    """
    texts = (data["id"], data.get("payment_intent") or "", data["status"], data["reason"] or "")
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("a dispute of Stripe's says so in text")
    due_by = (data.get("evidence_details") or {}).get("due_by")
    return ProviderDispute(
        *texts,
        amount_fen=int(data["amount"]),
        answer_by=moment(int(due_by)) if due_by else None,
        movements=[
            DisputeMovement(str(one["id"]), -int(one["amount"]), int(one["fee"]))
            for one in data["balance_transactions"]
        ],
        at=at,
    )


def disputes_of(intent_id: str, at: datetime) -> list[ProviderDispute]:
    """Return the disputes of a payment intent as they stand; `at` is now."""
    params: Any = {"payment_intent": intent_id, "limit": 100}

    def read(data: dict[str, Any]) -> list[ProviderDispute]:
        return [read_dispute(one, at) for one in data["data"]]

    return _call(lambda client: client.v1.disputes.list(params), read)


def events(
    kinds: Sequence[str], since: datetime, until: datetime, after: str | None
) -> tuple[list[dict[str, Any]], bool]:
    """Return a page of events of `kinds` that happened in a time, the newest first.

    `after` is the last of the page before; the second value tells whether there are more.
    """
    created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
    params: Any = {"types": list(kinds), "created": created, "limit": 100}
    if after is not None:
        params["starting_after"] = after

    def read(data: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        for one in data["data"]:
            _meant(one["object"], "event")
        return list(data["data"]), bool(data["has_more"])

    return _call(lambda client: client.v1.events.list(params), read)


def read_event(payload: bytes, signature: str, secret: str) -> dict[str, Any]:
    """Return a webhook's event. Raises ValueError when it is altered, forged or too old."""
    import stripe  # noqa: PLC0415  # see above

    try:
        event = stripe.Webhook.construct_event(payload, signature, secret)
    except stripe.SignatureVerificationError as error:
        raise ValueError("the signature does not match") from error
    data: dict[str, Any] = event.to_dict()
    return data


def moment(seconds: int) -> datetime:
    """Return Stripe's count of seconds since 1970 as a moment."""
    return datetime.fromtimestamp(seconds, UTC)
