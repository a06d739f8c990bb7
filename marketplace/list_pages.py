"""The ways from one page of a long list: on, back, and to its first page.

A cursor only leads on, so an address carries the cursors of the pages that led to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from flask import Flask, request

from marketplace.menu import came_from

HERE = "cursor"
BEFORE = "before"
LEFT_OUT = "-"
"""Stands first in BEFORE for pages that are no longer named there; no list gives it as a cursor."""
MAX_LENGTH = 300
"""How long what leads back may grow: an address must stay one that can be sent on."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Addresses, '' for a page that there is not; `number` is None where nobody counted."""

    first: str
    previous: str
    following: str
    number: int | None


def ways(next_cursor: str | None, at: str = "") -> Ways:
    """Return the ways from the page that is shown; what narrows the list comes along.

    `at` is the list's address, with what it needs in it, where a refusal may show it at another.
    """
    here, before = request.args.get(HERE, ""), request.args.get(BEFORE, "")
    if not here:
        return Ways("", "", _to(at, next_cursor, []) if next_cursor else "", 1)
    behind = before.split(".") if before else []
    first, is_whole = _to(at, "", []), LEFT_OUT not in behind
    known = [one for one in behind if one != LEFT_OUT]
    back = _to(at, known[-1], behind[:-1]) if known else first if is_whole else ""
    following = _to(at, next_cursor, [*behind, here]) if next_cursor else ""
    return Ways(first, back, following, len(behind) + 2 if is_whole else None)


def _to(at: str, cursor: str, behind: list[str]) -> str:
    path, _, needed = at.partition("?")
    always = dict(parse_qsl(needed))
    others = (HERE, BEFORE, *always)
    narrowed = [one for one in request.args.items(multi=True) if one[0] not in others]
    steps = {HERE: cursor, BEFORE: _shortened(behind)}
    step = [(name, text) for name, text in steps.items() if text]
    query = urlencode([*always.items(), *narrowed, *step])
    return quote(path or request.path) + (f"?{query}" if query else "")


def _shortened(behind: list[str]) -> str:
    """Return `behind` in one word, without its oldest ones where it would grow too long."""
    kept = behind[:]
    while len(word := ".".join(kept)) > MAX_LENGTH:
        kept = [LEFT_OUT, *kept[2 if kept[0] == LEFT_OUT else 1 :]]
    return word


def back_to(above: str) -> str:
    """Return `above`, the address of a list, at the page of it from which somebody came."""
    before = came_from() or ""
    return before if before.partition("?")[0] == above else above


def register(app: Flask) -> None:
    """Give the ways to templates."""
    app.add_template_global(ways, "page_ways")
    app.add_template_global(back_to, "back_to")
