"""Keyset paging: a cursor says after which row the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask_babel import lazy_gettext as _l

from kernel.errors import Invalid

T = TypeVar("T")
MAX_CURSOR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor of the page after them (None: this is the last)."""

    items: Sequence[T]
    next_cursor: str | None


def encode(*key: int | str) -> str:
    """Return an opaque cursor for the sort key of a row."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def cursor_invalid() -> Invalid:
    """Return the refusal of a cursor that no list of ours gave."""
    return Invalid(
        _l("这一页翻不到了。从第一页看起。"),
        code="cursor_invalid",
        fields={"cursor": _l("照抄上一页给的 next_cursor，或者不填。")},
    )


def decode(cursor: str, *kinds: type) -> tuple[int | str, ...]:
    """Return the sort key in `cursor`. Raises Invalid unless it holds values of `kinds`.

    Numbers in a key are those of rows, so they begin at one; text is what a page can show.
    """
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(key, list) or [type(one) for one in key] != list(kinds):
            raise ValueError("not a key")
        if not all(0 < one < 2**63 if isinstance(one, int) else one.isprintable() for one in key):
            raise ValueError("not a key")
    except (ValueError, binascii.Error) as problem:
        raise cursor_invalid() from problem
    return tuple(key)


def page_of(
    rows: Sequence[T], page_size: int, key: Callable[[T], tuple[int | str, ...]]
) -> Page[T]:
    """Return a page of `rows`, of which one more than `page_size` was asked for."""
    shown = rows[:page_size]
    more = len(rows) > page_size
    return Page(shown, encode(*key(shown[-1])) if more else None)
