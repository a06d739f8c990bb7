"""Which rooms there are: their blueprints, API blueprints, jobs and translations, one list each."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint as PageBlueprint
from flask import Flask
from flask_smorest import Blueprint as ApiBlueprint

from marketplace import health

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
TRANSLATIONS = [
    ROOT / package / "translations"
    for package in ("marketplace", "livestream", "cabinets", "orders", "sellers", "kernel")
]


def page_blueprints() -> list[PageBlueprint]:
    """Return every room's HTML blueprint."""
    return [health.blueprint]


def api_blueprints() -> list[ApiBlueprint]:
    """Return every room's JSON blueprint."""
    return []


def register(app: Flask) -> None:
    """Register every room's pages."""
    for blueprint in page_blueprints():
        app.register_blueprint(blueprint)
