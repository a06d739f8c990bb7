"""JSON of planning rounds, for staff: the same actions as the pages."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel.access import allow, found
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role
from orders.actions import rounds as actions
from orders.actions.rounds import RoundPlan
from orders.api import planning_schemas as shapes
from orders.api.pages import PageIn
from orders.api.rounds import round_json
from orders.model import Round
from orders.queries import planning
from orders.queries import rounds as queries
from orders.queries.keys import seller_key

blueprint = Blueprint(
    "planning_api", __name__, url_prefix="/api/v1/staff/rounds", description="Planning rounds"
)


def planned_json(planned: Round) -> dict[str, Any]:
    """Return a round as `PlannedRoundOut` writes it."""
    return {
        **round_json(planned, queries.items_of(planned.id)),
        "title_en": planned.title_en,
        "pay_within_h": planned.pay_within_h,
        "processed_at": planned.processed_at,
        "legs": [
            {
                "seller_id": leg.seller.organisation.public_id,
                "seller": leg.seller.name_zh,
                "cutoff_at": leg.cutoff_at,
                "notice_id": notice.public_id if notice else None,
            }
            for leg, notice in queries.legs_of(planned.id)
        ],
    }


@blueprint.route("")
@allow(Role.STAFF)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.RoundRowsOut)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List every round, the last to close first."""
    page = queries.all_rounds_page(**query)
    items = [
        {
            "id": row.round.public_id,
            "title": row.round.title_zh,
            "opens_at": row.round.opens_at,
            "closes_at": row.round.closes_at,
            "processed_at": row.round.processed_at,
            "offers": row.offers,
            "sellers": row.sellers,
        }
        for row in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


@blueprint.route("", methods=["POST"])
@allow(Role.STAFF)
@keyed
@blueprint.arguments(shapes.RoundPlanIn)
@blueprint.response(201, shapes.PlannedRoundOut)
def create(body: dict[str, Any]) -> dict[str, Any]:
    """Plan a round."""

    def act() -> dict[str, Any]:
        return {"id": actions.create_round(RoundPlan(**body)).public_id}

    made = once_for_program("planning.create", body, act)
    return planned_json(queries.round_by_public_id(made["id"]))


@blueprint.route("/<round_id>")
@allow(Role.STAFF)
@blueprint.response(200, shapes.PlannedRoundOut)
def show(round_id: str) -> dict[str, Any]:
    """Show a round with its legs and offers."""
    return planned_json(queries.round_by_public_id(round_id))


@blueprint.route("/<round_id>", methods=["PUT"])
@allow(Role.STAFF)
@blueprint.arguments(shapes.RoundPlanIn)
@blueprint.response(200, shapes.PlannedRoundOut)
def revise(body: dict[str, Any], round_id: str) -> dict[str, Any]:
    """Change a round that has not closed, its hour included."""
    actions.revise_round(queries.round_by_public_id(round_id).id, RoundPlan(**body))
    return planned_json(queries.round_by_public_id(round_id))


@blueprint.route("/<round_id>/lots")
@allow(Role.STAFF)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.LotRowsOut)
def lots(query: dict[str, Any], round_id: str) -> dict[str, Any]:
    """List lots that may stand in the round and do not yet, the newest first."""
    page = planning.lots_page(queries.round_by_public_id(round_id).id, **query)
    return {"items": page.items, "next_cursor": page.next_cursor}


@blueprint.route("/<round_id>/offers", methods=["POST"])
@allow(Role.STAFF)
@keyed
@blueprint.arguments(shapes.RoundOfferIn)
@blueprint.response(201, shapes.PlannedRoundOut)
def add_offer(body: dict[str, Any], round_id: str) -> dict[str, Any]:
    """Put a lot on offer in the round; its seller gets a leg."""
    planned = queries.round_by_public_id(round_id)

    def act() -> dict[str, Any]:
        lot = found(planning.lot_for(planned.id, body["lot_id"]))
        terms = {name: body[name] for name in ("quota", "limit_per_buyer")}
        return {"id": actions.add_offer(planned.id, lot.id, body["price_fen"], **terms).public_id}

    once_for_program("planning.add_offer", {"round": round_id, **body}, act)
    return planned_json(queries.round_by_public_id(round_id))


@blueprint.route("/<round_id>/offers/<offer_id>/withdraw", methods=["POST"])
@allow(Role.STAFF)
@keyed
@blueprint.response(200, shapes.PlannedRoundOut)
def remove_offer(round_id: str, offer_id: str) -> dict[str, Any]:
    """Take an offer that nobody ordered out of the round."""
    planned = queries.round_by_public_id(round_id)

    def act() -> dict[str, Any]:
        actions.remove_offer(planned.id, offer_id)
        return {}

    body = {"round": round_id, "offer": offer_id}
    once_for_program("planning.remove_offer", body, act)
    return planned_json(queries.round_by_public_id(round_id))


@blueprint.route("/<round_id>/legs/<seller_id>", methods=["PUT"])
@allow(Role.STAFF)
@blueprint.arguments(shapes.LegIn)
@blueprint.response(200, shapes.PlannedRoundOut)
def set_leg(body: dict[str, Any], round_id: str, seller_id: str) -> dict[str, Any]:
    """Give a seller its leg of the round, or change its own cut-off."""
    planned = queries.round_by_public_id(round_id)
    actions.set_leg(planned.id, seller_key(seller_id), body["cutoff_at"])
    return planned_json(queries.round_by_public_id(round_id))
