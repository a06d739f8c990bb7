"""Which of two languages a page is read in: Chinese first, English complete."""

from __future__ import annotations

from typing import Any

from flask import g, has_app_context
from flask_babel import get_locale


def reads_english() -> bool:
    """Tell whether this page is read in English; outside a request it is Chinese."""
    if not has_app_context():
        return False
    try:
        return bool(g.reads_english)
    except AttributeError:
        locale = get_locale()
        g.reads_english = locale is not None and locale.language == "en"
        return bool(g.reads_english)


def local(thing: Any, name: str = "name") -> str:
    """Return `thing.name_zh` or `thing.name_en` by language; Chinese where English is missing."""
    if thing is None:
        return ""
    english = str(getattr(thing, f"{name}_en", "") or "") if reads_english() else ""
    return english or str(getattr(thing, f"{name}_zh", "") or "")
