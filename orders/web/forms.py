"""What the forms of these pages share: a form that moves goods or money acts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from kernel.access import viewer
from kernel.idempotency import once

PROOFS = frozenset({"csrf_token", "second_factor"})
"""What a form carries to show who sends it; the same act may come with others."""


def act_once(endpoint: str, act: Callable[[], object]) -> None:
    """Do `act` once for the idempotency key of the form that was posted.

    Raises what `act` and `kernel.idempotency.once` raise.
    """
    body = {name: value for name, value in request.form.items() if name not in PROOFS}

    def answer() -> dict[str, Any]:
        act()
        return {}

    key = request.form.get("idempotency_key")
    once(viewer().actor, endpoint, key, {"path": request.path, **body}, answer)
