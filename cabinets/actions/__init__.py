"""Verbs of the cabinets room: places and slots, moving stock, and what devices report."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from cabinets.model import Cabinet, Site
from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role


def operated(viewer: Viewer, code: str, *, lock: bool = False) -> Cabinet:
    """Return the cabinet `code` with its site, for its operator or staff; NotFound for others.

    Whoever changes a cabinet's stock locks it first: so reports and trips never overtake
    each other. Lots and orders come after it.
    """
    query = select(Cabinet).join(Cabinet.site).options(contains_eager(Cabinet.site))
    query = query.where(Cabinet.code == code)
    if not viewer.has(Role.STAFF):
        query = query.where(Site.operator_id.in_(viewer.organisations(Role.OPERATOR)))
    if lock:
        query = query.with_for_update(of=Cabinet).execution_options(populate_existing=True)
    return found(db.session.scalar(query))
