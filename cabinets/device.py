"""How a device signs: `Signature: t=…,v1=HMAC-SHA256(key, t + "." + body)`."""

from __future__ import annotations

import hashlib
import hmac
import re

_HEADER = re.compile(r"^\s*t=(\d{1,15})\s*,\s*v1=([0-9a-f]{64})\s*$")


def sign(key: str, moment: int, body: bytes) -> str:
    """Return the header for `body`, signed with `key` at `moment` (seconds, the device's own)."""
    return f"t={moment},v1={_digest(key, str(moment), body)}"


def is_signed(key: str, header: str, body: bytes) -> bool:
    """Tell whether `header` is a signature of `body` with `key`.

    The time in it is not trusted and only has to be a number: what was sent before is known
    by its sequence numbers.
    """
    match = _HEADER.match(header)
    if match is None:
        return False
    return hmac.compare_digest(_digest(key, match.group(1), body), match.group(2))


def _digest(key: str, moment: str, body: bytes) -> str:
    return hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
