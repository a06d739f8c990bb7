"""The storefront for programs."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel import clock
from kernel.access import allow, found
from marketplace.storefront.schemas import (
    ShelfOfferDetailOut,
    ShelfOut,
    ShelfQuery,
    shelf_offer,
    shelf_offer_detail,
)
from sellers.model import Place
from sellers.queries import ShelfFilters, offer_by_public_id, shelf

blueprint = Blueprint(
    "offers", __name__, url_prefix="/api/v1/offers", description="What is on sale"
)


@blueprint.route("", methods=["GET"])
@allow.everyone
@blueprint.arguments(ShelfQuery(), location="query", unknown=RAISE)
@blueprint.response(200, ShelfOut)
def list_offers(query: dict[str, Any]) -> Response:
    """List what the shop sells now, newest first."""
    page_size, cursor = query.pop("page_size"), query.pop("cursor")
    page = shelf(ShelfFilters(**query), cursor, page_size)
    return jsonify(items=list(map(shelf_offer, page.items)), next_cursor=page.next_cursor)


@blueprint.route("/<offer_id>", methods=["GET"])
@allow.everyone
@blueprint.response(200, ShelfOfferDetailOut)
def show_offer(offer_id: str) -> Response:
    """Show one offer, on sale or not; an offer of a cabinet slot is shown at its cabinet."""
    facts = found(offer_by_public_id(offer_id))
    found(facts if facts.card.place is not Place.SLOT else None)
    return jsonify(shelf_offer_detail(facts, clock.now()))


@blueprint.after_request
def _may_be_kept(answer: Response) -> Response:
    """Let a caller keep what it has while nothing changed (304)."""
    if request.method in {"GET", "HEAD"} and answer.status_code == 200:
        answer.headers["Cache-Control"] = "no-cache"
        answer.add_etag()
        if request.if_none_match:
            answer.make_conditional(request)
    return answer
