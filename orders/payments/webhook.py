"""Stripe's signed events. Any order, any number of repeats: one final state."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from kernel.access import allow, signed
from kernel.db import transaction
from kernel.errors import NotFound, Refusal
from orders.model import WebhookEvent
from orders.payments import gateway
from orders.payments.captures import Captured, record_capture, record_expiry
from orders.payments.reconcile import record_refund

blueprint = Blueprint("webhooks", __name__)

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
        kind, about = str(event["type"]), dict(event["data"]["object"])
        event_id, at = str(event["id"]), int(event["created"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            _l("签名不对，或者太旧。只收 Stripe 刚刚签过名的通知。"), code="bad_signature"
        ) from error
    try:
        _record(kind, about, at)
    except NotFound:
        # Another installation on the same Stripe account may have made it.
        current_app.logger.warning("event %s is about nothing of ours", event_id)
    # Remembered last: should we die before, Stripe's repeat does the same once more.
    with transaction() as session:
        session.execute(
            insert(WebhookEvent).values(provider_id=event_id, kind=kind).on_conflict_do_nothing()
        )
    return jsonify(received=True)


def _record(kind: str, about: dict[str, Any], at: int) -> None:
    """Record what an event says about one of our payments or refunds."""
    metadata = about.get("metadata") or {}
    payment_id, refund_id = metadata.get(gateway.PAYMENT_KEY), metadata.get(gateway.REFUND_KEY)
    if refund_id and about.get("object") == "refund":
        told = gateway.ProviderRefund(
            about["id"], about.get("status") or "", about.get("failure_reason") or ""
        )
        record_refund(refund_id, told)
    elif payment_id and kind in SESSION_PAID and about.get("payment_status") == "paid":
        _captured(payment_id, about["amount_total"], about["payment_intent"], at)
    elif payment_id and kind == "payment_intent.succeeded":
        _captured(payment_id, about["amount_received"], about["id"], at)
    elif payment_id and kind == "checkout.session.expired":
        record_expiry(payment_id, about["id"])


def _captured(payment_id: str, amount_fen: int, intent_id: str, at: int) -> None:
    record_capture(payment_id, Captured(int(amount_fen), gateway.moment(at), intent_id))
