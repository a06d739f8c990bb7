"""JSON of a buying unit, for its coordinator: which units, staff lists, a year's purchases."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from kernel import clock
from kernel.access import allow, found, viewer
from kernel.fields import In
from kernel.identity import Role
from kernel.quantity import UNITS_TOGETHER
from orders.actions.members import set_staff_list
from orders.model import BuyingUnit
from orders.queries import members as people
from orders.queries import targets

MAX_STAFF = 10_000

blueprint = Blueprint("units_api", __name__, url_prefix="/api/v1/units", description="Buying units")


class UnitOut(Schema):
    """A buying unit that the caller coordinates."""

    id = fields.String(attribute="organisation.public_id")
    name_zh = fields.String()
    name_en = fields.String()


class UnitsOut(Schema):
    """All units that the caller coordinates."""

    items = fields.List(fields.Nested(UnitOut))
    next_cursor = fields.String(allow_none=True)


class StaffIn(In):
    """Somebody of the unit, by number."""

    staff_number = fields.String(required=True, validate=validate.Regexp(r"^[0-9A-Za-z-]{1,10}$"))
    department = fields.String(
        load_default="", validate=[validate.Length(max=40), validate.Regexp(r"^[^\r\n]*$")]
    )


class StaffListIn(In):
    """The whole list, in place of what there was."""

    staff = fields.List(
        fields.Nested(StaffIn), required=True, validate=validate.Length(max=MAX_STAFF)
    )


class StaffOut(Schema):
    """Somebody of the unit, by number."""

    staff_number = fields.String()
    department = fields.String()


class StaffListOut(Schema):
    """Everybody whom the unit lets in without being asked."""

    staff = fields.List(fields.Nested(StaffOut))


class YearIn(In):
    """Which year; this one otherwise."""

    year = fields.Integer(load_default=None, validate=validate.Range(2000, 2999))


class PurchaseOut(Schema):
    """What was bought of one product at one price in one round."""

    group_order_id = fields.String(attribute="group_order")
    round_title_zh = fields.String()
    round_title_en = fields.String()
    seller_name_zh = fields.String()
    seller_name_en = fields.String()
    places = fields.List(fields.String())
    certificate_number = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    unit_name = fields.String()
    price_fen = fields.Integer(attribute="price.fen")
    units = fields.Integer(metadata=UNITS_TOGETHER)
    total_fen = fields.Integer(attribute="total.fen")
    received_on = fields.Date(allow_none=True)


class YearOut(Schema):
    """A year's purchases beside the goal, which is null where there is none."""

    year = fields.Integer()
    goal_fen = fields.Integer(attribute="goal.fen", allow_none=True)
    committed_fen = fields.Integer(attribute="committed.fen")
    completed_fen = fields.Integer(attribute="completed.fen")
    items = fields.List(fields.Nested(PurchaseOut), attribute="purchases")


def _unit(public_id: str) -> BuyingUnit:
    """Return a unit that the viewer coordinates. Raises NotFound."""
    led = people.units_of(viewer().organisations(Role.COORDINATOR))
    return found(next((one for one in led if one.organisation.public_id == public_id), None))


@blueprint.route("")
@allow(Role.COORDINATOR)
@blueprint.response(200, UnitsOut)
def index() -> dict[str, Any]:
    """List all units that the caller coordinates: no more than it has memberships."""
    led = people.units_of(viewer().organisations(Role.COORDINATOR))
    return {"items": led, "next_cursor": None}


@blueprint.route("/<unit_id>/staff-list")
@allow(Role.COORDINATOR)
@blueprint.response(200, StaffListOut)
def show_staff(unit_id: str) -> dict[str, Any]:
    """Show the unit's staff list, all of it."""
    return {"staff": people.staff_list(_unit(unit_id).id)}


@blueprint.route("/<unit_id>/staff-list", methods=["PUT"])
@allow(Role.COORDINATOR)
@blueprint.arguments(StaffListIn)
@blueprint.response(200, StaffListOut)
def keep_staff(body: dict[str, Any], unit_id: str) -> dict[str, Any]:
    """Replace the unit's staff list; who waits and is on it now is let in."""
    unit = _unit(unit_id)
    lines = (f"{one['staff_number']} {one['department']}" for one in body["staff"])
    set_staff_list(unit.id, "\n".join(lines), sure=len(body["staff"]))
    return {"staff": people.staff_list(unit.id)}


@blueprint.route("/<unit_id>/purchases")
@allow(Role.COORDINATOR)
@blueprint.arguments(YearIn, location="query", unknown=RAISE)
@blueprint.response(200, YearOut)
def purchases(asked: dict[str, Any], unit_id: str) -> targets.Year:
    """Show what the unit bought in a year: what it signed for, and what is on its way to it."""
    year = asked["year"] or clock.today().year
    return targets.of_year(_unit(unit_id).id, year)
