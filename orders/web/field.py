"""A household's own page: one task, one figure, one button. A steward sees it by proxy."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, viewer, visitor_key
from kernel.db import public_code
from kernel.errors import Conflict, Invalid, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.quantity import FAR_OFF, JIN_G, parse_jin, parse_units
from orders.actions import harvest as actions
from orders.actions.yields import Harvested, enter_yield
from orders.benefit import per_unit
from orders.model import HouseholdQuota
from orders.queries import harvest as queries
from orders.queries.notices import own_share
from orders.queries.tasks import acts_for, quota_of, token_of
from orders.web.typed import taken, units_shown
from sellers.queries.workspace import plans_in_force

blueprint = Blueprint("household", __name__, template_folder="../templates")


@blueprint.app_template_global()
def task_url(quota: HouseholdQuota) -> str:
    """Return the address of a household's page."""
    return url_for("household.task", token=token_of(quota))


@dataclass(frozen=True)
class Scale:
    """In what a household counts: jin with two places, or whole sale units."""

    by_jin: bool
    unit_g: int

    def read(self, text: str) -> Harvested:
        """Return what was typed. Raises Invalid."""
        try:
            if self.by_jin:
                weight_g = parse_jin(text)
                return Harvested(weight_g // self.unit_g, weight_g)
            return Harvested(parse_units(text, least=0))
        except ValueError as problem:
            raise Invalid(_("先用下面的键填数字。"), code="figure_unreadable") from problem


def _scale(quota: HouseholdQuota) -> Scale:
    product = quota.item.lot.product
    return Scale(product.unit_g == JIN_G and product.unit_name == "斤", product.unit_g)


@blueprint.get("/field")
@allow(Role.STEWARD)
def home() -> ResponseReturnValue:
    """The tasks of the households for which a steward acts."""
    page = queries.quotas_of_steward(viewer(), request.args.get("cursor"))
    return render_template("orders/field_list.html", page=page)


@blueprint.get("/field/<token>")
@allow.everyone
def task(token: str) -> ResponseReturnValue:
    """One household's task."""
    return _page(token, quota_of(token))


def _page(
    token: str, quota: HouseholdQuota, refusal: Refusal | None = None, typed: str = ""
) -> ResponseReturnValue:
    acting = queries.acting_for(quota.household, viewer())
    steward = viewer() if acting and acting.by_proxy else None
    share = own_share(quota)
    entry = share.entry
    plans = plans_in_force(quota.household.seller_id)
    price = per_unit(plans, queries.price_per_unit(quota.item))
    scale = _scale(quota)
    if not typed and entry is not None:
        typed = _figure(entry.weight_g) if scale.by_jin and entry.weight_g else str(entry.quantity)
    page = render_template(
        "orders/field.html",
        token=token,
        quota=quota,
        run=share.run,
        entry=entry,
        scale=scale,
        far_off=FAR_OFF,
        price=price,
        due=price * quota.quantity,
        earned=price * entry.quantity if entry else None,
        typed=typed,
        refusal=refusal,
        by_proxy=steward is not None,
        next=queries.next_task(quota, steward),
        others=queries.quotas_of_steward(steward).items if steward else [],
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


def _figure(weight_g: int) -> str:
    return f"{weight_g / JIN_G:.2f}".rstrip("0").rstrip(".")


@blueprint.post("/field/<token>/answer")
@allow.everyone
def answer(token: str) -> ResponseReturnValue:
    """Take the task, or not."""
    quota = quota_of(token)
    account_id, by_proxy = acts_for(quota, viewer())
    try:
        actions.answer(
            quota.id,
            accept=taken(request.form.get("answer", "")),
            account_id=account_id,
            by_proxy=by_proxy,
            shown=units_shown(request.form.get("shown", "")),
        )
    except (Conflict, Invalid) as refusal:
        return _page(token, quota_of(token), refusal)
    return redirect(url_for("household.task", token=token))


@blueprint.post("/field/<token>/yield")
@allow.everyone
def enter(token: str) -> ResponseReturnValue:
    """Say how much was harvested; a figure far off is asked about first."""
    quota = quota_of(token)
    account_id, by_proxy = acts_for(quota, viewer())
    typed = request.form.get("figure", "")
    if viewer().account_id is None:
        visitor_key()

    try:
        said = _scale(quota).read(typed)
        harvested = Harvested(said.units, said.weight_g, bool(request.form.get("confirmed")))
        once_for_form(
            lambda: enter_yield(
                quota.item_id,
                quota.household_id,
                harvested,
                account_id=account_id,
                by_proxy=by_proxy,
            )
        )
    except (Conflict, Invalid) as refusal:
        return _page(token, quota_of(token), refusal, typed)
    return redirect(url_for("household.task", token=token))
