"""Addresses in templates: a page names over a hundred, and most of them on every page again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Flask, has_request_context, request, url_for

KEPT = 2048
"""How many addresses a worker remembers."""


@lru_cache(KEPT)
def _built(_root: str, endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
    return url_for(endpoint, **dict(values))


def address(endpoint: str, **values: Any) -> str:
    """Return `url_for(endpoint, …)`, remembered where nothing but its arguments decides it."""
    for name, value in values.items():
        if type(value) is not str or name[0] == "_":
            return url_for(endpoint, **values)
    if endpoint[0] == "." or not has_request_context():
        return url_for(endpoint, **values)
    return _built(request.root_path, endpoint, tuple(values.items()))


def register(app: Flask) -> None:
    """Let templates build addresses so."""
    app.add_template_global(address, "url_for")
