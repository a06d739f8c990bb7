"""What people uploaded, served to those who may see it."""

from __future__ import annotations

from flask import Blueprint, Response, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from kernel.access import View, Viewer, allow, found, viewer
from kernel.db import db
from kernel.files import StoredFile, path_of
from kernel.identity import Role

blueprint = Blueprint("files", __name__)

FILE_POLICY = {"default-src": "'none'", "sandbox": ""}
"""Whatever hides in a file has no origin, runs no script and fetches nothing."""
PUBLIC_AGE_S = 30 * 24 * 3600
OWNERS = (Role.CLERK, Role.COORDINATOR, Role.OPERATOR)


def _sandboxed(view: View) -> View:
    """Let Talisman send FILE_POLICY with what the view answers."""
    view.talisman_view_options = {"content_security_policy": FILE_POLICY}  # type: ignore[attr-defined]  # read by Talisman
    return view


def may_see(who: Viewer, stored: StoredFile) -> bool:
    """Tell whether `who` may see a file: anybody a public one, else its owners and staff.

    An organisation's is its own, whoever of it sent it in; one of no organisation is its
    uploader's.
    """
    if stored.public or who.has(Role.STAFF, Role.AUDITOR):
        return True
    if stored.organisation_id is not None:
        return who.belongs(stored.organisation_id, *OWNERS)
    return who.account_id is not None and stored.uploaded_by == who.account_id


@blueprint.get("/photos/<public_id>")
@allow.everyone
@_sandboxed
def photo(public_id: str) -> ResponseReturnValue:
    """Serve a public picture. Its content never changes, so it may be kept for a month."""
    stored = _stored(public_id)
    return _sent(found(stored if stored.public else None))


@blueprint.get("/files/<public_id>")
@allow.everyone
@_sandboxed
def show(public_id: str) -> ResponseReturnValue:
    """Serve one file to those who may see it; for everybody else there is none."""
    stored = _stored(public_id)
    return _sent(found(stored if may_see(viewer(), stored) else None))


def _stored(public_id: str) -> StoredFile:
    return found(db.session.scalar(select(StoredFile).where(StoredFile.public_id == public_id)))


def _sent(stored: StoredFile) -> Response:
    found(stored if path_of(stored).exists() else None)
    answer: Response = send_file(
        path_of(stored),
        mimetype=stored.media_type,
        # A picture opens in the page; anything else is saved, under the name it came with.
        as_attachment=not stored.media_type.startswith("image/"),
        download_name=stored.original_name,
        etag=stored.sha256,
        max_age=PUBLIC_AGE_S if stored.public else 0,
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if not stored.public:
        answer.headers["Cache-Control"] = "private, no-cache"
    return answer
