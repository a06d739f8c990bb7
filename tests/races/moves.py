"""A valid request for every endpoint that acts once for a key, each on a scene of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel.db import db
from kernel.identity import Account, Role
from kernel.tokens import issue_token
from tests import builders

numbers = itertools.count(1)


@dataclass(frozen=True)
class Move:
    """One request that moves money or stock, and what its body could say instead.

    A page's body is a form. `other` is None where the path alone says what is to be done.
    """

    account: Account
    path: str
    body: dict[str, Any] | None = None
    other: dict[str, Any] | None = None
    method: str = "POST"

    @property
    def is_page(self) -> bool:
        """Whether it is a form of a page rather than JSON."""
        return not self.path.startswith("/api/")

    def token(self) -> str:
        """A fresh token of whoever asks, whose second factor was shown just now."""
        return issue_token(db.session.get_one(Account, self.account.id), factor=True)


Build = Callable[[], Move]

MOVES: dict[str, Build] = {}
"""Endpoint → how a valid request for it is made."""


def move(endpoint: str) -> Callable[[Build], Build]:
    """Register how a request for `endpoint` is made."""

    def keep(build: Build) -> Build:
        assert endpoint not in MOVES, endpoint
        MOVES[endpoint] = build
        return build

    return keep


def staff() -> Account:
    """Somebody of the platform."""
    return builders.account(Role.STAFF)
