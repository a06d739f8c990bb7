"""JSON of a buyer's own orders: the list, and giving one back."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields

from kernel.access import allow, viewer
from kernel.idempotency import keyed, once_for_program
from orders.api.pages import PageIn
from orders.giving_up import order_to_give_up
from orders.lifecycle import cancel
from orders.queries.mine import orders_of

blueprint = Blueprint(
    "buyers_api", __name__, url_prefix="/api/v1/orders", description="A buyer's own orders"
)


class OwnOrderOut(Schema):
    """An order in its buyer's list."""

    number = fields.String()
    state = fields.String()
    total_fen = fields.Integer()
    placed_at = fields.AwareDateTime()
    expires_at = fields.AwareDateTime(allow_none=True)


class OwnOrdersOut(Schema):
    """A page of orders, newest first."""

    items = fields.List(fields.Nested(OwnOrderOut))
    next_cursor = fields.String(allow_none=True)


class CancelledOut(Schema):
    """How the order stands now."""

    number = fields.String()
    state = fields.String()


@blueprint.route("")
@allow.everyone
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, OwnOrdersOut)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List the caller's own orders, newest first."""
    page = orders_of(viewer(), **query)
    return {"items": page.items, "next_cursor": page.next_cursor}


@blueprint.route("/<number>/cancel", methods=["POST"])
@allow.everyone
@keyed
@blueprint.response(200, CancelledOut)
def give_up(number: str) -> dict[str, Any]:
    """Cancel one's own order; what was paid is refunded. A member's need is changed instead.

    An order for which cash was taken is cancelled by another one of staff.
    """
    who = viewer()
    order = order_to_give_up(number, who)

    def act() -> dict[str, Any]:
        cancel(order)
        return {"number": number, "state": order.state}

    return once_for_program("orders.give_up", {"number": number}, act)
