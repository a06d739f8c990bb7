"""What people type: without marks that nobody sees, and digits as computers write them."""

from __future__ import annotations

import re
import unicodedata

PHONE = r"^\+?[0-9][0-9 -]{5,18}[0-9]$"
"""What a phone number looks like, with or without a country's code."""
BANK_ACCOUNT = r"^[0-9]([ -]?[0-9]){7,31}$"
"""What a bank account's number looks like: 8 to 32 digits, perhaps in groups."""
# PostgreSQL keeps no NUL in text. The others turn the direction of what stands after them, so
# that an address reads backwards, or take no room at all, so that a name looks empty.
_UNSEEN = re.compile("[\x00\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def cleaned(typed: str | None) -> str:
    """Return what was typed without marks that nobody sees and without blanks around it."""
    return _UNSEEN.sub("", typed or "").strip()


def plain(typed: str | None) -> str:
    """Return a number or code that was typed in full-width characters in ordinary ones."""
    return unicodedata.normalize("NFKC", cleaned(typed))
