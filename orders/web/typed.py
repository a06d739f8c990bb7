"""What people type into the pages of a round."""

from __future__ import annotations

from flask_babel import gettext as _

from kernel.errors import Invalid
from kernel.quantity import parse_units

LONGEST = 9
"""Digits of the largest quantity, and some more."""


def units_typed(text: str, offer_id: str = "") -> int:
    """Return whole units, none included. Raises Invalid (quantity_invalid), naming the offer."""
    try:
        return parse_units(text, least=0)
    except ValueError as problem:
        said = _("数量填 0 到 10,000,000 的整数。")
        raise Invalid(said, code="quantity_invalid", offer_id=offer_id) from problem


def taken(answer: str) -> bool:
    """Tell whether a household takes its task. Raises Invalid for anything but a yes or a no."""
    if answer not in ("accept", "decline"):
        raise Invalid(_("点“接”或者“不接”。"), code="answer_unclear")
    return answer == "accept"


def units_shown(text: str) -> int | None:
    """Return the units that a page showed beside its buttons; None where it does not say."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST else None
