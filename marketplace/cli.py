"""Commands: `flask check`, `flask demo`, `flask worker`, `flask cabinet`."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add every command to `app`."""
