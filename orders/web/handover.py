"""Consignments: pack and send (seller), packing list on paper, sign on a phone (recipient)."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from kernel.access import allow, found, viewer
from kernel.db import end_read, public_code
from kernel.errors import Conflict, Invalid, Refusal, Unavailable
from kernel.idempotency import once_for_form
from kernel.identity import Role
from orders.actions import handover as actions
from orders.queries import handover as queries
from orders.queries.handover import ConsignmentView
from orders.queries.keys import group_order_key, order_key
from orders.queries.shortage import shortages

blueprint = Blueprint("handover", __name__, template_folder="../templates")

PDF_CSS = """
@page { size: A4; margin: 16mm 14mm; @bottom-right { content: counter(page) "/" counter(pages); } }
body { font: 10pt "Noto Sans CJK SC", sans-serif; color: #000; }
h1 { font-size: 16pt; margin: 0 0 4mm; }
table { width: 100%; border-collapse: collapse; margin-bottom: 6mm; }
th, td { border: 0.3mm solid #000; padding: 1.6mm 2mm; text-align: left; }
.r { text-align: right; } tr { break-inside: avoid; } .sign { min-width: 28mm; }
svg { width: 60mm; height: 24mm; fill: none; stroke: #000; stroke-width: 3; }
"""
MAX_PDF_LINES = 400


@blueprint.get("/seller/consignments")
@allow(Role.CLERK)
def consignments() -> ResponseReturnValue:
    """What can be packed, what is packed, what is on its way."""
    return _list()


def _list(refusal: Refusal | None = None) -> ResponseReturnValue:
    seller_id = viewer().organisation(Role.CLERK)
    page = render_template(
        "orders/consignments.html",
        to_pack=queries.to_pack(actions.packable(seller_id)),
        in_field=queries.to_pack(actions.not_harvested(seller_id)),
        consignments=queries.of_seller(seller_id),
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
@allow(Role.CLERK, Role.STAFF, Role.COORDINATOR, Role.CONSUMER)
def packing_list(public_id: str) -> ResponseReturnValue:
    """The packing list, as it is printed."""
    view = queries.consignment(public_id, viewer())
    sends = queries.may_send(view.consignment, viewer())
    return render_template(
        "orders/packing_list.html", **_facts(view), back=_back(view, sends=sends), pdf=True
    )


def _facts(view: ConsignmentView) -> dict[str, Any]:
    return {"view": view, "recipients": queries.recipients(view)}


def _back(view: ConsignmentView, *, sends: bool) -> str:
    if sends and viewer().has(Role.CLERK):
        return url_for("handover.consignments")
    return url_for("handover.show", public_id=view.consignment.public_id)


@blueprint.get("/consignments/<public_id>.pdf")
@allow(Role.CLERK, Role.STAFF, Role.COORDINATOR, Role.CONSUMER)
def packing_pdf(public_id: str) -> ResponseReturnValue:
    """The packing list as PDF. Raises Unavailable where PDF cannot be made."""
    view = queries.consignment(public_id, viewer())
    if len(view.consignment.lines) > MAX_PDF_LINES:
        raise Unavailable(_l("这张单太长，请用打印页打印。"), code="list_too_long")
    page = render_template("orders/packing_pdf.html", **_facts(view))
    name = f"{view.consignment.public_id}.pdf"
    end_read()
    return Response(
        pdf_of(page),
        mimetype="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _no_fetching(url: str, *_args: object, **_more: object) -> dict[str, Any]:
    raise ValueError(f"a document may not fetch {url}")


def pdf_of(page: str) -> bytes:
    """Return `page` as PDF. Raises Unavailable (pdf_unavailable) where Pango is not installed."""
    try:
        # Looked for only now: without Pango the import fails, and all else must still work.
        weasyprint = importlib.import_module("weasyprint")
    except OSError as problem:
        raise Unavailable(
            _l(
                "这台服务器还不能做 PDF：请管理员安装 Debian 软件包 libpango-1.0-0 和 "
                "libpangoft2-1.0-0。现在可以用打印页。"
            ),
            code="pdf_unavailable",
        ) from problem
    sheet = weasyprint.CSS(string=PDF_CSS, url_fetcher=_no_fetching)
    made: bytes = weasyprint.HTML(string=page, url_fetcher=_no_fetching).write_pdf(
        stylesheets=[sheet]
    )
    return made


@blueprint.get("/unit/arrivals")
@allow(Role.COORDINATOR)
def arrivals() -> ResponseReturnValue:
    """What is on its way to the coordinator's unit, and what was signed for."""
    return render_template(
        "orders/arrivals.html",
        consignments=queries.of_units(viewer().organisations(Role.COORDINATOR)),
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
