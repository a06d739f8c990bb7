"""JSON of consignments: packed, sent, signed for."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel.access import allow, found, viewer
from kernel.errors import Invalid
from kernel.idempotency import keyed
from kernel.identity import Role
from kernel.paging import Page
from orders.actions import handover
from orders.api import harvest_schemas as shapes
from orders.api.once import once
from orders.api.pages import PageIn
from orders.queries import handover as consignments
from orders.queries import packable
from orders.queries.handover import ConsignmentView
from orders.queries.keys import group_order_key, order_key, seller_key

blueprint = Blueprint(
    "delivery_api", __name__, url_prefix="/api/v1", description="From packing to the signature"
)


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
    lines = handover.packable(viewer().organisation(Role.CLERK))
    page = packable.to_pack_page(lines, **query)
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

    return once("delivery.pack", body, act)


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

    return once("delivery.send", {"consignment": consignment_id, **body}, act)


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

    return once("delivery.sign", {"consignment": consignment_id, **body}, act)


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

    return once("delivery.receive", {"order": number}, act)
