"""Static files carry their version in the address, so that a browser asks for each once.

A phone on a village network would otherwise ask for some twenty files again on every page.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

VERSIONED = int(timedelta(days=365).total_seconds())
"""Seconds for which a browser keeps what its address names exactly."""
UNVERSIONED = int(timedelta(hours=1).total_seconds())
"""Seconds for files that style sheets name, such as icons."""


def init_app(app: Flask) -> None:
    """Name the version in every static address that `url_for` makes, and let it be kept.

    Comes before whatever else looks at answers, so that it looks at them last.
    """
    folder = Path(app.static_folder or "")

    @cache
    def version(filename: str) -> str | None:
        path = folder / filename
        return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else None

    @app.url_defaults
    def _name_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values.setdefault("v", version(values["filename"]))

    @app.after_request
    def _let_it_be_kept(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in {200, 206, 304}:
            exact = "v" in request.args
            response.cache_control.no_cache = None
            response.cache_control.public = True
            response.cache_control.max_age = VERSIONED if exact else UNVERSIONED
            response.cache_control.immutable = exact
        return response
