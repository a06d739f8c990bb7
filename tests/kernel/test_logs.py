"""Lines of the log hold what the list names, and nothing that anybody typed."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy.exc
from flask import Flask
from flask.testing import FlaskClient

from kernel import logs
from kernel.access import allow
from kernel.db import db, transaction
from kernel.identity import Account
from marketplace.request_log import HEADER
from tests import builders

SECRET = "Unverwechselbar-7731"
ALLOWED = {"time", "level", "event", "at", "error", "template", "numbers", *logs.FIELDS}


class Book:
    """What a process would have written since the test began."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def book() -> Iterator[Book]:
    """The root logger as `logs.begin` sets it, into memory."""
    kept, root = Book(), logging.getLogger()
    handler, level = logs.handler(kept.stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield kept
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_request_is_one_line_of_named_fields(book: Book, client: FlaskClient) -> None:
    answer = client.get(f"/offers?q={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
    [line] = book.lines
    assert (line["event"], line["endpoint"]) == ("request", "storefront.offers")
    assert (line["method"], line["status"], line["level"]) == ("GET", 200, "info")
    assert line["request"] == answer.headers[HEADER]
    assert line["statements"] > 0
    assert line["ms"] > 0
    assert line.keys() <= ALLOWED
    assert SECRET not in book.text


def test_a_path_that_holds_a_code_is_told_by_its_endpoint(book: Book, client: FlaskClient) -> None:
    assert client.get(f"/pay/{SECRET}").status_code == 404
    assert client.get(f"/{SECRET}").status_code == 404
    assert [line["endpoint"] for line in book.lines] == ["pay.go", None]
    assert SECRET not in book.text


def test_an_error_is_its_type_and_place_and_a_person_can_name_it(
    book: Book, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise ValueError(SECRET) from LookupError(SECRET)

    monkeypatch.setitem(app.view_functions, "storefront.offers", allow.everyone(fails))
    page = client.get("/offers", query_string={"q": SECRET})
    assert page.status_code == 500
    fault, request = book.lines
    assert fault["event"] == "fault"
    assert fault["request"] == request["request"] == page.headers[HEADER]
    assert page.headers[HEADER] in page.text
    error, cause = fault["error"]
    assert (error["type"], cause["type"]) == ("builtins.ValueError", "builtins.LookupError")
    assert error["places"][0].startswith("tests/kernel/test_logs.py:")
    assert fault.keys() <= ALLOWED
    assert SECRET not in book.text


def test_a_problem_document_names_the_request(client: FlaskClient) -> None:
    answer = client.get("/api/v1/offers/nothing")
    assert answer.get_json()["request_id"] == answer.headers[HEADER]


def test_what_the_database_says_of_values_stays_out(book: Book, app: Flask) -> None:
    def twice() -> None:
        with transaction() as session:
            session.add(Account(login=SECRET, password_hash="", name_zh=SECRET))
            session.flush()

    with app.app_context():
        builders.account(login=SECRET)
        with pytest.raises(sqlalchemy.exc.IntegrityError) as refused:
            twice()
        assert SECRET in str(refused.value)  # the control: the error itself holds it
        logs.fault(logging.getLogger("kernel"), "fault", refused.value)
        db.session.rollback()
    [line] = book.lines
    assert line["error"][0]["sqlstate"] == "23505"
    assert line["error"][0]["constraint"] == "uq_account_login"
    assert SECRET not in book.text


def test_libraries_say_where_and_how_bad_but_not_what(book: Book) -> None:
    spelt_out = f"about {SECRET}"  # as many libraries do, whatever their call looks like
    for name in ("stripe", "sqlalchemy.engine.Engine", "procrastinate.worker", "werkzeug"):
        logging.getLogger(name).warning("about %s", SECRET)
        logging.getLogger(name).error(spelt_out, extra={"job": {"args": SECRET}})
        logging.getLogger(name).info(SECRET)
    logging.getLogger("gunicorn.error").warning("Invalid request: " + SECRET)
    logging.getLogger("gunicorn.error").info("Worker %s on %s", 7, SECRET)
    assert SECRET not in book.text
    assert {line["event"] for line in book.lines[:2]} == {"stripe"}
    assert len(book.lines) == 4 * 2 + 2  # what libraries only mention is left out
    assert all(line["at"].startswith("test_logs.py:") for line in book.lines)
    assert book.lines[-1]["template"] == "Worker %s on %s"
    assert book.lines[-1]["numbers"] == [7]


def test_a_field_that_is_not_on_the_list_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="phone"):
        logs.say(logging.getLogger("kernel"), logging.INFO, "something", phone=SECRET)
