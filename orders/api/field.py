"""JSON of a household's own task, known by its unguessable token: one answer, one figure."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from kernel.access import allow, viewer, visitor_key
from kernel.idempotency import keyed, once_for_program
from orders.actions import harvest as actions
from orders.actions.yields import Harvested, enter_yield
from orders.api import harvest_schemas as shapes
from orders.api.harvest import quota_json
from orders.model import HouseholdQuota
from orders.queries.notices import own_share
from orders.queries.tasks import acts_for, quota_of

blueprint = Blueprint(
    "field_api", __name__, url_prefix="/api/v1/field", description="A household's task"
)


def task_json(quota: HouseholdQuota) -> dict[str, Any]:
    """Return a household's task as `TaskOut` writes it."""
    share = own_share(quota)
    product = quota.item.lot.product
    return {
        **quota_json(quota),
        "product": product.name_zh,
        "unit_name": product.unit_name,
        "unit_g": product.unit_g,
        "yielded": share.entry.quantity if share.entry else None,
        "is_allocated": share.run is not None,
    }


@blueprint.route("/<token>")
@allow.everyone
@blueprint.response(200, shapes.TaskOut)
def show(token: str) -> dict[str, Any]:
    """Show the task to whoever holds its token."""
    return task_json(quota_of(token))


@blueprint.route("/<token>/answer", methods=["POST"])
@allow.everyone
@blueprint.arguments(shapes.AnswerIn)
@blueprint.response(200, shapes.TaskOut)
def answer(body: dict[str, Any], token: str) -> dict[str, Any]:
    """Take the task, or not."""
    quota = quota_of(token)
    account_id, by_proxy = acts_for(quota, viewer())
    actions.answer(quota.id, accept=body["accept"], account_id=account_id, by_proxy=by_proxy)
    return task_json(quota_of(token))


@blueprint.route("/<token>/yield", methods=["PUT"])
@allow.everyone
@keyed
@blueprint.arguments(shapes.OwnYieldIn)
@blueprint.response(200, shapes.TaskOut)
def enter(body: dict[str, Any], token: str) -> dict[str, Any]:
    """Say how much was harvested; five times off needs `confirmed`."""
    quota = quota_of(token)
    account_id, by_proxy = acts_for(quota, viewer())
    if account_id is None:
        visitor_key()
    harvested = Harvested(body["quantity"], body["weight_g"], body["confirmed"])

    def act() -> dict[str, Any]:
        enter_yield(
            quota.item_id,
            quota.household_id,
            harvested,
            account_id=account_id,
            by_proxy=by_proxy,
        )
        return task_json(quota)

    sent = {"quota": quota.public_id, **body}
    return once_for_program("field.enter", sent, act)
