"""Stock from a spreadsheet."""

from __future__ import annotations

from typing import Any

from kernel.access import allow, my_account
from kernel.idempotency import keyed
from kernel.identity import Role
from sellers import jobs, schemas
from sellers.api.room import as_upload, blueprint, made_once
from sellers.imports.words import say
from sellers.me import my_seller
from sellers.model import OfferImport
from sellers.queries import workspace

FAULTS_SHOWN = 100


def _import_out(one: OfferImport) -> dict[str, Any]:
    kept = ("public_id", "state", "rows_total", "rows_done")
    shown = [{**fault, "advice": say(fault)} for fault in one.faults[:FAULTS_SHOWN]]
    return {
        **{name: getattr(one, name) for name in kept},
        "faults_count": len(one.faults),
        "faults": shown,
    }


@blueprint.route("/mine/imports", methods=["POST"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.FileIn, location="files")
@blueprint.response(202, schemas.ImportOut)
def upload_import(files: dict[str, Any]) -> dict[str, Any]:
    """Upload a spreadsheet; a job reads it."""
    sent = as_upload(files["file"])
    return _import_out(jobs.upload(my_seller(), my_account(), sent.data, sent.name))


@blueprint.route("/mine/imports/<public_id>", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.ImportOut)
def show_import(public_id: str) -> dict[str, Any]:
    """Show how far a spreadsheet has come."""
    return _import_out(workspace.own_import(my_seller(), public_id))


@blueprint.route("/mine/imports/<public_id>/load", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.response(202, schemas.ImportOut)
def load_import(public_id: str) -> dict[str, Any]:
    """Put a spreadsheet's rows on sale, all or none."""
    one = workspace.own_import(my_seller(), public_id)
    made_once(None, lambda: jobs.load(one.id).public_id)
    return _import_out(workspace.own_import(my_seller(), public_id))
