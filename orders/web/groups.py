"""A member's pages: joining by a link or QR, and saying what it needs."""

from __future__ import annotations

import io

import segno
from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, found, my_account, viewer
from kernel.db import public_code
from kernel.errors import Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Membership, MembershipState, Role
from orders.actions.group_orders import set_needs
from orders.actions.members import join
from orders.addresses import join_url
from orders.model import GroupOrder
from orders.queries import rounds as queries
from orders.queries.members import membership_in
from orders.queries.mine import payment_of
from orders.queries.shortage import shortages
from orders.web.typed import units_typed

blueprint = Blueprint("groups", __name__, template_folder="../templates")


@blueprint.route("/join/<code>")
@allow.everyone
def join_page(code: str) -> ResponseReturnValue:
    """Where a shared link leads: whose group order it is, never what anybody needs."""
    return _join_page(queries.group_order_by_join_code(code))


def _join_page(group: GroupOrder, refusal: Refusal | None = None) -> ResponseReturnValue:
    own: Membership | None = None
    if viewer().account_id is not None:
        own = membership_in(group.unit_id, viewer().account_id)
        if own is not None and own.state is MembershipState.ACTIVE:
            return redirect(url_for("groups.needs", public_id=group.public_id))
    page = render_template(
        "orders/join.html",
        group=group,
        own=own,
        pending=own is not None and own.state is MembershipState.PENDING,
        turned_away=own is not None and own.state is MembershipState.ENDED,
        refusal=refusal,
        typed=request.form,
        at=clock.now(),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/join/<code>")
@allow(Role.CONSUMER)
def join_unit(code: str) -> ResponseReturnValue:
    """Ask to belong to the unit; a number on its staff list is answered at once."""
    group = queries.group_order_by_join_code(code)
    account_id = my_account()
    try:
        made = join(
            account_id,
            code,
            staff_number=request.form.get("staff_number", ""),
            department=request.form.get("department", ""),
        )
    except Refusal as refusal:
        return _join_page(group, refusal)
    if made.state is MembershipState.ACTIVE:
        return redirect(url_for("groups.needs", public_id=group.public_id))
    return redirect(url_for("groups.join_page", code=code))


@blueprint.get("/join/<code>/qr.svg")
@allow.everyone
def qr(code: str) -> ResponseReturnValue:
    """The share link as a QR picture."""
    group = queries.group_order_by_join_code(code)
    out = io.BytesIO()
    segno.make(join_url(group), error="m").save(out, kind="svg", border=4, scale=4, xmldecl=True)
    answer = Response(out.getvalue(), mimetype="image/svg+xml")
    answer.cache_control.max_age = 3600
    return answer


@blueprint.get("/needs/<public_id>")
@allow(Role.OFFICIAL, Role.COORDINATOR)
def needs(public_id: str) -> ResponseReturnValue:
    """What this member needs; for everybody but active members there is no such page."""
    group = queries.group_order_for(public_id, viewer(), Role.OFFICIAL, Role.COORDINATOR)
    if not viewer().belongs(group.unit_id, Role.OFFICIAL):
        return redirect(url_for("groups.join_page", code=group.join_code))
    return _needs_page(group)


def _needs_page(group: GroupOrder, refusal: Refusal | None = None) -> ResponseReturnValue:
    account_id = my_account()
    at = clock.now()
    order = queries.order_of_member(group.id, account_id)
    held = {line.offer_id: line.quantity for line in order.lines} if order else {}
    page = render_template(
        "orders/needs.html",
        group=group,
        items=queries.items_of(group.round_id),
        order=order,
        held=held,
        typed=_typed() if refusal else {},
        short=shortages(order.lines) if order else [],
        payment=payment_of(order.id) if order else None,
        is_open=group.state == "open" and group.round.is_open(at),
        refusal=refusal,
        key=public_code(20),
        at=at,
    )
    return page, refusal.status if refusal else 200


def _typed() -> dict[str, str]:
    """Return offer public id → what was typed beside it."""
    return {
        name.removeprefix("n-"): value
        for name, value in request.form.items()
        if name.startswith("n-")
    }


@blueprint.post("/needs/<public_id>")
@allow(Role.OFFICIAL)
def save_needs(public_id: str) -> ResponseReturnValue:
    """Keep what this member needs now, in place of what it needed before."""
    group = queries.group_order_for(public_id, viewer(), Role.OFFICIAL)
    account_id = my_account()
    ids = {item.offer.public_id: item.offer.id for item in queries.items_of(group.round_id)}
    try:
        wanted = {
            found(ids.get(offer)): units_typed(text, offer_id=offer)
            for offer, text in _typed().items()
            if text.strip()
        }
        once_for_form(lambda: set_needs(group.id, account_id, wanted))
    except Refusal as refusal:
        return _needs_page(queries.group_order_by_public_id(public_id), refusal)
    flash(
        _("记下了。截单前还可以改。") if any(wanted.values()) else _("取消了，什么都没订。"), "done"
    )
    return redirect(url_for("groups.needs", public_id=public_id))
