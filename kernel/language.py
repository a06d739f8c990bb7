"""Which of two languages a page is read in, and what names and units are called in it.

Chinese comes first, English is complete.
"""

from __future__ import annotations

import re
from typing import Any

from flask import g
from flask_babel import get_locale, get_translations

# What sale units are called in English, alone and in the plural.
UNITS_EN = {
    "箱": ("box", "boxes"),
    "件": ("case", "cases"),
    "斤": ("jin", "jin"),
    "个": ("piece", "pieces"),
    "枚": ("egg", "eggs"),
    "只": ("bird", "birds"),
    "瓶": ("bottle", "bottles"),
    "袋": ("bag", "bags"),
    "罐": ("tin", "tins"),
    "盒": ("pack", "packs"),
    "份": ("portion", "portions"),
    "公斤": ("kg", "kg"),
}

_OPENING = re.compile(r"(Today|Tomorrow)(?=,|$)")
"""With what an English date may begin, with a capital that it has at the start of a line only."""


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


def count(number: int) -> str:
    """Return a whole number with commas at thousands and a true minus sign."""
    return f"{number:,}".replace("-", "−")


def inside(text: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` as they stand in the sentence `text`: 'closed today' and 'Today, 10:00'."""
    if not reads_english():
        return values
    return {name: _small(value, text, name) for name, value in values.items()}


def _small(value: Any, text: str, name: str) -> Any:
    """Return what fills %(name)s, without the capital of a first word where it is not the first."""
    opens = isinstance(value, str) and _OPENING.match(value)
    if not opens or text.startswith(f"%({name})s"):
        return value
    return value[0].lower() + value[1:]


def counted(text: str, number: int, **others: Any) -> str:
    """Return `text` with `number` in place of its %(n)s, in English in the form that it asks for.

    Chinese has one form for any number; the catalogue has the two English ones.
    """
    words = str(get_translations().ngettext(text, text, number))
    return words % {"n": count(number), **inside(words, others)}


def unit(name: str, number: int = 1) -> str:
    """Return a sale unit in the reader's language: '箱', 'box', 'boxes'."""
    if not reads_english():
        return name
    singular, plural = UNITS_EN.get(name, (name, name))
    return singular if abs(number) == 1 else plural


def of_unit(number: int, name: str) -> str:
    """Return a quantity with its unit: '12 箱', '12 boxes'."""
    return f"{count(number)} {unit(name, number)}"
