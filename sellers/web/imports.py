"""Listing stock from a spreadsheet: template, upload, progress, preview, loading."""

from __future__ import annotations

import io
from typing import Any

from flask import Response, make_response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, my_account
from kernel.db import public_code
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.language import reads_english
from kernel.paging import cursor_invalid
from kernel.sheets import MEDIA_TYPE
from sellers import jobs
from sellers.forms.inputs import upload_of
from sellers.forms.stock import SpreadsheetForm
from sellers.imports.reading import grouped
from sellers.imports.words import MAX_ROWS, say
from sellers.me import my_seller
from sellers.model import ImportState, OfferImport
from sellers.queries import workspace
from sellers.web.room import attempt, blueprint, cursor, form_page

ROWS_SHOWN = 50
AT_WORK = (ImportState.READING, ImportState.LOADING)


@blueprint.route("/import", methods=["GET", "POST"])
@allow(Role.CLERK)
def imports() -> ResponseReturnValue:
    """Upload a spreadsheet; the ones uploaded before."""
    seller_id, form = my_seller(), SpreadsheetForm()
    made: list[str | None] = []

    def work() -> None:
        sent = upload_of(form.file)
        data, name = (sent.data, sent.name) if sent else (b"", "")
        made.append(jobs.upload(seller_id, my_account(), data, name).public_id)

    if form.validate_on_submit() and attempt(form, work):
        return redirect(url_for("sellers.import_show", public_id=made[0]))
    return form_page(
        "sellers/imports.html",
        form,
        seller=workspace.own_seller(seller_id),
        page=workspace.imports(seller_id, cursor()),
        most=MAX_ROWS,
    )


@blueprint.get("/import/template.xlsx")
@allow(Role.CLERK)
def import_template() -> ResponseReturnValue:
    """The workbook to fill in."""
    from sellers.imports import writing  # noqa: PLC0415  # few open a sheet

    return _workbook(writing.template(english=reads_english()), _("乡集上架模板.xlsx"))


@blueprint.get("/import/<public_id>")
@allow(Role.CLERK)
def import_show(public_id: str) -> ResponseReturnValue:
    """One spreadsheet: how far it has come, its rows or its faults."""
    return render_template("sellers/import.html", **_shown(public_id))


@blueprint.get("/import/<public_id>/progress")
@allow(Role.CLERK)
def import_progress(public_id: str) -> ResponseReturnValue:
    """The part of the page that moves: 304 while nothing changed."""
    shown = _shown(public_id)
    one: OfferImport = shown["one"]
    # The inside is not drawn again while nothing moved, so the tag is made of what moves.
    tag = f"{one.state}-{one.rows_done}"
    if tag in request.if_none_match:
        answer = make_response("", 304)
    else:
        answer = make_response(render_template("sellers/import_progress.html", **shown))
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    if one.state not in AT_WORK:
        answer.headers["X-Live"] = "done"
    return answer


def _shown(public_id: str) -> dict[str, Any]:
    """Return what the page and its moving part show."""
    one = workspace.own_import(my_seller(), public_id)
    start = _start(max(len(one.rows), len(one.faults)))
    return {
        "one": one,
        "start": start,
        "rows": one.rows[start : start + ROWS_SHOWN],
        "shown_faults": one.faults[start : start + ROWS_SHOWN],
        "next_start": start + ROWS_SHOWN,
        "groups": grouped(one.faults),
        "say": say,
        "key": public_code(20),
        "states": ImportState,
    }


def _start(count: int) -> int:
    """Return at which row of `count` this page begins. Raises Invalid for none of them."""
    typed = request.args.get("from") or "0"
    if typed not in map(str, range(0, max(count, 1), ROWS_SHOWN)):
        raise cursor_invalid()
    return int(typed)


@blueprint.post("/import/<public_id>/load")
@allow(Role.CLERK)
def import_load(public_id: str) -> ResponseReturnValue:
    """Put every row on sale."""
    one = workspace.own_import(my_seller(), public_id)
    once_for_form(lambda: jobs.load(one.id).public_id)
    return redirect(url_for("sellers.import_show", public_id=public_id))


@blueprint.get("/import/<public_id>/faults.xlsx")
@allow(Role.CLERK)
def import_faults(public_id: str) -> ResponseReturnValue:
    """What is wrong, as a workbook."""
    one = workspace.own_import(my_seller(), public_id)
    headings = [_("行"), _("列"), _("填的内容"), _("怎么改")]
    from sellers.imports import writing  # noqa: PLC0415  # few open a sheet

    return _workbook(writing.fault_list(one.faults, headings), _("要改的地方.xlsx"))


def _workbook(data: bytes, name: str) -> Response:
    return send_file(io.BytesIO(data), mimetype=MEDIA_TYPE, as_attachment=True, download_name=name)
