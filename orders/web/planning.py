"""Staff pages: plan rounds, put lots into them, set a seller's own cut-off."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from kernel import clock
from kernel.access import allow
from kernel.errors import Conflict, Invalid, Refusal
from kernel.identity import Role
from orders.actions import rounds as actions
from orders.forms import OfferForm, PlanForm, moment
from orders.model import Round
from orders.queries import planning
from orders.queries import rounds as queries

blueprint = Blueprint("planning", __name__, template_folder="../templates")


@blueprint.get("/staff/rounds")
@allow(Role.STAFF)
def index() -> ResponseReturnValue:
    """Every round, the newest first."""
    cursor = request.args.get("cursor")
    page = queries.all_rounds_page(cursor=cursor, page_size=queries.SHOWN_ROUNDS)
    return render_template("orders/planning.html", page=page, at=clock.now())


@blueprint.route("/staff/rounds/new", methods=["GET", "POST"])
@allow(Role.STAFF)
def create() -> ResponseReturnValue:
    """Plan a round."""
    form = PlanForm()
    if form.validate_on_submit():
        try:
            made = actions.create_round(form.plan())
        except Invalid as refusal:
            _tell(form, refusal)
        else:
            flash(_("这一期排好了。现在放东西进去。"), "done")
            return redirect(url_for("planning.round_", public_id=made.public_id))
    page = render_template("orders/plan_new.html", form=form)
    return page, 422 if form.errors else 200


@blueprint.route("/staff/rounds/<public_id>", methods=["GET", "POST"])
@allow(Role.STAFF)
def round_(public_id: str) -> ResponseReturnValue:
    """Change a round, see its legs and offers."""
    planned = queries.round_by_public_id(public_id)
    form = PlanForm(obj=planned)
    if request.method == "GET":
        form.begin(planned)
        return _page(planned, form)
    if form.validate():
        try:
            actions.revise_round(planned.id, form.plan())
        except Conflict as refusal:
            return _page(planned, form, refusal=refusal)
        except Invalid as refusal:
            _tell(form, refusal)
        else:
            flash(_("改好了。"), "done")
            return redirect(url_for("planning.round_", public_id=public_id))
    return _page(planned, form)


@blueprint.post("/staff/rounds/<public_id>/offers")
@allow(Role.STAFF)
def add_offer(public_id: str) -> ResponseReturnValue:
    """Put a lot into the round."""
    planned = queries.round_by_public_id(public_id)
    form = OfferForm()
    lots = planning.lots_for(planned.id)
    form.lot.choices = _choices(lots)
    if form.validate():
        by_id = {lot.public_id: lot.id for lot in lots}
        try:
            actions.add_offer(
                planned.id,
                by_id[form.lot.data],
                form.price_fen,
                quota=form.quota.data,
                limit_per_buyer=form.limit_per_buyer.data,
            )
        except Refusal as refusal:
            return _page(planned, None, offer_form=form, refusal=refusal)
        flash(_("放进去了。"), "done")
        return redirect(url_for("planning.round_", public_id=public_id))
    return _page(planned, None, offer_form=form)


@blueprint.post("/staff/rounds/<public_id>/offers/<offer>/withdraw")
@allow(Role.STAFF)
def remove_offer(public_id: str, offer: str) -> ResponseReturnValue:
    """Take an offer that nobody ordered out of the round."""
    planned = queries.round_by_public_id(public_id)
    try:
        actions.remove_offer(planned.id, offer)
    except Conflict as refusal:
        return _page(planned, None, refusal=refusal)
    flash(_("撤下了。"), "done")
    return redirect(url_for("planning.round_", public_id=public_id))


@blueprint.post("/staff/rounds/<public_id>/legs/<int:seller_id>")
@allow(Role.STAFF)
def set_leg(public_id: str, seller_id: int) -> ResponseReturnValue:
    """Set a seller's own cut-off."""
    planned = queries.round_by_public_id(public_id)
    try:
        typed = datetime.fromisoformat(request.form.get("cutoff_at", ""))
        actions.set_leg(planned.id, seller_id, moment(typed.replace(tzinfo=None)))
    except ValueError:
        return _page(planned, None, refusal=Invalid(_("填截单的日期和钟点。")))
    except (Conflict, Invalid) as refusal:
        said = next(iter(refusal.fields.values()), refusal.message)
        return _page(planned, None, refusal=Invalid(said))
    flash(_("截单时间改好了。"), "done")
    return redirect(url_for("planning.round_", public_id=public_id))


def _choices(lots: list[planning.LotRow]) -> list[tuple[str, str]]:
    return [(lot.public_id, _("%(what)s，%(who)s，还有 %(left)s", **lot.words())) for lot in lots]


def _tell(form: FlaskForm, refusal: Refusal) -> None:
    """Say a refusal's words under the fields that they are about."""
    for name, text in refusal.fields.items():
        form[name].errors = [*form[name].errors, text]


def _page(
    planned: Round,
    form: PlanForm | None,
    *,
    offer_form: OfferForm | None = None,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    if form is None:
        form = PlanForm(formdata=None, obj=planned)
        form.begin(planned)
    if offer_form is None:
        offer_form = OfferForm(formdata=None)
    offer_form.lot.choices = _choices(planning.lots_for(planned.id))
    page = render_template(
        "orders/plan_round.html",
        round=planned,
        form=form,
        offer_form=offer_form,
        items=queries.items_of(planned.id),
        legs=queries.legs_of(planned.id),
        refusal=refusal,
        local=clock.local,
        at=clock.now(),
    )
    wrong = 422 if form.errors or offer_form.errors else 200
    return page, refusal.status if refusal else wrong
