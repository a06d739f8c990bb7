"""Alive and ready: what a load balancer asks."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kernel.access import View, allow
from kernel.db import db

blueprint = Blueprint("health", __name__)


def _plain(view: View) -> View:
    """Let a view answer without https: who asks stands beside the shop, before any proxy."""
    view.talisman_view_options = {"force_https": False}  # type: ignore[attr-defined]  # read by Talisman
    return view


@blueprint.get("/healthz")
@allow.everyone
@_plain
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(alive=True)


@blueprint.get("/readyz")
@allow.everyone
@_plain
def ready() -> ResponseReturnValue:
    """The database answers and stands at the newest migration; 503 with what is missing."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # whoever migrates or asks this

    try:
        stands_at = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        db.session.rollback()
        return jsonify(ready=False, database=False, migrated=False), 503
    config = current_app.extensions["migrate"].migrate.get_config()
    migrated = stands_at == ScriptDirectory.from_config(config).get_current_head()
    return jsonify(ready=migrated, database=True, migrated=migrated), 200 if migrated else 503
