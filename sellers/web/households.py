"""Households behind a seller, masked; and how income reaches them."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, my_account, viewer
from kernel.crypt import mask, mask_phone
from kernel.identity import Role
from sellers import actions
from sellers.forms.households import HouseholdForm, PlanForm, RevealForm
from sellers.me import my_seller
from sellers.model import Household, Seller
from sellers.queries import workspace
from sellers.web.room import attempt, blueprint, cursor, form_page


@blueprint.app_template_filter("masked_name")
def masked_name(household: Household) -> str:
    """Return a household's name with all but its first character hidden."""
    return mask(household.name)


@blueprint.app_template_filter("masked_phone")
def masked_phone(household: Household) -> str:
    """Return a household's phone with its middle hidden."""
    return mask_phone(household.phone)


@blueprint.app_template_filter("masked_contact")
def masked_contact(seller: Seller) -> str:
    """Return a seller's phone with its middle hidden."""
    return mask_phone(seller.contact_phone)


def known_household(public_id: str) -> Household:
    """Return a household that the viewer may know, as its clerk or steward. Raises NotFound."""
    who = viewer()
    return workspace.known_household(
        public_id, seller_ids=who.organisations(Role.CLERK), steward=who
    )


def in_my_care(public_id: str) -> Household:
    """Return a household whose steward the viewer is. Raises NotFound."""
    return workspace.known_household(public_id, seller_ids=[], steward=viewer())


@blueprint.get("/households")
@allow(Role.CLERK, Role.STEWARD)
def households() -> ResponseReturnValue:
    """The seller's households; a steward sees those in their care."""
    clerk = viewer().has(Role.CLERK)
    page = workspace.households(
        seller_id=my_seller() if clerk else None,
        steward=None if clerk else viewer(),
        cursor=cursor(),
    )
    plans = workspace.plans(my_seller()) if clerk else []
    return render_template("sellers/households.html", page=page, clerk=clerk, plans=plans)


@blueprint.route("/households/new", methods=["GET", "POST"])
@allow(Role.CLERK)
def household_new() -> ResponseReturnValue:
    """Add a household."""
    seller_id, form = my_seller(), HouseholdForm()
    if form.validate_on_submit() and attempt(
        form,
        lambda: actions.add_household(
            seller_id, form.facts(actions.steward_called(form.steward_login.data, seller_id))
        ),
    ):
        flash(_("农户已添加。"), "done")
        return redirect(url_for("sellers.households"))
    return form_page("sellers/household.html", form, household=None)


@blueprint.route("/households/<public_id>/edit", methods=["GET", "POST"])
@allow(Role.CLERK)
def household_edit(public_id: str) -> ResponseReturnValue:
    """Change a household; personal data is never filled in."""
    shown = workspace.known_household(public_id, seller_ids=[my_seller()])
    form = HouseholdForm(
        data={
            "number": shown.number,
            "status": str(shown.status),
            "status_evidence": shown.status_evidence,
            "status_until": shown.status_until,
            "share_weight": shown.share_weight,
            "steward_login": shown.steward.login if shown.steward else "",
        }
    )
    if form.validate_on_submit() and attempt(
        form,
        lambda: actions.change_household(
            shown.id, form.facts(actions.steward_called(form.steward_login.data, shown.seller_id))
        ),
    ):
        flash(_("改好了。"), "done")
        return redirect(url_for("sellers.household", public_id=public_id))
    return form_page("sellers/household.html", form, household=shown)


@blueprint.route("/households/<public_id>", methods=["GET", "POST"])
@allow(Role.CLERK, Role.STEWARD)
def household(public_id: str) -> ResponseReturnValue:
    """One household, masked; with a reason its personal data is shown once and remembered."""
    shown, form = known_household(public_id), RevealForm()
    revealed: list[actions.Revealed] = []
    if form.validate_on_submit():
        attempt(
            form,
            lambda: revealed.append(
                actions.reveal_household(shown.id, my_account(), form.reason.data)
            ),
        )
    return form_page(
        "sellers/household_show.html",
        form,
        household=shown,
        revealed=revealed[0] if revealed else None,
        clerk=viewer().belongs(shown.seller_id, Role.CLERK),
        to_review=shown.awaits_review and workspace.cares_for(viewer(), shown),
    )


@blueprint.post("/households/<public_id>/review")
@allow(Role.STEWARD)
def household_review(public_id: str) -> ResponseReturnValue:
    """The steward has seen the evidence of a household's status, and found it right."""
    shown = in_my_care(public_id)
    actions.review_status(shown.id, my_account())
    flash(_("记下了，你核对过。"), "done")
    return redirect(url_for("sellers.household", public_id=public_id))


@blueprint.route("/plan", methods=["GET", "POST"])
@allow(Role.CLERK)
def household_plan() -> ResponseReturnValue:
    """Say how income reaches households."""
    seller_id, form = my_seller(), PlanForm()
    if form.validate_on_submit() and attempt(
        form,
        lambda: actions.plan_benefits(
            seller_id,
            kind=form.kind.data,
            basis_points=form.basis_points.data,
            note_zh=form.note_zh.data,
            starts_on=form.starts_on.data,
        ),
    ):
        flash(_("利益联结已记下，产品页只显示用得上的。"), "done")
        return redirect(url_for("sellers.households"))
    return form_page("sellers/plan.html", form)
