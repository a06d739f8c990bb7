"""Somebody's program that calls the API, for tests that walk a road through JSON alone."""

from __future__ import annotations

import itertools
from typing import Any

from flask import Flask

from kernel.db import db
from kernel.identity import Account
from kernel.tokens import issue_token
from tests.visitors import Visitor

_keys = itertools.count(1)


class Program:
    """Somebody's program, with a bearer token."""

    def __init__(self, app: Flask, account: Account) -> None:
        self._client = Visitor(app, app.response_class)
        self._token = issue_token(account, factor=True)

    def ask(self, method: str, path: str, body: Any = None, expect: int = 200, **more: Any) -> Any:
        """Call, hold the status against `expect`, and return the answer's JSON (or address)."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": f"road-{next(_keys)}",
        }
        whole = path if path.startswith("/pay/") else f"/api/v1{path}"
        answer = self._client.open(whole, method=method, json=body, headers=headers, **more)
        db.session.rollback()
        db.session.expire_all()
        assert answer.status_code == expect, answer.text
        return answer.get_json() if answer.is_json else answer.location
