"""One effect per key."""

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, request
from sqlalchemy import func, select, text

from kernel import clock, idempotency
from kernel.audit import Act, AuditEntry, note
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, KeyMissing, KeyReused, NotFound
from kernel.idempotency import (
    KEEPING_VALUES,
    Attempt,
    IdempotencyKey,
    keeping,
    once,
    once_for_form,
    once_for_program,
    once_within,
)
from kernel.reads import Write
from tests.at_once import at_once


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def act() -> dict[str, Any]:
    note(Act.TARGET_SET, "thing", account_id=None)
    return {"entries": db.session.scalar(select(func.count(AuditEntry.id)))}


KEEP = Write(text(f"WITH one AS (SELECT 1), {keeping('one')} SELECT 1").bindparams(*KEEPING_VALUES))


def effects() -> int:
    return db.session.scalar(select(func.count(AuditEntry.id))) or 0


def test_a_repeat_gets_the_same_answer_and_has_no_effect() -> None:
    first = once("v:one", "orders", "key", {"a": 1}, act)
    assert once("v:one", "orders", "key", {"a": 1}, act) == first == {"entries": 1}
    assert effects() == 1


def test_the_same_key_with_another_body_is_refused() -> None:
    once("v:one", "orders", "key", {"a": 1}, act)
    with pytest.raises(KeyReused):
        once("v:one", "orders", "key", {"a": 2}, act)
    assert effects() == 1


def test_keys_of_different_actors_and_endpoints_do_not_meet() -> None:
    for actor, endpoint in (("v:one", "orders"), ("v:two", "orders"), ("v:one", "needs")):
        once(actor, endpoint, "key", {}, act)
    assert effects() == 3


def test_a_refusal_leaves_the_key_free() -> None:
    def refuse() -> dict[str, Any]:
        note(Act.TARGET_SET, "thing", account_id=None)
        raise Conflict()

    with pytest.raises(Conflict):
        once("v:one", "orders", "key", {}, refuse)
    assert effects() == 0
    once("v:one", "orders", "key", {}, act)
    assert effects() == 1


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_nothing_happens(key: str | None) -> None:
    with pytest.raises(KeyMissing):
        once("v:one", "orders", key, {}, act)
    assert effects() == 0


def test_a_key_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid):
        once("v:one", "orders", "k" * 129, {}, act)
    assert effects() == 0


def test_an_endpoint_that_names_a_thing_too_long_to_exist_is_not_found() -> None:
    with pytest.raises(NotFound):
        once("v:one", "cabinets.return:" + "x" * 90, "key", {}, act)
    assert effects() == 0


def test_four_who_press_five_times_each_have_one_effect_and_one_answer(app: Flask) -> None:
    def press() -> list[dict[str, Any]]:
        return [once("v:one", "orders", "key", {}, act) for _ in range(5)]

    db.session.remove()
    assert at_once(app, *[press] * 4) == [[{"entries": 1}] * 5] * 4
    assert effects() == 1


def test_an_attempt_kept_by_its_action_gives_the_first_answer_whatever_the_repeat_meets() -> None:
    def keep(attempt: Attempt, answer: dict[str, Any]) -> dict[str, Any]:
        with transaction():
            note(Act.TARGET_SET, "thing", account_id=None)
            KEEP.rows(**attempt.values(answer), at=clock.now())
        return answer

    def refuse(_: Attempt) -> dict[str, Any]:
        with transaction():
            note(Act.TARGET_SET, "thing", account_id=None)
            raise Conflict()

    def run(body: dict[str, Any], action: Callable[[Attempt], dict[str, Any]]) -> dict[str, Any]:
        return once_within("v:one", "orders", "key", body, action)

    with pytest.raises(Conflict):
        run({}, refuse)
    assert run({}, lambda attempt: keep(attempt, {"n": 1})) == {"n": 1}
    assert run({}, lambda attempt: keep(attempt, {"n": 2})) == {"n": 1}
    assert run({}, refuse) == {"n": 1}
    for action in (refuse, lambda attempt: keep(attempt, {"n": 3})):
        with pytest.raises(KeyReused):
            run({"another": "body"}, action)
    assert effects() == 1


def test_a_program_gets_the_answer_of_its_first_request_again(app: Flask) -> None:
    with app.test_request_context("/api/v1/things", headers={"Idempotency-Key": "key"}):
        first = once_for_program("things", {"a": 1}, act)
        assert once_for_program("things", {"a": 1}, act) == first == {"entries": 1}
        with pytest.raises(KeyReused):
            once_for_program("things", {"a": 2}, act)
    with app.test_request_context("/api/v1/things"), pytest.raises(KeyMissing):
        once_for_program("things", {"a": 1}, act)
    assert effects() == 1


def posted(app: Flask, address: str = "/things", **form: Any) -> str | None:
    """Post a form whose act notes one entry and gives its public id."""

    def make() -> str:
        act()
        return f"made-{effects()}"

    with app.test_request_context(
        address, method="POST", data={"idempotency_key": "key", "units": ["1", "2"], **form}
    ):
        return once_for_form(make)


def test_a_form_acts_once_whatever_proves_who_sends_it(app: Flask) -> None:
    assert posted(app, csrf_token="a") == "made-1"
    assert posted(app, csrf_token="b", second_factor="123456") == "made-1"
    assert effects() == 1


@pytest.mark.parametrize(
    "other", [{"units": ["1", "3"]}, {"file": (io.BytesIO(b"another"), "photo.jpg")}]
)
def test_another_form_with_the_same_key_is_refused(app: Flask, other: dict[str, Any]) -> None:
    posted(app, file=(io.BytesIO(b"a picture"), "photo.jpg"))
    with pytest.raises(KeyReused):
        posted(app, **{"file": (io.BytesIO(b"a picture"), "photo.jpg"), **other})
    assert effects() == 1


def test_a_forms_key_stands_for_one_address(app: Flask) -> None:
    assert [posted(app, address) for address in ("/things", "/others")] == ["made-1", "made-2"]


def test_what_a_form_acts_on_may_read_its_file(app: Flask) -> None:
    data = {"idempotency_key": "key", "file": (io.BytesIO(b"a picture"), "photo.jpg")}
    with app.test_request_context("/things", method="POST", data=data):
        once_for_form(
            lambda: note(Act.TARGET_SET, request.files["file"].read().decode(), account_id=None)
        )
    assert db.session.scalar(select(AuditEntry.subject)) == "a picture"


def test_a_form_that_makes_nothing_gives_nothing(app: Flask) -> None:
    with app.test_request_context("/things", method="POST", data={"idempotency_key": "key"}):
        assert [once_for_form(act), once_for_form(act)] == [None, None]
    assert effects() == 1


def test_keys_older_than_asked_are_dropped_batch_by_batch_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idempotency, "DROPPED_AT_ONCE", 2)
    now = clock.now()
    with transaction() as session:
        session.add_all(
            IdempotencyKey(
                actor="a:1",
                endpoint="orders",
                key=f"{days} days",
                body_hash="",
                created_at=now - timedelta(days=days),
            )
            for days in (29, 31, 33, 32)
        )

    def left() -> set[str]:
        return set(db.session.scalars(select(IdempotencyKey.key)))

    before = now - idempotency.KEPT_FOR
    assert idempotency.drop_old(before) == 2
    assert left() == {"29 days", "31 days"}
    assert idempotency.drop_old(before) == 1
    assert left() == {"29 days"}
    assert idempotency.drop_old(before) == 0
    assert left() == {"29 days"}
