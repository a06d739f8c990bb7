"""Households behind a seller, masked; and how income reaches them."""

from __future__ import annotations

from typing import Any

from kernel.access import allow, my_account, viewer
from kernel.identity import Role
from kernel.paging import Page
from sellers import actions, household_schemas, schemas
from sellers.api.room import blueprint
from sellers.me import my_seller
from sellers.model import BenefitPlan, Household
from sellers.queries import workspace
from sellers.web.households import in_my_care, known_household


def _facts(payload: dict[str, Any]) -> actions.HouseholdFacts:
    told = {name: value for name, value in payload.items() if name != "steward_login"}
    steward_id = actions.steward_called(payload["steward_login"], my_seller())
    return actions.HouseholdFacts(steward_id=steward_id, **told)


@blueprint.route("/households", methods=["GET"])
@allow(Role.CLERK, Role.STEWARD)
@blueprint.arguments(schemas.OwnPageIn, location="query")
@blueprint.response(200, household_schemas.HouseholdsOut)
def households(query: dict[str, Any]) -> Page[Household]:
    """List the seller's households; a steward's are those in their care."""
    clerk = viewer().has(Role.CLERK)
    return workspace.households(
        seller_id=my_seller() if clerk else None,
        steward=None if clerk else viewer(),
        cursor=query["cursor"],
    )


@blueprint.route("/households", methods=["POST"])
@allow(Role.CLERK)
@blueprint.arguments(household_schemas.HouseholdIn)
@blueprint.response(201, household_schemas.HouseholdDetailOut)
def add_household(payload: dict[str, Any]) -> Household:
    """Add a household."""
    return actions.add_household(my_seller(), _facts(payload))


@blueprint.route("/households/<public_id>", methods=["GET"])
@allow(Role.CLERK, Role.STEWARD)
@blueprint.response(200, household_schemas.HouseholdDetailOut)
def household(public_id: str) -> Household:
    """Show a household, masked."""
    return known_household(public_id)


@blueprint.route("/households/<public_id>", methods=["PUT"])
@allow(Role.CLERK)
@blueprint.arguments(household_schemas.HouseholdIn)
@blueprint.response(200, household_schemas.HouseholdDetailOut)
def change_household(payload: dict[str, Any], public_id: str) -> Household:
    """Change a household; name, phone and account that are left out stay as they are."""
    own = workspace.known_household(public_id, seller_ids=[my_seller()])
    return actions.change_household(own.id, _facts(payload))


@blueprint.route("/households/<public_id>/review", methods=["POST"])
@allow(Role.STEWARD)
@blueprint.response(200, household_schemas.HouseholdDetailOut)
def review_household(public_id: str) -> Household:
    """Say that the evidence of a household's status is right, as its steward."""
    return actions.review_status(in_my_care(public_id).id, my_account())


@blueprint.route("/households/<public_id>/reveal", methods=["POST"])
@allow(Role.CLERK, Role.STEWARD)
@blueprint.arguments(household_schemas.RevealIn)
@blueprint.response(200, household_schemas.RevealedOut)
def reveal_household(payload: dict[str, Any], public_id: str) -> actions.Revealed:
    """Tell a household's personal data once; who asked and why is remembered."""
    known = known_household(public_id)
    return actions.reveal_household(known.id, my_account(), payload["reason"])


@blueprint.route("/mine/plans", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, household_schemas.BenefitPlansOut)
def plans() -> dict[str, Any]:
    """List how the seller's income reaches households, the newest first, at most 20."""
    return {"items": workspace.plans(my_seller()), "next_cursor": None}


@blueprint.route("/mine/plans", methods=["POST"])
@allow(Role.CLERK)
@blueprint.arguments(household_schemas.BenefitPlanIn)
@blueprint.response(201, household_schemas.BenefitPlanOut)
def add_plan(payload: dict[str, Any]) -> BenefitPlan:
    """Say how income reaches households from a day on."""
    return actions.plan_benefits(my_seller(), **payload)
