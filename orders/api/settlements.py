"""JSON of settlements: what sellers are owed, paid out, and brought back by the bank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel.access import allow, my_account, viewer
from kernel.idempotency import keyed
from kernel.identity import Role
from kernel.second_person import Proposal
from orders.actions import settlement
from orders.api import harvest_schemas as shapes
from orders.api.once import once
from orders.api.pages import PageIn
from orders.queries import settlement as settlements
from orders.queries.keys import round_key, seller_key
from orders.queries.settlement import SettlementView

ALL_BOOKS = (Role.STAFF, Role.AUDITOR)

blueprint = Blueprint(
    "settlements_api", __name__, url_prefix="/api/v1", description="From the receipt to the payout"
)


def _proposal_json(asked: Proposal | None) -> dict[str, Any] | None:
    if asked is None or not viewer().has(*ALL_BOOKS):
        return None
    return {
        "state": asked.state.value,
        "reason": asked.reason,
        "proposed_by": asked.proposer.name_zh,
        "proposed_at": asked.proposed_at.isoformat(),
        "decided_by": asked.decider.name_zh if asked.decider else None,
        "decided_at": asked.decided_at.isoformat() if asked.decided_at else None,
        "answer": asked.answer,
    }


def settlement_json(view: SettlementView) -> dict[str, Any]:
    """Return a settlement as `SettlementOut` writes it."""
    row = view.settlement
    return {
        "id": row.public_id,
        "seller_id": row.seller.organisation.public_id,
        "round_id": view.round.public_id if view.round else None,
        "state": row.state.value,
        "lines": view.lines,
        "total_fen": row.total_fen,
        "households_fen": view.households.fen,
        "own_fen": view.own.fen,
        "stated_at": row.stated_at,
        "paid_at": row.paid_at,
        "payout_reference": row.payout_reference,
        "payout": _proposal_json(view.payout),
        "payout_return": _proposal_json(view.payout_return),
        "returned": [
            {
                "payout_reference": one.facts["payout_reference"],
                "reference": one.facts["reference"],
                "reason": one.reason,
                "returned_at": one.decided_at.isoformat() if one.decided_at else "",
            }
            for one in view.returns
        ],
        "shares": [
            {
                "household_number": share.household.number,
                "kind": share.kind,
                "units": share.units,
                "amount_fen": share.amount_fen,
            }
            for share in row.shares
        ],
    }


@blueprint.route("/settlements")
@allow(Role.CLERK, Role.STAFF, Role.AUDITOR)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.SettlementsOut)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List settlements, newest first: a seller sees its own, staff and auditors see all."""
    page = settlements.settlements_page(viewer(), **query)
    return {
        "items": [settlement_json(view) for view in page.items],
        "next_cursor": page.next_cursor,
    }


@blueprint.route("/settlements/waiting")
@allow(Role.CLERK, Role.STAFF)
@blueprint.response(200, shapes.WaitingOut)
def waiting() -> dict[str, Any]:
    """List all that waits for a settlement: one row for each seller and round, never cut short."""
    who = viewer()
    sellers = None if who.has(Role.STAFF) else who.organisations(Role.CLERK)
    items = [
        {
            "seller_id": one.seller.organisation.public_id,
            "round_id": one.round.public_id if one.round else None,
            "arrived": one.arrived,
            "lines": one.lines,
            "amount_fen": one.amount.fen,
        }
        for one in settlements.to_settle(sellers)
    ]
    return {"items": items, "next_cursor": None}


@blueprint.route("/settlements", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.SettleIn)
@blueprint.response(201, shapes.SettlementOut)
def state(body: dict[str, Any]) -> dict[str, Any]:
    """State what a seller is owed for what was handed over and is not settled yet."""
    seller_id = seller_key(body["seller_id"])
    round_id = None if body["round_id"] is None else round_key(body["round_id"])

    def act() -> dict[str, Any]:
        made = settlement.state_settlement(seller_id, round_id, account_id=viewer().account_id)
        return settlement_json(settlements.settlement(made.public_id, viewer(), shares=True))

    return once("delivery.settle", body, act)


@blueprint.route("/settlements/<settlement_id>/payout", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.PayOutIn)
@blueprint.response(200, shapes.SettlementOut)
def propose_payout(body: dict[str, Any], settlement_id: str) -> dict[str, Any]:
    """Propose to record the transfer of a settlement; a second person approves it."""

    def act(row_id: int, account_id: int) -> None:
        settlement.propose_payout(row_id, **body, account_id=account_id)

    return _payout("delivery.payout", settlement_id, body, act)


@blueprint.route("/settlements/<settlement_id>/payout/approval", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.response(200, shapes.SettlementOut)
def approve_payout(settlement_id: str) -> dict[str, Any]:
    """Record the transfer that somebody else proposed; never one's own."""

    def act(row_id: int, account_id: int) -> None:
        settlement.approve_payout(row_id, account_id=account_id)

    return _payout("delivery.approve", settlement_id, {}, act)


@blueprint.route("/settlements/<settlement_id>/payout/refusal", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.TurnDownIn)
@blueprint.response(200, shapes.SettlementOut)
def turn_down_payout(body: dict[str, Any], settlement_id: str) -> dict[str, Any]:
    """Decline a payout that waits, or take one's own back; it may then be proposed anew."""

    def act(row_id: int, account_id: int) -> None:
        settlement.turn_down_payout(row_id, body["answer"], account_id=account_id)

    return _payout("delivery.turn_down", settlement_id, body, act)


@blueprint.route("/settlements/<settlement_id>/return", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.PayoutReturnIn)
@blueprint.response(200, shapes.SettlementOut)
def propose_return(body: dict[str, Any], settlement_id: str) -> dict[str, Any]:
    """Propose to record that the bank returned a payout; a second person approves it."""

    def act(row_id: int, account_id: int) -> None:
        settlement.propose_return(row_id, **body, account_id=account_id)

    return _payout("delivery.return", settlement_id, body, act)


@blueprint.route("/settlements/<settlement_id>/return/approval", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.response(200, shapes.SettlementOut)
def approve_return(settlement_id: str) -> dict[str, Any]:
    """Record the return that somebody else proposed; the settlement is to be paid out again."""

    def act(row_id: int, account_id: int) -> None:
        settlement.approve_return(row_id, account_id=account_id)

    return _payout("delivery.approve_return", settlement_id, {}, act)


@blueprint.route("/settlements/<settlement_id>/return/refusal", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.TurnDownIn)
@blueprint.response(200, shapes.SettlementOut)
def turn_down_return(body: dict[str, Any], settlement_id: str) -> dict[str, Any]:
    """Decline a return that waits, or take one's own back; it may then be proposed anew."""

    def act(row_id: int, account_id: int) -> None:
        settlement.turn_down_return(row_id, body["answer"], account_id=account_id)

    return _payout("delivery.turn_down_return", settlement_id, body, act)


def _payout(
    endpoint: str, settlement_id: str, body: dict[str, Any], act: Callable[[int, int], None]
) -> dict[str, Any]:
    """Do `act` once with the settlement's and the viewer's ids, and show the settlement."""
    row_id = settlements.settlement(settlement_id, viewer()).settlement.id
    account_id = my_account()

    def once_done() -> dict[str, Any]:
        act(row_id, account_id)
        return settlement_json(settlements.settlement(settlement_id, viewer(), shares=True))

    return once(endpoint, {"settlement": settlement_id, **body}, once_done)
