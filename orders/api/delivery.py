"""JSON of consignments and settlements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel.access import allow, found, viewer
from kernel.errors import Invalid
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role
from kernel.paging import Page
from kernel.second_person import Proposal
from orders.actions import handover, settlement
from orders.api import harvest_schemas as shapes
from orders.api.pages import PageIn
from orders.queries import handover as consignments
from orders.queries import settlement as settlements
from orders.queries.handover import ConsignmentView
from orders.queries.keys import group_order_key, order_key, round_key, seller_key
from orders.queries.settlement import SettlementView

ALL_BOOKS = (Role.STAFF, Role.AUDITOR)

blueprint = Blueprint(
    "delivery_api", __name__, url_prefix="/api/v1", description="From packing to the payout"
)

# Stored answers are JSON; the schemas write times from datetimes.
_TIMES = ("packed_at", "sent_at", "signed_at", "stated_at", "paid_at")


def _once(endpoint: str, body: Any, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    def as_json() -> dict[str, Any]:
        answer = act()
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in answer.items()
        }

    answer = once_for_program(endpoint, body, as_json)
    return {
        name: datetime.fromisoformat(value) if name in _TIMES and value else value
        for name, value in answer.items()
    }


def consignment_json(view: ConsignmentView) -> dict[str, Any]:
    """Return a consignment as `ConsignmentOut` writes it."""
    row = view.consignment
    return {
        "id": row.public_id,
        "group_order_id": view.group_order.public_id if view.group_order else None,
        "order_number": view.order.number if view.order else None,
        "carrier": row.carrier,
        "waybill": row.waybill,
        "packed_at": row.packed_at,
        "sent_at": row.sent_at,
        "signed_at": row.signed_at,
        "lines": [
            {
                "order_number": one.line.order.number,
                "product": one.line.name_zh,
                "unit_name": one.line.unit_name,
                "quantity": one.quantity,
            }
            for one in row.lines
        ],
    }


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
        "lines": len(row.lines),
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


def _seller(public_id: str | None) -> int:
    """Return the seller that this viewer handles: staff name it, a clerk has one."""
    who = viewer()
    if public_id is None:
        return who.organisation(Role.CLERK)
    seller_id = seller_key(public_id)
    mine = who.has(Role.STAFF) or who.belongs(seller_id, Role.CLERK)
    return found(seller_id if mine else None)


@blueprint.route("/packing")
@allow(Role.CLERK)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.PackingOut)
def packing(query: dict[str, Any]) -> dict[str, Any]:
    """List what the seller could pack now: allocated and paid, or paid in the shop and ripe."""
    packable = handover.packable(viewer().organisation(Role.CLERK))
    page = consignments.to_pack_page(packable, **query)
    items = [
        {
            "group_order_id": one.group_order.public_id if one.group_order else None,
            "order_number": one.order.number if one.order else None,
            "lines": one.lines,
            "units": one.units,
        }
        for one in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


@blueprint.route("/consignments")
@allow(Role.CLERK)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.ConsignmentsOut)
def sent(query: dict[str, Any]) -> dict[str, Any]:
    """List the seller's consignments, newest first."""
    page = consignments.page_of_seller(viewer().organisation(Role.CLERK), **query)
    return _consignments(page)


def _consignments(page: Page[ConsignmentView]) -> dict[str, Any]:
    return {
        "items": [consignment_json(view) for view in page.items],
        "next_cursor": page.next_cursor,
    }


@blueprint.route("/arrivals")
@allow(Role.COORDINATOR)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.ConsignmentsOut)
def arrivals(query: dict[str, Any]) -> dict[str, Any]:
    """List what is on its way to the coordinator's units, and what was signed for."""
    units = viewer().organisations(Role.COORDINATOR)
    return _consignments(consignments.page_of_units(units, **query))


@blueprint.route("/consignments", methods=["POST"])
@allow(Role.CLERK, Role.STAFF)
@keyed
@blueprint.arguments(shapes.PackIn)
@blueprint.response(201, shapes.ConsignmentOut)
def pack(body: dict[str, Any]) -> dict[str, Any]:
    """Pack a seller's goods for a group order, or for one order."""
    if (body["group_order_id"] is None) == (body["order_number"] is None):
        raise Invalid(code="one_destination")
    seller_id = _seller(body["seller_id"])

    def act() -> dict[str, Any]:
        if body["group_order_id"]:
            made = handover.pack(seller_id, group_order_key(body["group_order_id"]))
        else:
            made = handover.pack_order(seller_id, order_key(body["order_number"]))
        return consignment_json(consignments.consignment(made.public_id, viewer()))

    return _once("delivery.pack", body, act)


@blueprint.route("/consignments/<consignment_id>")
@allow(Role.CLERK, Role.STAFF, Role.COORDINATOR, Role.CONSUMER)
@blueprint.response(200, shapes.AddressedOut)
def show(consignment_id: str) -> dict[str, Any]:
    """Show a consignment to whoever sends, signs or oversees it."""
    view = consignments.consignment(consignment_id, viewer())
    return {**consignment_json(view), "recipient": view.recipient}


@blueprint.route("/consignments/<consignment_id>/sending", methods=["POST"])
@allow(Role.CLERK, Role.STAFF)
@keyed
@blueprint.arguments(shapes.SendIn)
@blueprint.response(200, shapes.ConsignmentOut)
def send(body: dict[str, Any], consignment_id: str) -> dict[str, Any]:
    """Record that a consignment left."""
    view = consignments.consignment(consignment_id, viewer())
    found(view if consignments.may_send(view.consignment, viewer()) else None)

    def act() -> dict[str, Any]:
        handover.send(view.consignment.id, body["carrier"], body["waybill"])
        return consignment_json(view)

    return _once("delivery.send", {"consignment": consignment_id, **body}, act)


@blueprint.route("/consignments/<consignment_id>/signature", methods=["POST"])
@allow(Role.COORDINATOR, Role.CONSUMER)
@keyed
@blueprint.arguments(shapes.SignIn)
@blueprint.response(200, shapes.ConsignmentOut)
def sign(body: dict[str, Any], consignment_id: str) -> dict[str, Any]:
    """Sign for a consignment: the unit's coordinator, or the buyer of the one order."""
    view = consignments.consignment(consignment_id, viewer())
    found(view if consignments.may_sign(view, viewer()) else None)

    def act() -> dict[str, Any]:
        handover.sign(view.consignment.id, body["signature"], account_id=viewer().account_id)
        return consignment_json(view)

    return _once("delivery.sign", {"consignment": consignment_id, **body}, act)


@blueprint.route("/orders/<number>/consignments")
@allow.everyone
@blueprint.response(200, shapes.ConsignmentsOut)
def of_order(number: str) -> dict[str, Any]:
    """List all that was packed and sent of one buyer's order: no more than it has lines."""
    order = consignments.receivable(number, viewer())
    rows = consignments.of_order(order.id)
    return {"items": [consignment_json(view) for view in rows], "next_cursor": None}


@blueprint.route("/orders/<number>/receipt", methods=["POST"])
@allow.everyone
@keyed
@blueprint.response(200, shapes.ReceivedOut)
def receive(number: str) -> dict[str, Any]:
    """Confirm that what was sent of an order has arrived: its buyer, or staff."""
    order = consignments.receivable(number, viewer())

    def act() -> dict[str, Any]:
        handover.receive(order.id, account_id=viewer().account_id)
        return {"number": number, "state": order.state}

    return _once("delivery.receive", {"order": number}, act)


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
    seller_id = _seller(body["seller_id"])
    round_id = None if body["round_id"] is None else round_key(body["round_id"])

    def act() -> dict[str, Any]:
        made = settlement.state_settlement(seller_id, round_id, account_id=viewer().account_id)
        return settlement_json(settlements.settlement(made.public_id, viewer()))

    return _once("delivery.settle", body, act)


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
    account_id = viewer().account_id
    assert account_id is not None

    def once_done() -> dict[str, Any]:
        act(row_id, account_id)
        return settlement_json(settlements.settlement(settlement_id, viewer()))

    return _once(endpoint, {"settlement": settlement_id, **body}, once_done)
