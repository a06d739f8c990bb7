"""The coordinator's workspace: this round, the unit's people, its history and its payments."""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, found, my_account, viewer
from kernel.db import public_code
from kernel.errors import Conflict, Invalid, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.language import counted
from orders.actions import members as member_actions
from orders.actions.closing import close_group_order
from orders.actions.group_orders import open_group_order
from orders.addresses import join_url
from orders.model import GroupOrder, GroupOrderState, Payment, PayMode
from orders.payments.queries import still_to_transfer
from orders.queries import members as people
from orders.queries import targets
from orders.queries import units as queries
from orders.queries.outcomes import Outcome, outcomes
from orders.queries.rounds import round_by_public_id, rounds_ahead

blueprint = Blueprint("units", __name__, template_folder="../templates")

"""Of so many closed group orders a page shows the payments."""


def _unit() -> int:
    return viewer().organisation(Role.COORDINATOR)


def _group(public_id: str) -> GroupOrder:
    units = viewer().organisations(Role.COORDINATOR)
    return found(queries.group_order_of_unit(units, public_id))


@blueprint.get("/units")
@allow.everyone
def index() -> ResponseReturnValue:
    """How an office orders together; its coordinator goes on to the workspace."""
    if viewer().has(Role.COORDINATOR):
        return redirect(url_for("units.desk"))
    at = clock.now()
    ahead = [row for row in rounds_ahead(at) if row.round.is_open(at)]
    return render_template("orders/units.html", open_now=ahead[:1], at=at)


@blueprint.get("/unit")
@allow(Role.COORDINATOR)
def desk() -> ResponseReturnValue:
    """This round: the unit's group order that closes next, or the way to open one."""
    at = clock.now()
    group = queries.current_group_order(_unit(), at)
    if group is not None and (group.state == "open" or not queries.rounds_to_open(_unit(), at)):
        return _desk(group)
    return _opening()


def _opening(refusal: Refusal | None = None) -> ResponseReturnValue:
    page = render_template(
        "orders/unit_open.html",
        rounds=queries.rounds_to_open(_unit(), clock.now()),
        chosen=request.values.get("round", ""),
        last=queries.history(_unit(), most=1),
        due=still_to_transfer(_unit()),
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.get("/unit/open")
@allow(Role.COORDINATOR)
def opening() -> ResponseReturnValue:
    """Choose a round and who pays."""
    return _opening()


@blueprint.post("/unit/open")
@allow(Role.COORDINATOR)
def open_() -> ResponseReturnValue:
    """Open the unit's group order in a round."""
    chosen = round_by_public_id(request.form.get("round", ""))
    account_id = my_account()
    try:
        pay_mode = PayMode(request.form.get("pay_mode", ""))
    except ValueError:
        return _opening(Invalid(_("选一下谁来付款。"), code="pay_mode_invalid"))
    try:
        once_for_form(lambda: open_group_order(account_id, _unit(), chosen.id, pay_mode))
    except Conflict as refusal:
        return _opening(refusal)
    flash(_("开好了。把链接发给同事，他们各自登记。"), "done")
    group = queries.group_order_in(_unit(), chosen.id)
    return redirect(url_for("units.share", public_id=found(group).public_id))


@blueprint.get("/unit/orders/<public_id>")
@allow(Role.COORDINATOR)
def group_order(public_id: str) -> ResponseReturnValue:
    """One of the unit's group orders."""
    return _desk(_group(public_id))


def _desk(group: GroupOrder, refusal: Refusal | None = None) -> ResponseReturnValue:
    progress = queries.progress(group)
    page = render_template(
        "orders/unit_desk.html",
        group=group,
        progress=progress,
        outcome=_outcome(group),
        payment=_unit_payment(group),
        target=targets.target(group.unit_id, clock.now()),
        etag=_etag(progress),
        refusal=refusal,
        key=public_code(20),
        at=clock.now(),
    )
    return page, refusal.status if refusal else 200


@blueprint.get("/unit/orders/<public_id>/now")
@allow(Role.COORDINATOR)
def now(public_id: str) -> ResponseReturnValue:
    """The live part of the page: 304 while nothing changed."""
    group = _group(public_id)
    progress = queries.progress(group)
    etag = _etag(progress)
    answer = Response(status=304)
    if not request.if_none_match.contains(etag):
        goal = targets.target(group.unit_id, clock.now())
        html = render_template(
            "orders/_unit_now.html",
            group=group,
            progress=progress,
            outcome=_outcome(group),
            target=goal,
            at=clock.now(),
        )
        answer = Response(html)
    answer.set_etag(etag)
    answer.cache_control.no_cache = True
    if group.state != "open":
        answer.headers["X-Live"] = "done"
    return answer


def _outcome(group: GroupOrder) -> Outcome | None:
    """Return what became of a closed group order."""
    return outcomes([group.id])[group.id] if group.state is GroupOrderState.CLOSED else None


def _unit_payment(group: GroupOrder) -> Payment | None:
    """Return what a unit that pays as a whole pays, once its group order is closed."""
    if group.pay_mode is not PayMode.UNIT or group.state is not GroupOrderState.CLOSED:
        return None
    return next(iter(queries.payments_of(group.id)), None)


def _etag(progress: queries.Progress) -> str:
    """Return a name for what the live part shows; the clock moves by itself."""
    shown = (
        str(get_locale()),
        progress.group.state,
        progress.people,
        progress.total.fen,
        progress.waiting,
        progress.unpaid,
        [(need.item.offer.id, need.units, need.people) for need in progress.needs],
        [(one.at, one.staff_number, one.total.fen) for one in progress.latest],
        progress.departments,
    )
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:20]


@blueprint.post("/unit/orders/<public_id>/close")
@allow(Role.COORDINATOR)
def close(public_id: str) -> ResponseReturnValue:
    """Close the group order before its round does."""
    group = _group(public_id)
    try:
        once_for_form(lambda: close_group_order(group.id))
    except Conflict as refusal:
        return _desk(_group(public_id), refusal)
    flash(_("关单了。需求不能再改，接下来付款。"), "done")
    return redirect(url_for("units.group_order", public_id=public_id))


@blueprint.get("/unit/orders/<public_id>/share")
@allow(Role.COORDINATOR)
def share(public_id: str) -> ResponseReturnValue:
    """The link, its QR and a poster to print."""
    group = _group(public_id)
    return render_template(
        "orders/unit_share.html", group=group, join_url=join_url(group), at=clock.now()
    )


@blueprint.get("/unit/orders/<public_id>/print")
@allow(Role.COORDINATOR)
def print_list(public_id: str) -> ResponseReturnValue:
    """Who ordered what, by department and staff number, on paper."""
    group = _group(public_id)
    return render_template(
        "orders/unit_print.html",
        group=group,
        progress=queries.progress(group),
        rows=queries.print_rows(group.id),
    )


@blueprint.get("/unit/orders")
@allow(Role.COORDINATOR)
def history() -> ResponseReturnValue:
    """The unit's group orders, newest first."""
    return render_template("orders/unit_history.html", rows=queries.history(_unit()))


@blueprint.get("/unit/payment")
@allow(Role.COORDINATOR)
def payments() -> ResponseReturnValue:
    """What is to be paid, however old, and what was paid for the newest closed group orders."""
    closed = queries.to_pay(_unit())
    ids = [row.group.id for row in closed]
    payments = queries.payments_by_group(ids)
    return render_template(
        "orders/unit_payments.html",
        rows=[(row, payments[row.group.id]) for row in closed],
        unpaid=queries.unpaid_by_group(ids),
        gone_back=queries.gone_back([one.id for of in payments.values() for one in of]),
    )


@blueprint.get("/unit/members")
@allow(Role.COORDINATOR)
def staff() -> ResponseReturnValue:
    """Who belongs to the unit, who waits, and the staff list."""
    return _staff()


def _staff(refusal: Refusal | None = None) -> ResponseReturnValue:
    entries = people.staff_list(_unit())
    page = render_template(
        "orders/unit_members.html",
        members=people.members(_unit()),
        listed=len(entries),
        text=request.form["staff_list"]
        if "staff_list" in request.form
        else "\n".join(f"{one.staff_number} {one.department}".strip() for one in entries),
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/unit/members/<int:membership_id>")
@allow(Role.COORDINATOR)
def answer(membership_id: int) -> ResponseReturnValue:
    """Let a pending member in, or turn it away."""
    act = member_actions.approve if request.form.get("answer") == "approve" else None
    try:
        (act or member_actions.decline)(_unit(), membership_id)
    except Conflict as refusal:
        return _staff(refusal)
    flash(_("加进来了，可以登记了。") if act else _("没有加进来。"), "done")
    return redirect(url_for("units.staff"))


@blueprint.post("/unit/members/<int:membership_id>/end")
@allow(Role.COORDINATOR)
def end(membership_id: int) -> ResponseReturnValue:
    """End the membership of somebody who left the unit."""
    leader = viewer().account_id
    assert leader is not None
    once_for_form(lambda: member_actions.dismiss(_unit(), membership_id, by=leader))
    flash(_("移出了。还没截单的登记也撤了。"), "done")
    return redirect(url_for("units.staff"))


@blueprint.post("/unit/staff-list")
@allow(Role.COORDINATOR)
def keep_staff_list() -> ResponseReturnValue:
    """Replace the staff list by what was typed."""
    try:
        kept = member_actions.set_staff_list(
            _unit(), request.form.get("staff_list", ""), sure=request.form.get("sure", type=int)
        )
    except (Invalid, member_actions.ListShrinks) as refusal:
        return _staff(refusal)
    flash(counted("员工名单存好了，共 %(n)s 人。", kept), "done")
    return redirect(url_for("units.staff"))
