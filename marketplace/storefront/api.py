"""The storefront for programs."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel import clock
from kernel.access import allow, found
from marketplace.storefront.schemas import ShelfOfferDetailOut, ShelfOut, ShelfQuery
from sellers.model import Place
from sellers.queries import Shelf, ShelfFilters, offer_by_public_id, shelf

blueprint = Blueprint(
    "offers", __name__, url_prefix="/api/v1/offers", description="What is on sale"
)


@blueprint.route("", methods=["GET"])
@allow.everyone
@blueprint.arguments(ShelfQuery, location="query", unknown=RAISE)
@blueprint.response(200, ShelfOut)
def list_offers(query: dict[str, Any]) -> Shelf:
    """List what the shop sells now, newest first."""
    page_size, cursor = query.pop("page_size"), query.pop("cursor")
    return shelf(ShelfFilters(**query), cursor, page_size)


@blueprint.route("/<offer_id>", methods=["GET"])
@allow.everyone
@blueprint.response(200, ShelfOfferDetailOut)
def show_offer(offer_id: str) -> dict[str, Any]:
    """Show one offer, on sale or not; an offer of a cabinet slot is shown at its cabinet."""
    facts = found(offer_by_public_id(offer_id))
    found(facts if facts.card.place is not Place.SLOT else None)
    shown = {name: getattr(facts.card, name) for name in type(facts.card).__slots__}
    return {
        **shown,
        "places": facts.card.places,
        "keeping": facts.product.keeping,
        "open": facts.card.is_open(clock.now()) and facts.card.left > 0,
        "certificates": facts.certificates,
    }


@blueprint.after_request
def _may_be_kept(answer: Response) -> Response:
    """Let a caller keep what it has while nothing changed (304)."""
    if request.method in {"GET", "HEAD"} and answer.status_code == 200:
        answer.headers["Cache-Control"] = "no-cache"
        answer.add_etag()
        answer.make_conditional(request)
    return answer
