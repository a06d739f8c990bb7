"""Two who do the same at once: the second is told so, and the log keeps what the database said."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from psycopg import errors
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.test import TestResponse

from kernel.db import db, transaction
from kernel.identity import Account, register_account
from tests.locks import start_and_wait
from tests.visitors import Visitor

PASSWORD = "a-long-password"
FORM = {"login": "someone", "name": "某人", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_whoever_registers_a_login_second_is_told_what_happened(
    shop: Flask, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.page("/register")
    answers = list[TestResponse]()
    other = threading.Thread(target=lambda: answers.append(visitor.send("/register", **FORM)))
    with transaction():
        register_account("someone", PASSWORD, "某人")
        start_and_wait(other)
    other.join(20)
    [answer] = answers
    assert answer.status_code == 409
    assert "同时" in answer.text
    assert db.session.query(Account).filter_by(login="someone").count() == 1
    assert [one.exc_info is not None for one in caplog.records if one.msg == "lost_race"] == [True]


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (IntegrityError("", {}, errors.UniqueViolation()), 409, "lost_race"),
        (OperationalError("", {}, errors.DeadlockDetected()), 409, "lost_race"),
        (OperationalError("", {}, errors.SerializationFailure()), 409, "lost_race"),
        (errors.UniqueViolation(), 409, "lost_race"),
        (errors.DeadlockDetected(), 409, "lost_race"),
        (IntegrityError("", {}, errors.CheckViolation()), 500, "internal_error"),
        (IntegrityError("", {}, errors.ForeignKeyViolation()), 500, "internal_error"),
    ],
)
def test_what_the_database_calls_a_race_is_a_conflict_and_the_rest_a_fault(
    shop: Flask, said: Exception, status: int, code: str
) -> None:
    with shop.test_request_context("/api/v1/orders", method="POST"):
        answer = shop.make_response(shop.handle_user_exception(said))
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)
