"""JSON actions whose answer is kept under an idempotency key, times and all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kernel.idempotency import once_for_program

# Stored answers are JSON; the schemas write times from datetimes.
_TIMES = ("packed_at", "sent_at", "signed_at", "stated_at", "paid_at")


def once(endpoint: str, body: Any, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do `act` once for the request's key, and return what it answered then, times as datetimes."""

    def as_json() -> dict[str, Any]:
        answer = act()
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in answer.items()
        }

    answer = once_for_program(endpoint, body, as_json)
    return {
        name: datetime.fromisoformat(value) if name in _TIMES and value else value
        for name, value in answer.items()
    }
