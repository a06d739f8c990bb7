"""The operator's workspace: how cabinets stand, restock trips, stock-takes, differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms.fields.choices import SelectChoice

from cabinets import queries, words
from cabinets.actions import operated, reports, trips
from cabinets.actions.sites import create_cabinet, create_site, new_device_key, run_site
from cabinets.forms import CabinetForm, SiteForm, count_lines, return_lines, trip_lines
from cabinets.lots import lots_to_choose
from cabinets.queries import CabinetState
from cabinets.web.public import blueprint
from kernel import clock
from kernel.access import allow, viewer
from kernel.db import public_code
from kernel.errors import Invalid, NotFound, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role

restock = Blueprint("restock", __name__, template_folder="../templates")
OPERATORS = (Role.OPERATOR, Role.STAFF)


@blueprint.get("/operator")
@allow(*OPERATORS)
def desk() -> ResponseReturnValue:
    """My sites and cabinets, and what waits in each."""
    page = queries.operated_sites(viewer(), request.args.get("cursor") or None)
    return render_template(
        "cabinets/desk.html",
        page=page,
        figures=queries.desk_figures(viewer()),
        kinds=words.SITES,
        alarms=lambda state: words.alarms(state, clock.now()),
    )


@blueprint.get("/operator/cabinets/<code>")
@allow(*OPERATORS)
def manage(code: str) -> ResponseReturnValue:
    """One cabinet of mine: its slots, differences and missing reports."""
    return _manage(code)


def _manage(code: str, new_key: str = "") -> str:
    cabinet = operated(viewer(), code)
    state = queries.state_of(cabinet)
    return render_template(
        "cabinets/manage.html",
        site=cabinet.site,
        cabinet=state,
        alarms=words.alarms(state, clock.now()),
        differences=queries.differences_of(cabinet.id),
        gaps=queries.gaps_of(cabinet.id),
        names=words.DIFFERENCES,
        new_key=new_key,
        # Reports are numbered on from key to key; a device and its operator count from one.
        counted_from=cabinet.counted_from,
    )


@blueprint.post("/operator/cabinets/<code>/key")
@allow(*OPERATORS)
def new_key(code: str) -> ResponseReturnValue:
    """Give the cabinet a new key, shown this once."""
    return _manage(code, new_device_key(viewer(), code))


@blueprint.post("/operator/cabinets/<code>/differences/<difference>")
@allow(*OPERATORS)
def explain(code: str, difference: str) -> ResponseReturnValue:
    """Say why a difference came about."""
    try:
        reports.explain(viewer(), code, difference, request.form.get("explanation", ""))
    except Invalid as refusal:
        flash(str(refusal.fields["explanation"]), "wrong")
    else:
        flash(_("记下了。"), "done")
    return redirect(url_for("cabinets.manage", code=code))


@dataclass(slots=True)
class _Filled:
    """What was filled in and refused: inputs as they were, and words under those at fault."""

    values: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    status: int = 200


def _refused(refusal: Refusal, name: str) -> _Filled:
    """Put a refusal's words under the slot that it names, else on top of the page."""
    faults = {one: str(text) for one, text in refusal.fields.items()}
    if "slot" in refusal.extra:
        faults[f"{name}-{refusal.extra['slot']}"] = str(refusal.message)
    flash(str(refusal.message), "wrong")
    return _Filled(request.form.to_dict(), faults, refusal.status)


def _save(
    code: str, name: str, act: Callable[[CabinetState], dict[int, int]], done: str
) -> ResponseReturnValue | _Filled:
    """Do what a form of slots asks for, once; return where to go, or what was refused."""
    try:
        once_for_form(lambda: act(queries.state_of(operated(viewer(), code))))
    except NotFound:
        raise
    except Refusal as refusal:
        return _refused(refusal, name)
    flash(done, "done")
    return redirect(url_for("cabinets.manage", code=code))


def _slots_page(template: str, code: str, filled: _Filled, **more: Any) -> ResponseReturnValue:
    cabinet = operated(viewer(), code)
    page = render_template(
        template,
        site=cabinet.site,
        cabinet=queries.state_of(cabinet),
        values=filled.values,
        faults=filled.faults,
        key=public_code(16),
        **more,
    )
    return page, filled.status


@restock.get("/operator/restock")
@allow(*OPERATORS)
def index() -> ResponseReturnValue:
    """My cabinets that have room, the emptiest first."""
    cabinets = queries.to_restock(viewer())
    return render_template("cabinets/to_restock.html", cabinets=cabinets, most=queries.TO_RESTOCK)


@restock.route("/operator/cabinets/<code>/restock", methods=["GET", "POST"])
@allow(*OPERATORS)
def trip(code: str) -> ResponseReturnValue:
    """One trip: what goes into which slot, saved at once."""
    filled = _Filled()
    if request.method == "POST" and _searches():
        filled = _Filled(request.form.to_dict())
    elif request.method == "POST":

        def act(state: CabinetState) -> dict[int, int]:
            return trips.restock(viewer(), code, trip_lines(request.form, state.slots))

        saved = _save(code, "units", act, _("补好了。货道里的数已经加上。"))
        if not isinstance(saved, _Filled):
            return saved
        filled = saved
    search = filled.values.get("q", "")
    chosen = {text for name, text in filled.values.items() if name.startswith("lot-") and text}
    choice = lots_to_choose(search, chosen)
    return _slots_page("cabinets/trip.html", code, filled, choice=choice, search=search)


def _searches() -> bool:
    """Tell whether a trip was sent to look for a lot; Enter in the search asks for that, too."""
    form = request.form
    return "find" in form or form.get("q", "") != form.get("found", "")


@restock.route("/operator/cabinets/<code>/return", methods=["GET", "POST"])
@allow(*OPERATORS)
def give_back(code: str) -> ResponseReturnValue:
    """Take units out of slots and give them back to their lots."""
    filled = _Filled()
    if request.method == "POST":

        def act(state: CabinetState) -> dict[int, int]:
            return trips.give_back(viewer(), code, return_lines(request.form, state.slots))

        saved = _save(code, "units", act, _("退好了。批次里又可以卖了。"))
        if not isinstance(saved, _Filled):
            return saved
        filled = saved
    return _slots_page("cabinets/return.html", code, filled)


@restock.route("/operator/cabinets/<code>/count", methods=["GET", "POST"])
@allow(*OPERATORS)
def count(code: str) -> ResponseReturnValue:
    """A stock-take: what is really there, and why it differs."""
    filled = _Filled()
    if request.method == "POST":

        def act(state: CabinetState) -> dict[int, int]:
            return trips.take_stock(viewer(), code, count_lines(request.form, state.slots))

        saved = _save(code, "counted", act, _("盘点记下了。"))
        if not isinstance(saved, _Filled):
            return saved
        filled = saved
    return _slots_page("cabinets/count.html", code, filled, reasons=words.REASONS)


def _take(form: FlaskForm, refusal: Refusal) -> None:
    """Show a refusal's words under the fields that it names."""
    for name, said in refusal.fields.items():
        if name in form:
            form[name].errors = [str(said)]


@blueprint.route("/operator/sites/new", methods=["GET", "POST"])
@allow(*OPERATORS)
def new_site() -> ResponseReturnValue:
    """Set up a site."""
    form = SiteForm()
    is_staff = viewer().has(Role.STAFF)
    if is_staff:
        form.operator.choices = [
            SelectChoice(one.public_id, one.name_zh) for one in queries.operators()
        ]
    else:
        del form.operator
    if form.validate_on_submit():
        try:
            site = create_site(viewer(), form.facts())
        except Invalid as refusal:
            _take(form, refusal)
        else:
            flash(_("点位建好了。下一步：加一台柜子。"), "done")
            return redirect(url_for("cabinets.new_cabinet", code=site.code))
    return render_template("cabinets/new_site.html", form=form), 422 if form.errors else 200


@blueprint.route("/operator/sites/<code>/cabinets/new", methods=["GET", "POST"])
@allow(*OPERATORS)
def new_cabinet(code: str) -> ResponseReturnValue:
    """Set up a cabinet at a site of mine."""
    site, form = run_site(viewer(), code), CabinetForm()
    if form.validate_on_submit():
        try:
            made = create_cabinet(viewer(), code, form.facts())
        except Invalid as refusal:
            _take(form, refusal)
        else:
            flash(_("柜子建好了。下一步：补货。"), "done")
            return redirect(url_for("cabinets.manage", code=made.code))
    page = render_template("cabinets/new_cabinet.html", form=form, site=site)
    return page, 422 if form.errors else 200
