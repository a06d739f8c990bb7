"""Whether the pages show the demo, so that they can say what of it is made up."""

from __future__ import annotations

from flask import Flask, current_app
from sqlalchemy import exists, select

from kernel.db import db
from kernel.identity import Organisation
from kernel.settings import Environment

PLATFORM = "platform"
"""The code of the demo's own platform organisation."""


def is_loaded() -> bool:
    """Tell whether the demo is loaded; outside development it never is, and nothing is asked."""
    known = current_app.extensions
    if known["settings"].environment is not Environment.DEVELOPMENT:
        return False
    if not known.get("demo_is_loaded"):
        known["demo_is_loaded"] = bool(
            db.session.scalar(select(exists().where(Organisation.code == PLATFORM)))
        )
    return bool(known["demo_is_loaded"])


def register(app: Flask) -> None:
    """Let the shop's foot say that this is the demo."""
    app.add_template_global(is_loaded, "demo_is_loaded")
