"""Orders for programs: the same purchase as on the checkout page."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint

from kernel.access import allow, viewer, visitor_key
from kernel.idempotency import keyed, sent_key
from marketplace.buying.schemas import OrderIn, OrderOut, PlacedOut
from marketplace.checkout import pay_url, purchase
from orders.model import OrderState
from orders.placing import Recipient
from orders.queries.mine import sheet

UNGUESSABLE = 16
"""Shorter keys, such as "1", other guests may use, too."""

blueprint = Blueprint("orders_api", __name__, url_prefix="/api/v1/orders", description="Orders")


@blueprint.route("", methods=["POST"])
@allow.everyone
@keyed
@blueprint.arguments(OrderIn())
@blueprint.response(201, PlacedOut)
def place_order(payload: dict[str, Any]) -> dict[str, Any]:
    """Place an order. Guests are known by the session cookie that this answer sets.

    A guest who never got this answer sends key (16 characters or more) and body again.
    """
    if viewer().account_id is None:
        visitor_key(_known_to_this_guest())
    recipient = payload["recipient"]
    return purchase(
        viewer(),
        {line["offer_id"]: line["quantity"] for line in payload["lines"]},
        Recipient(**recipient) if recipient else None,
        payload["payment"],
        payload["touch"],
        sent_key(),
        address=request.remote_addr or "",
    )


def _known_to_this_guest() -> str:
    """Return key and body if nobody else could have sent both, else nothing."""
    key = sent_key() or ""
    return f"{key} {request.get_data(as_text=True)}" if len(key) >= UNGUESSABLE else ""


@blueprint.route("/<number>", methods=["GET"])
@allow.everyone
@blueprint.response(200, OrderOut)
def show_order(number: str) -> dict[str, Any]:
    """Show an order to its buyer or to staff; for everybody else there is none."""
    shown = sheet(number, viewer())
    order, payment = shown.order, shown.payment
    is_due = order.state == OrderState.DUE and payment is not None
    return {
        "number": order.number,
        "state": order.state,
        "total_fen": order.total_fen,
        "pay_url": pay_url(payment.public_id, payment.method) if payment and is_due else None,
        "expires_at": order.expires_at,
        "placed_at": order.placed_at,
        "paid_at": order.paid_at,
        "city": order.city,
        "lines": order.lines,
        "refunds": shown.refunds,
        "history": order.events,
    }
