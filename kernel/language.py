"""Which of two languages a page is read in: Chinese first, English complete."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_babel import get_locale


def reads_english() -> bool:
    """Tell whether this page is read in English; outside a request it is Chinese."""
    try:
        return bool(g.reads_english)
    except AttributeError:
        locale = get_locale()
        g.reads_english = locale is not None and locale.language == "en"
        return bool(g.reads_english)
    except RuntimeError:  # there is no request, and so no `g`
        return False


def local(thing: Any, name: str = "name") -> str:
    """Return `thing.name_zh` or `thing.name_en` by language; Chinese where English is missing."""
    if thing is None:
        return ""
    english = getattr(thing, f"{name}_en", "") if reads_english() else ""
    return str(english or getattr(thing, f"{name}_zh", "") or "")
