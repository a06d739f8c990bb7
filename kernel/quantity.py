"""Quantities: whole sale units. Weights: whole grams."""

from __future__ import annotations

import re

from kernel.text import plain

JIN_G = 500
"""One jin (斤) in grams."""

MAX_UNITS = 10_000_000
"""The most units that one lot, offer or line may hold."""

MAX_WEIGHT_G = 10_000_000 * JIN_G
"""The most that one yield may weigh, in grams: what fits into a form in jin."""

UNITS_TOGETHER = {"description": "Whole sale units of all products: a box counts as an egg does."}
"""What an API's document says of a figure that adds units of different products."""

FAR_OFF = 5
"""So many times its expectation, or its expectation so many times it: a figure looks mistyped."""

_UNITS = re.compile(r"^\d{1,8}$|^\d{1,3}(,\d{3}){1,2}$")
"""Digits, or digits with commas at thousands: in 1,5 the comma means a point."""

_JIN = re.compile(r"^(\d{1,7})(?:\.(\d{1,2}))?\s*斤?$")


def parse_units(text: str, *, least: int = 1, most: int = MAX_UNITS) -> int:
    """Read whole sale units as a person types them. Raises ValueError outside least..most."""
    typed = plain(text)
    units = int(typed.replace(",", "")) if _UNITS.match(typed) else None
    if units is None or not least <= units <= most:
        raise ValueError(f"a whole number from {least} to {most}")
    return units


def parse_jin(text: str) -> int:
    """Read a weight in jin and return whole grams. Raises ValueError for anything else."""
    match = _JIN.match(plain(text))
    if not match:
        raise ValueError("a weight in jin, like 118.5")
    hundredths = int(match.group(1)) * 100 + int((match.group(2) or "").ljust(2, "0"))
    return hundredths * JIN_G // 100


def looks_mistyped(entered: int, expected: int) -> bool:
    """Tell whether a figure is so far off (`FAR_OFF` either way) that it must be asked about."""
    if expected <= 0:
        return False
    return entered >= expected * FAR_OFF or entered * FAR_OFF <= expected
