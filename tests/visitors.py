"""A visitor's browser without scripts, for tests that also hold an application context."""

from __future__ import annotations

import re
from contextvars import Context
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from kernel import clock
from kernel.db import transaction
from kernel.identity import hash_key
from kernel.web_sessions import WebSession
from tests.builders import PASSWORD

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Visitor(FlaskClient):
    """Keeps cookies, sends the CSRF token of the page before, and shares nothing with the test.

    Inside an application context that a test has pushed, Flask would reuse that context's
    `g` for the request, and with it the viewer of an earlier one.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return Context().run(super().open, *args, **kwargs)

    def send(self, path: str, **form: object) -> TestResponse:
        """Post a form as a page of this site would."""
        token = _TOKEN.search(self.page("/orders"))
        assert token is not None
        return self.post(path, data={"csrf_token": token.group(1), **form})

    def page(self, path: str) -> str:
        """Return what a page says."""
        return self.get(path).get_data(as_text=True)

    def enter(self, login: str, **form: object) -> TestResponse:
        """Sign in with the password that builders give."""
        return self.send("/sign-in", login=login, password=PASSWORD, **form)

    def show_factor(self) -> None:
        """Let the session of this browser have shown its second factor just now."""
        with self.session_transaction() as session:
            key_hash = hash_key(session["_user_id"])
        with transaction() as database:
            database.execute(
                update(WebSession)
                .where(WebSession.key_hash == key_hash)
                .values(factor_at=clock.now())
            )
