"""Consignments: pack and send (seller), packing list on paper, sign on a phone (recipient)."""

from __future__ import annotations

import io
from typing import Any

from flask import (
    Blueprint,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from kernel import documents
from kernel.access import allow, found, viewer
from kernel.db import public_code
from kernel.documents import Document, DocumentState
from kernel.errors import Conflict, Invalid, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from orders import jobs, packing
from orders.actions import handover as actions
from orders.queries import handover as queries
from orders.queries import packable
from orders.queries.handover import ConsignmentView
from orders.queries.keys import group_order_key, order_key
from orders.queries.shortage import shortages

blueprint = Blueprint("handover", __name__, template_folder="../templates")

READERS = (Role.CLERK, Role.STAFF, Role.COORDINATOR, Role.CONSUMER)
"""Who may have something to do with a consignment: whose it is, each query asks."""
CARRIERS = {
    "自己送": _l("自己送"),
    "The seller": _l("自己送"),
    "快递": lazy_pgettext("who", "快递"),
}
"""Who delivers, where it is no name: what the form proposes in either language, and a parcel."""


@blueprint.app_template_filter("carrier")
def carrier(typed: str) -> str:
    """Return who delivers in the reader's language; a name stays as it was typed."""
    return str(CARRIERS.get(typed, typed))


@blueprint.get("/seller/consignments")
@allow(Role.CLERK)
def consignments() -> ResponseReturnValue:
    """What can be packed, what is packed, what is on its way."""
    return _list()


def _list(refusal: Refusal | None = None) -> ResponseReturnValue:
    seller_id = viewer().organisation(Role.CLERK)
    page = render_template(
        "orders/consignments.html",
        to_pack=packable.to_pack(actions.packable(seller_id)),
        in_field=packable.to_pack(actions.not_harvested(seller_id)),
        page=queries.of_seller(seller_id, request.args.get("cursor")),
        most=packable.PLACES_SHOWN,
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/seller/consignments")
@allow(Role.CLERK)
def pack() -> ResponseReturnValue:
    """Pack everything that is ready for one place."""
    seller_id = viewer().organisation(Role.CLERK)
    group, number = request.form.get("group_order", ""), request.form.get("order", "")
    try:
        if group:
            group_id = group_order_key(group)
            once_for_form(lambda: actions.pack(seller_id, group_id))
        else:
            order_id = order_key(number)
            once_for_form(lambda: actions.pack_order(seller_id, order_id))
    except Conflict as refusal:
        return _list(refusal)
    flash(_("装好了。打出装箱单，发出时点一下。"), "done")
    return redirect(url_for("handover.consignments"))


@blueprint.post("/seller/consignments/<public_id>/sent")
@allow(Role.CLERK)
def send(public_id: str) -> ResponseReturnValue:
    """Record that it left."""
    view = queries.consignment(public_id, viewer())
    found(view if queries.may_send(view.consignment, viewer()) else None)
    carrier, waybill = request.form.get("carrier", ""), request.form.get("waybill", "")
    try:
        once_for_form(lambda: actions.send(view.consignment.id, carrier, waybill))
    except (Conflict, Invalid) as refusal:
        return _list(refusal)
    flash(_("发出记下了。对方收到后签收。"), "done")
    return redirect(url_for("handover.consignments"))


@blueprint.get("/consignments/<public_id>")
@allow(*READERS)
def packing_list(public_id: str) -> ResponseReturnValue:
    """The packing list, as it is printed."""
    view = queries.consignment(public_id, viewer())
    sends = queries.may_send(view.consignment, viewer())
    return render_template(
        "orders/packing_list.html", **_facts(view), back=_back(view, sends=sends)
    )


def _facts(view: ConsignmentView) -> dict[str, Any]:
    return {"view": view, "recipients": queries.recipients(view)}


def _back(view: ConsignmentView, *, sends: bool) -> str:
    if sends and viewer().has(Role.CLERK):
        return url_for("handover.consignments")
    return url_for("handover.show", public_id=view.consignment.public_id)


@blueprint.post("/consignments/<public_id>/pdf")
@allow(*READERS)
def ask_pdf(public_id: str) -> ResponseReturnValue:
    """Have the packing list made as PDF."""
    jobs.ask_for_packing_list(queries.heading(public_id, viewer()))
    return redirect(url_for("handover.pdf_page", public_id=public_id), 303)


@blueprint.get("/consignments/<public_id>/pdf")
@allow(*READERS)
def pdf_page(public_id: str) -> ResponseReturnValue:
    """Whether the PDF is made, and the PDF."""
    return render_template("orders/pdf_page.html", **_pdf(public_id))


@blueprint.get("/consignments/<public_id>/pdf/progress")
@allow(*READERS)
def pdf_progress(public_id: str) -> ResponseReturnValue:
    """The part of that page that moves: 304 while nothing changed."""
    shown = _pdf(public_id)
    one: Document | None = shown["one"]
    tag = f"{one.state}-{one.pages_done}-{one.is_late}" if one else "none"
    if tag in request.if_none_match:
        answer = make_response("", 304)
    else:
        answer = make_response(render_template("orders/_pdf_now.html", **shown))
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    if one is None or not one.is_waiting:
        answer.headers["X-Live"] = "done"
    return answer


def _pdf(public_id: str) -> dict[str, Any]:
    """Return what the page and its moving part show."""
    view = queries.heading(public_id, viewer())
    one = documents.find(packing.of(view.consignment))
    # Asked of thousands of lines each second, only where it matters.
    made = one is not None and one.state is DocumentState.READY
    ready = made and one is not None and one.is_of(queries.version(view))
    return {
        "view": view,
        "one": one,
        "ready": ready,
        "states": DocumentState,
        "kept": documents.KEPT,
    }


@blueprint.get("/consignments/<public_id>.pdf")
@allow(*READERS)
def packing_pdf(public_id: str) -> ResponseReturnValue:
    """The PDF; where there is none of the list as it is now, the page on which to ask for it."""
    shown = _pdf(public_id)
    if not shown["ready"]:
        return redirect(url_for("handover.pdf_page", public_id=public_id))
    content = io.BytesIO(documents.content_of(shown["one"]))
    name = packing.file_name(shown["view"])
    answer = send_file(content, "application/pdf", as_attachment=True, download_name=name)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@blueprint.get("/unit/arrivals")
@allow(Role.COORDINATOR)
def arrivals() -> ResponseReturnValue:
    """What is on its way to the coordinator's unit, and what was signed for."""
    return render_template(
        "orders/arrivals.html",
        page=queries.of_units(viewer().organisations(Role.COORDINATOR), request.args.get("cursor")),
    )


@blueprint.get("/handover/<public_id>")
@allow(Role.COORDINATOR, Role.CONSUMER)
def show(public_id: str) -> ResponseReturnValue:
    """Check what arrived, and sign with a finger."""
    return _sign_page(public_id)


def _sign_page(public_id: str, refusal: Refusal | None = None) -> ResponseReturnValue:
    view = queries.consignment(public_id, viewer())
    page = render_template(
        "orders/handover_sign.html",
        **_facts(view),
        short=shortages(queries.lines_with_shortage(view)),
        may_sign=queries.may_sign(view, viewer()),
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/handover/<public_id>")
@allow(Role.COORDINATOR, Role.CONSUMER)
def sign(public_id: str) -> ResponseReturnValue:
    """Sign for a consignment."""
    view = queries.consignment(public_id, viewer())
    found(view if queries.may_sign(view, viewer()) else None)
    account_id, signature = viewer().account_id, request.form.get("signature", "")
    try:
        once_for_form(
            lambda: actions.sign(view.consignment.id, signature, account_id=account_id),
        )
    except (Conflict, Invalid) as refusal:
        return _sign_page(public_id, refusal)
    flash(_("签收好了。少了坏了，给供货方打电话。"), "done")
    return redirect(url_for("handover.show", public_id=public_id))


@blueprint.post("/handover/orders/<number>/received")
@allow.everyone
def receive(number: str) -> ResponseReturnValue:
    """The buyer of one order, or staff, confirms that it arrived."""
    order = queries.receivable(number, viewer())
    try:
        once_for_form(lambda: actions.receive(order.id, account_id=viewer().account_id))
    except Conflict as refusal:
        flash(str(refusal.message), "wrong")
    else:
        flash(_("收货记下了。"), "done")
    return redirect(url_for("orders.show", number=number), 303)
