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
    is_plain = has_request_context() and endpoint[0] != "."
    for name, value in values.items():
        is_plain = is_plain and isinstance(value, str) and name[0] != "_"
    if is_plain:
        return _built(request.script_root, endpoint, tuple(values.items()))
    return url_for(endpoint, **values)


def register(app: Flask) -> None:
    """Let templates build addresses so."""
    app.add_template_global(address, "url_for")
