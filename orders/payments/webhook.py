"""Stripe's signed events. Any order, any number of repeats: one final state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from kernel import logs
from kernel.access import allow, signed
from kernel.db import transaction
from kernel.errors import NotFound, Refusal
from orders.model import WebhookEvent
from orders.payments import gateway
from orders.payments.captures import Captured, record_capture, record_expiry
from orders.payments.reconcile import record_refund

log = logging.getLogger(__name__)

blueprint = Blueprint("webhooks", __name__)

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError)
SESSION_PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")


@blueprint.post("/webhooks/stripe")
@signed
@allow.everyone
def stripe() -> ResponseReturnValue:
    """Take one event; 400 for one that Stripe did not sign just now."""
    secret: str = current_app.extensions["settings"].stripe_webhook_secret
    try:
        event = gateway.read_event(
            request.get_data(), request.headers.get("Stripe-Signature", ""), secret
        )
    except UNREADABLE as error:
        raise Refusal(
            _l("签名不对，或者太旧。只收 Stripe 刚刚签过名的通知。"), code="bad_signature"
        ) from error
    try:
        event_id, kind = _text(event, "id"), _text(event, "type")
        told = _told(kind, event["data"]["object"], gateway.moment(_whole(event, "created")))
    except UNREADABLE as error:
        raise Refusal(
            _l("通知的内容读不懂。按 Stripe 公布的格式再发一次。"), code="bad_event"
        ) from error
    try:
        if told is not None:
            told()
    except NotFound:
        # Another installation on the same Stripe account may have made it.
        logs.say(log, logging.WARNING, "event_about_nothing_of_ours", reason=kind)
    # Remembered last: should we die before, Stripe's repeat does the same once more.
    with transaction() as session:
        session.execute(
            insert(WebhookEvent).values(provider_id=event_id, kind=kind).on_conflict_do_nothing()
        )
    return jsonify(received=True)


def _told(kind: str, about: dict[str, Any], at: datetime) -> Callable[[], object] | None:
    """Return what records an event about one of our payments or refunds; None for any other.

    Raises one of UNREADABLE when it does not say what such an event says.
    """
    metadata = about.get("metadata") or {}
    if metadata.get(gateway.REFUND_KEY) and about.get("object") == "refund":
        refund = gateway.ProviderRefund(
            _text(about, "id"),
            _text(about, "status", needed=False),
            _text(about, "failure_reason", needed=False),
        )
        return partial(record_refund, _text(metadata, gateway.REFUND_KEY), refund)
    if not metadata.get(gateway.PAYMENT_KEY):
        return None
    payment_id = _text(metadata, gateway.PAYMENT_KEY)
    if kind in SESSION_PAID and about.get("payment_status") == "paid":
        captured = Captured(_whole(about, "amount_total"), at, _text(about, "payment_intent"))
        return partial(record_capture, payment_id, captured)
    if kind == "payment_intent.succeeded":
        captured = Captured(_whole(about, "amount_received"), at, _text(about, "id"))
        return partial(record_capture, payment_id, captured)
    if kind == "checkout.session.expired":
        return partial(record_expiry, payment_id, _text(about, "id"))
    return None


def _text(of: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = of[name] if needed else of.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _whole(of: dict[str, Any], name: str) -> int:
    value = of[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is no whole number")
    return value
