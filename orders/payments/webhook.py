"""Stripe's signed events, as they come in."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from kernel.access import allow, signed
from kernel.errors import Refusal
from orders.payments import gateway, news

blueprint = Blueprint("webhooks", __name__)


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
    except news.UNREADABLE as error:
        raise Refusal(
            _l("签名不对，或者太旧。只收 Stripe 刚刚签过名的通知。"), code="bad_signature"
        ) from error
    try:
        take_up = news.read(event)
    except news.UNREADABLE as error:
        raise Refusal(
            _l("通知的内容读不懂。按 Stripe 公布的格式再发一次。"), code="bad_event"
        ) from error
    take_up()
    return jsonify(received=True)
