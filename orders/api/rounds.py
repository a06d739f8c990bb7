"""JSON of order-then-harvest from the buying unit's side."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel import clock
from kernel.access import allow, found, my_account, viewer
from kernel.errors import Invalid, NotFound
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Membership, Role
from orders.actions import members as member_actions
from orders.actions.closing import close_group_order
from orders.actions.group_orders import open_group_order, set_needs
from orders.addresses import join_url
from orders.api import rounds_schemas as shapes
from orders.api.pages import PageIn
from orders.model import BuyingUnit, GroupOrder, PayMode, Round
from orders.queries import members as people
from orders.queries import rounds as queries
from orders.queries import units
from orders.queries.rounds import RoundItem

blueprint = Blueprint(
    "rounds_api", __name__, url_prefix="/api/v1", description="Order first, then harvest"
)


def round_json(planned: Round, items: list[RoundItem]) -> dict[str, Any]:
    """Return a round as `RoundOut` writes it."""
    return {
        "id": planned.public_id,
        "title": planned.title_zh,
        "region": planned.region,
        "opens_at": planned.opens_at,
        "closes_at": planned.closes_at,
        "is_open": planned.is_open(clock.now()),
        "harvest_from": planned.harvest_from,
        "harvest_to": planned.harvest_to,
        "handover_on": planned.handover_on,
        "handover_place": planned.handover_place,
        "offers": [
            {
                "id": item.offer.public_id,
                "product": item.offer.product.name_zh,
                "seller": item.offer.seller.name_zh,
                "unit_name": item.offer.product.unit_name,
                "price_fen": item.offer.price_fen,
                "case_units": item.offer.product.case_units,
                "ordered": item.offer.sold,
                "left": item.offer.left,
                "cutoff_at": item.cutoff_at,
            }
            for item in items
        ],
    }


def group_json(group: GroupOrder) -> dict[str, Any]:
    """Return a group order as `GroupOrderOut` writes it for this viewer."""
    who = viewer()
    own = queries.order_of_member(group.id, who.account_id) if who.account_id else None
    lines = own.lines if own else []
    names = queries.offer_codes([line.offer_id for line in lines])
    leads = who.belongs(group.unit_id, Role.COORDINATOR)
    progress = units.progress(group) if leads else None
    by_unit = leads and group.pay_mode is PayMode.UNIT
    owed = units.payments_of(group.id) if by_unit else []
    return {
        "id": group.public_id,
        "round_id": group.round.public_id,
        "unit": group.unit.name_zh,
        "state": group.state.value,
        "pay_mode": group.pay_mode.value,
        "pay_by": group.pay_by,
        "closes_at": group.round.closes_at,
        "join_url": join_url(group) if leads else None,
        "people": progress.people if progress else None,
        "total_fen": progress.total.fen if progress else None,
        "totals": None if progress is None else [_total(need) for need in progress.needs],
        "payment_id": owed[0].public_id if owed else None,
        "my_needs": [
            {"offer_id": names[line.offer_id], "quantity": line.quantity} for line in lines
        ],
    }


def _total(need: units.Need) -> dict[str, Any]:
    return {
        "offer_id": need.item.offer.public_id,
        "units": need.units,
        "people": need.people,
        "total_fen": need.total.fen,
        "full_cases": need.crate.full,
        "open_case": need.crate.inside,
    }


def _member(one: Membership) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state.value,
        "staff_number": one.staff_number,
        "department": one.department,
    }


@blueprint.route("/rounds")
@allow.everyone
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.RoundsOut)
def list_rounds(query: dict[str, Any]) -> dict[str, Any]:
    """List the rounds that are open or to come, with what can be ordered in them."""
    page = queries.rounds_ahead_page(clock.now(), **query)
    items = queries.items_of_rounds([row.round.id for row in page.items])
    return {
        "items": [round_json(row.round, items[row.round.id]) for row in page.items],
        "next_cursor": page.next_cursor,
    }


@blueprint.route("/rounds/<round_id>")
@allow.everyone
@blueprint.response(200, shapes.RoundOut)
def show_round(round_id: str) -> dict[str, Any]:
    """Show one round."""
    planned = queries.round_by_public_id(round_id)
    return round_json(planned, queries.items_of(planned.id))


@blueprint.route("/rounds/<round_id>/group-orders", methods=["POST"])
@allow(Role.COORDINATOR)
@keyed
@blueprint.arguments(shapes.OpenIn)
@blueprint.response(201, shapes.GroupOrderOut)
def open_(body: dict[str, Any], round_id: str) -> dict[str, Any]:
    """Open the unit's group order in a round, once."""
    planned = queries.round_by_public_id(round_id)
    unit = _unit(body["unit_id"])

    def act() -> dict[str, Any]:
        made = open_group_order(my_account(), unit, planned.id, body["pay_mode"])
        return {"id": made.public_id}

    answer = once_for_program("group_orders.open", {"round": round_id, **body}, act)
    return group_json(queries.group_order_for(answer["id"], viewer(), Role.COORDINATOR))


def _unit(public_id: str | None) -> int:
    """Return the unit that is meant, among those that the viewer coordinates."""
    led = people.units_of(viewer().organisations(Role.COORDINATOR))
    if public_id is None:
        if len(led) == 1:
            return led[0].id
        raise Invalid(fields={"unit_id": _l("你管着几个单位，写明是哪一个。")}, code="unit_needed")
    return _one_of(led, public_id).id


def _one_of(led: list[BuyingUnit], public_id: str) -> BuyingUnit:
    for unit in led:
        if unit.organisation.public_id == public_id:
            return unit
    raise NotFound()


@blueprint.route("/group-orders/<group_id>")
@allow(Role.OFFICIAL, Role.COORDINATOR)
@blueprint.response(200, shapes.GroupOrderOut)
def show(group_id: str) -> dict[str, Any]:
    """Show a group order: its totals to the coordinator, to a member its own needs."""
    return group_json(queries.group_order_for(group_id, viewer(), Role.OFFICIAL, Role.COORDINATOR))


@blueprint.route("/group-orders/<group_id>/needs", methods=["PUT"])
@allow(Role.OFFICIAL)
@keyed
@blueprint.arguments(shapes.NeedsIn)
@blueprint.response(200, shapes.NeedsOut)
def put_needs(body: dict[str, Any], group_id: str) -> dict[str, Any]:
    """Set all that the member needs, in place of what it needed before."""
    group = queries.group_order_for(group_id, viewer(), Role.OFFICIAL)
    ids = {item.offer.public_id: item.offer.id for item in queries.items_of(group.round_id)}
    names = {key: name for name, key in ids.items()}
    wanted: dict[int, int] = {}
    for need in body["needs"]:
        offer_id = found(ids.get(need["offer_id"]))
        if offer_id in wanted:
            raise Invalid(code="offer_repeated", fields={"needs": _l("同一个上架只写一次。")})
        wanted[offer_id] = need["quantity"]

    def act() -> dict[str, Any]:
        needs = set_needs(group.id, my_account(), wanted)
        kept = [{"offer_id": names[key], "quantity": n} for key, n in needs.units.items()]
        return {"number": needs.number, "total_fen": needs.total.fen, "needs": kept}

    return once_for_program("group_orders.needs", {"group": group_id, **body}, act)


@blueprint.route("/group-orders/<group_id>/close", methods=["POST"])
@allow(Role.COORDINATOR)
@keyed
@blueprint.response(200, shapes.GroupOrderOut)
def close(group_id: str) -> dict[str, Any]:
    """Close a group order before its round closes."""
    group = queries.group_order_for(group_id, viewer(), Role.COORDINATOR)

    def act() -> dict[str, Any]:
        close_group_order(group.id)
        return {}

    once_for_program("group_orders.close", {"group": group_id}, act)
    return group_json(queries.group_order_for(group_id, viewer(), Role.COORDINATOR))


@blueprint.route("/join/<code>", methods=["POST"])
@allow(Role.CONSUMER)
@blueprint.arguments(shapes.JoinIn)
@blueprint.response(200, shapes.MemberOut)
def join(body: dict[str, Any], code: str) -> dict[str, Any]:
    """Join the unit to which a code leads: active by its staff list, else pending."""
    return _member(member_actions.join(my_account(), code, **body))


@blueprint.route("/group-orders/<group_id>/members")
@allow(Role.COORDINATOR)
@blueprint.response(200, shapes.MembersOut)
def list_members(group_id: str) -> dict[str, Any]:
    """List all the unit's members, those who wait first: no more than it has people."""
    group = queries.group_order_for(group_id, viewer(), Role.COORDINATOR)
    return {"items": [_member(one) for one in people.members(group.unit_id)], "next_cursor": None}


@blueprint.route("/group-orders/<group_id>/members/<int:membership_id>/approve", methods=["POST"])
@allow(Role.COORDINATOR)
@blueprint.response(200, shapes.MemberOut)
def approve(group_id: str, membership_id: int) -> dict[str, Any]:
    """Let a pending member of the unit in."""
    group = queries.group_order_for(group_id, viewer(), Role.COORDINATOR)
    return _member(member_actions.approve(group.unit_id, membership_id))


@blueprint.route("/group-orders/<group_id>/members/<int:membership_id>/decline", methods=["POST"])
@allow(Role.COORDINATOR)
@blueprint.response(200, shapes.MemberOut)
def decline(group_id: str, membership_id: int) -> dict[str, Any]:
    """Turn a pending member of the unit away."""
    group = queries.group_order_for(group_id, viewer(), Role.COORDINATOR)
    return _member(member_actions.decline(group.unit_id, membership_id))


@blueprint.route("/group-orders/<group_id>/members/<int:membership_id>/end", methods=["POST"])
@allow(Role.COORDINATOR)
@keyed
@blueprint.response(200, shapes.MemberOut)
def end(group_id: str, membership_id: int) -> dict[str, Any]:
    """End the membership of somebody who left: what it needs in open group orders is withdrawn."""
    group = queries.group_order_for(group_id, viewer(), Role.COORDINATOR)
    leader = my_account()
    return once_for_program(
        "group_orders.end_member",
        {"group": group_id, "member": membership_id},
        lambda: _member(member_actions.dismiss(group.unit_id, membership_id, by=leader)),
    )
