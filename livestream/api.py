"""Broadcasts as JSON: plan, pin, start, end, touch, and the board with its ETag."""

from __future__ import annotations

from typing import Any

from flask import make_response, request
from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel.access import allow, found, viewer, visitor_key
from kernel.db import db
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role
from livestream import actions, queries
from livestream.actions import Pin, Plan
from livestream.board import board_of
from livestream.schemas import (
    BoardOut,
    BroadcastOut,
    BroadcastsOut,
    NextOut,
    PinIn,
    PinOut,
    PinQuotaIn,
    PinQuotaOut,
    PlanIn,
    ShareLinkIn,
    ShareLinkOut,
    TouchOut,
    ViewsIn,
)
from orders.api.pages import PageIn
from sellers.model import Offer

blueprint = Blueprint(
    "broadcasts_api",
    __name__,
    url_prefix="/api/v1/broadcasts",
    description="Livestreams and online fairs",
)
links = Blueprint(
    "links_api", __name__, url_prefix="/api/v1/links", description="Links that people share"
)
HOSTS = (Role.HOST, Role.STAFF)
SHARERS = (Role.HOST, Role.STAFF, Role.STEWARD, Role.OFFICIAL, Role.COORDINATOR, Role.CLERK)


@blueprint.route("", methods=["GET"])
@allow(*HOSTS)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, BroadcastsOut)
def mine(query: dict[str, Any]) -> Any:
    """List the broadcasts that one hosts or organises, staff all: first what has not ended."""
    return queries.mine(viewer(), **query)


@blueprint.route("", methods=["POST"])
@allow(*HOSTS)
@blueprint.arguments(PlanIn)
@blueprint.response(201, BroadcastOut)
def plan(body: dict[str, Any]) -> Any:
    """Plan a broadcast."""
    return actions.plan_broadcast(viewer(), Plan(**body))


@blueprint.route("/<code>/pins", methods=["POST"])
@allow(*HOSTS)
@keyed
@blueprint.arguments(PinIn)
@blueprint.response(201, PinOut)
def pin(body: dict[str, Any], code: str) -> Any:
    """Put a lot on sale in a broadcast."""

    def act() -> dict[str, Any]:
        asked = Pin(body["lot_id"], body["price_fen"], body["quota"], body["limit_per_buyer"])
        pinned = actions.pin_offer(viewer(), code, asked)
        return {"offer_id": found(db.session.get(Offer, pinned.offer_id)).public_id}

    return once_for_program(f"broadcasts.pin:{code}", body, act)


@blueprint.route("/<code>/offers/<offer>/quota", methods=["POST"])
@allow(*HOSTS)
@keyed
@blueprint.arguments(PinQuotaIn)
@blueprint.response(200, PinQuotaOut)
def quota(body: dict[str, Any], code: str, offer: str) -> Any:
    """Offer more units of what is pinned."""

    def act() -> dict[str, Any]:
        raised = actions.add_quota(viewer(), code, offer, body["units"])
        return {"offer_id": raised.public_id, "quota": raised.quota}

    sent = {"broadcast": code, **body}
    return once_for_program(f"broadcasts.quota:{offer}", sent, act)


@blueprint.route("/<code>/next", methods=["POST"])
@allow(*HOSTS)
@blueprint.response(200, NextOut)
def show_next(code: str) -> dict[str, Any]:
    """Put the next pinned offer before the viewers, round and round."""
    shown = actions.show_next(viewer(), code)
    offer = found(db.session.get(Offer, shown.offer_id)) if shown else None
    return {"offer_id": offer.public_id if offer else None}


@blueprint.route("/<code>/start", methods=["POST"])
@allow(*HOSTS)
@blueprint.response(200, BroadcastOut)
def start(code: str) -> Any:
    """Go live. Starting twice changes nothing."""
    return actions.start(viewer(), code)


@blueprint.route("/<code>/end", methods=["POST"])
@allow(*HOSTS)
@blueprint.response(200, BroadcastOut)
def end(code: str) -> Any:
    """End it. Ending twice changes nothing."""
    return actions.end(viewer(), code)


@blueprint.route("/<code>/views", methods=["POST"])
@allow(*HOSTS)
@blueprint.arguments(ViewsIn)
@blueprint.response(204)
def views(body: dict[str, Any], code: str) -> None:
    """Report how many watched; shown apart from what is measured."""
    actions.report_views(viewer(), code, body["views"])


@blueprint.route("/<code>/touches", methods=["POST"])
@allow.everyone
@blueprint.response(201, TouchOut)
def touched(code: str) -> Any:
    """Record that this visitor came through the broadcast."""
    broadcast = found(queries.by_code(code))
    actions.touch(broadcast.credit, visitor_key(), viewer().account_id)
    return {"code": code}


@blueprint.route("/<code>/board", methods=["GET"])
@allow(Role.HOST, Role.STAFF, Role.AUDITOR, Role.ADMIN)
@blueprint.alt_response(200, schema=BoardOut)
def board(code: str) -> Any:
    """A broadcast's figures; 304 while nothing changed."""
    figures = board_of(actions.readable(viewer(), code))
    if request.if_none_match.contains(figures.etag):
        answer = make_response("", 304)
    else:
        answer = make_response(BoardOut().dump(figures))
    answer.set_etag(figures.etag)
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@links.route("", methods=["POST"])
@allow(*SHARERS)
@links.arguments(ShareLinkIn)
@links.response(201, ShareLinkOut)
def make_link(body: dict[str, Any]) -> dict[str, Any]:
    """Make a share link of one's own. It counts influence and pays no commission."""
    made = actions.make_share_link(
        viewer(), body["title_zh"], body["title_en"], offer_public_id=body["offer_id"]
    )
    return {
        "code": made.code,
        "title_zh": made.title_zh,
        "title_en": made.title_en,
        "path": f"/s/{made.code}",
    }
