"""JSON of the harvest: notices, quotas, yields and the allocation."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint
from marshmallow import RAISE
from sqlalchemy import select

from kernel.access import allow, found, viewer
from kernel.db import db
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role
from kernel.paging import Page
from orders.actions import harvest as actions
from orders.actions.yields import Harvested, allocate, enter_yield, withdraw_yield
from orders.api import harvest_schemas as shapes
from orders.api.pages import PageIn
from orders.model import HouseholdQuota, NoticeItem
from orders.queries import harvest as queries
from orders.queries import notices as reads
from orders.queries.notices import ItemView, NoticeView
from sellers.model import Household

blueprint = Blueprint(
    "harvest_api", __name__, url_prefix="/api/v1", description="From the notice to the allocation"
)


def item_json(view: ItemView) -> dict[str, Any]:
    """Return an item as `ItemOut` writes it."""
    numbers = {quota.household_id: quota.household.public_id for quota in view.quotas}
    return {
        "id": view.item.public_id,
        "product": view.item.lot.product.name_zh,
        "unit_name": view.item.lot.product.unit_name,
        "quantity": view.item.quantity,
        "to_split": view.to_split,
        "state": view.state.value,
        "yielded": view.yielded,
        "quotas": [quota_json(quota) for quota in view.quotas],
        "yields": [
            {
                "household_id": numbers.get(entry.household_id) if entry.household_id else None,
                "quantity": entry.quantity,
                "weight_g": entry.weight_g,
                "by_proxy": entry.by_proxy,
            }
            for entry in view.entries.values()
        ],
        "allocation": None
        if view.run is None
        else {
            "id": view.run.public_id,
            "policy": view.run.policy,
            "yielded": view.run.yielded,
            "allocated": view.run.allocated,
            "left_over": view.run.left_over,
        },
    }


def quota_json(quota: HouseholdQuota) -> dict[str, Any]:
    """Return a quota as `QuotaOut` writes it."""
    return {
        "id": quota.public_id,
        "household_id": quota.household.public_id,
        "household_number": quota.household.number,
        "quantity": quota.quantity,
        "state": quota.state.value,
        "by_proxy": quota.by_proxy,
    }


def notice_json(view: NoticeView[ItemView]) -> dict[str, Any]:
    """Return a notice as `NoticeOut` writes it."""
    row = view.notice
    return {
        "id": row.public_id,
        "round_id": row.round.public_id,
        "seller_id": row.seller.organisation.public_id,
        "seller": row.seller.name_zh,
        "made_at": row.made_at,
        "harvest_from": row.round.harvest_from,
        "harvest_to": row.round.harvest_to,
        "handover_on": row.round.handover_on,
        "items": [item_json(one) for one in view.items],
    }


@blueprint.route("/rounds/<round_id>/harvest-notices")
@allow(Role.CLERK, Role.STAFF, Role.ADMIN)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.NoticesOut)
def notices(query: dict[str, Any], round_id: str) -> dict[str, Any]:
    """List what must be harvested for a round: a seller sees its own notice, staff see all."""
    return _page_json(reads.whole_notices(viewer(), round_id, **query))


@blueprint.route("/harvest-notices")
@allow(Role.CLERK, Role.STAFF, Role.ADMIN)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, shapes.NoticesOut)
def all_notices(query: dict[str, Any]) -> dict[str, Any]:
    """List what must be harvested for every round, newest first: sellers their own, staff all."""
    return _page_json(reads.whole_notices(viewer(), **query))


def _page_json(page: Page[NoticeView[ItemView]]) -> dict[str, Any]:
    return {
        "items": [notice_json(view) for view in page.items],
        "next_cursor": page.next_cursor,
    }


@blueprint.route("/notice-items/<item_id>/proposal")
@allow(Role.CLERK, Role.STAFF)
@blueprint.response(200, shapes.ProposalOut)
def proposal(item_id: str) -> dict[str, Any]:
    """Propose a split by the households' shares; `?by=equal` in equal parts."""
    view = reads.item(item_id, viewer())
    among = queries.households(view.item.notice.seller_id)
    proposed = actions.propose(view.item, among, by_shares=request.args.get("by") != "equal")
    return {"quotas": [{"household_id": id_, "quantity": n} for id_, n in proposed.items()]}


@blueprint.route("/notice-items/<item_id>/quotas", methods=["PUT"])
@allow(Role.CLERK, Role.STAFF)
@blueprint.arguments(shapes.SplitIn)
@blueprint.response(200, shapes.ItemOut)
def split(body: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Split the whole item among the seller's households."""
    view = reads.item(item_id, viewer())
    units: dict[str, int] = {}
    for one in body["quotas"]:
        units[one["household_id"]] = units.get(one["household_id"], 0) + one["quantity"]
    actions.split(view.item.id, units)
    return item_json(reads.item(item_id, viewer()))


@blueprint.route("/quotas/<quota_id>/answer", methods=["POST"])
@allow(Role.CLERK, Role.STEWARD)
@blueprint.arguments(shapes.AnswerIn)
@blueprint.response(200, shapes.QuotaOut)
def answer(body: dict[str, Any], quota_id: str) -> dict[str, Any]:
    """Accept or decline a share: the household's steward (by proxy), or the seller's clerk."""
    quota = queries.quota(quota_id)
    acting = found(queries.acting_for(quota.household, viewer()))
    answered = actions.answer(
        quota.id,
        accept=body["accept"],
        account_id=viewer().account_id,
        by_proxy=acting.by_proxy,
    )
    return quota_json(answered)


@blueprint.route("/notice-items/<item_id>/yields", methods=["PUT"])
@allow(Role.CLERK, Role.STEWARD, Role.STAFF)
@keyed
@blueprint.arguments(shapes.YieldIn)
@blueprint.response(200, shapes.ItemOut)
def put_yield(body: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Enter or correct what was harvested; five times off needs `confirmed`."""
    item = found(queries.any_item(item_id))
    household = None
    by_proxy = False
    if body["household_id"] is None:
        reads.item(item_id, viewer())
    else:
        household = _household(item, body["household_id"])
        by_proxy = found(queries.acting_for(household, viewer())).by_proxy
    harvested = Harvested(body["quantity"], body["weight_g"], body["confirmed"])

    def act() -> dict[str, Any]:
        enter_yield(
            item.id,
            household.id if household else None,
            harvested,
            account_id=viewer().account_id,
            by_proxy=by_proxy,
        )
        answer = item_json(reads.item_view(item))
        return _of_one(answer, body["household_id"]) if by_proxy else answer

    return once_for_program("harvest.yield", {"item": item_id, **body}, act)


@blueprint.route("/notice-items/<item_id>/yields/withdraw", methods=["POST"])
@allow(Role.CLERK, Role.STAFF)
@keyed
@blueprint.arguments(shapes.WithdrawIn)
@blueprint.response(200, shapes.ItemOut)
def withdraw(body: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Take an entry back, as if nothing had been entered."""
    item = reads.item(item_id, viewer()).item
    household_id = None
    if body["household_id"] is not None:
        household_id = _household(item, body["household_id"]).id

    def act() -> dict[str, Any]:
        withdraw_yield(item.id, household_id)
        return item_json(reads.item_view(item))

    return once_for_program("harvest.withdraw", {"item": item_id, **body}, act)


@blueprint.route("/notice-items/<item_id>/allocation", methods=["POST"])
@allow(Role.CLERK, Role.STAFF, factor=True)
@keyed
@blueprint.arguments(shapes.AllocationIn)
@blueprint.response(201, shapes.ItemOut)
def put_allocation(body: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Divide the yield among the order lines, exactly once; refunds follow by themselves."""
    view = reads.item(item_id, viewer())

    def act() -> dict[str, Any]:
        allocate(view.item.id, body["policy"], account_id=viewer().account_id)
        return item_json(reads.item_view(view.item))

    return once_for_program("harvest.allocate", {"item": item_id, **body}, act)


def _of_one(answer: dict[str, Any], household_id: str) -> dict[str, Any]:
    """Leave in an item only what is about one household: a steward acts for it, not its seller."""
    kept = {
        name: [one for one in answer[name] if one["household_id"] == household_id]
        for name in ("quotas", "yields")
    }
    return {**answer, **kept}


def _household(item: NoticeItem, public_id: str) -> Household:
    """Return a household of the item's seller. Raises NotFound."""
    return found(
        db.session.scalar(
            select(Household).where(
                Household.public_id == public_id,
                Household.seller_id == item.notice.seller_id,
            )
        )
    )
