"""One key, one effect, one answer: every endpoint that moves money or stock, twenty times at once.

The endpoints come from the URL map, so that a new one without a request of its own fails here.
What "one effect" is, is measured and not said: twenty at once must change the database exactly
as much as the same request on a scene like it, sent alone.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Integer, Table, text

from kernel import jobs
from kernel.db import db, metadata, public_code
from kernel.idempotency import HEADER, once_within
from marketplace import checkout
from marketplace.app import create_app
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.races.keyed import acts_once, writes
from tests.races.moves import MOVES, Move

for room in ("orders", "harvest", "supply"):
    import_module(f"tests.races.moves_{room}")

AT_ONCE = 20
NOT_AN_EFFECT = frozenset({"idempotency_key", "api_token", "ledger_book", "ledger_account"})
"""Tables that know of a request rather than of what it did, or that the first effect fills."""
REUSED = frozenset({409, 422})
"""How pages answer: a form with words under its fields is answered by 422."""


@dataclass(frozen=True)
class Said:
    """What a program or a browser sees of an answer."""

    status: int
    location: str
    body: bytes


@pytest.fixture(scope="module")
def roomy(application: Flask) -> Iterator[Flask]:
    """The application with as many connections as there are requests at once."""
    settings = dataclasses.replace(application.extensions["settings"], pool_size=AT_ONCE + 2)
    app = create_app(settings)
    # Whoever shows a bearer token sends no cookie, so pages need no token against forgery.
    app.config["WTF_CSRF_ENABLED"] = False
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def shop(roomy: Flask, database: str) -> Iterator[Flask]:
    """That application inside its context, on a fresh database."""
    jobs.bind(roomy)
    with roomy.app_context():
        builders.credit_source()
        yield roomy
        db.session.remove()


def ask(app: Flask, move: Move, token: str, key: str, body: dict[str, Any] | None) -> Said:
    """Send a move as its account's program would; pages get a form with the key in it."""
    headers = {"Authorization": f"Bearer {token}"}
    sent: dict[str, Any] = {"json": body}
    if move.is_page:
        sent = {"data": {**(body or {}), "idempotency_key": key}}
    else:
        headers[HEADER] = key
    client = app.test_client(use_cookies=False)
    # An empty context: nothing that this test's own context remembers is seen there.
    answer = Context().run(client.open, move.path, method=move.method, headers=headers, **sent)
    return Said(answer.status_code, answer.location or "", answer.get_data())


def twenty(app: Flask, move: Move, token: str, key: str) -> list[Said]:
    """Send a move AT_ONCE times at the same moment."""
    return at_once(app, *[lambda: ask(app, move, token, key, move.body)] * AT_ONCE)


def measures(table: Table) -> list[str]:
    """What is measured of a table: rows, filled cells, and sums of what is no key."""
    found = ["'rows', count(*)"]
    for column in table.columns:
        found.append(f"'{column.name} filled', count({column.name})")
        if isinstance(column.type, Integer) and not (column.primary_key or column.foreign_keys):
            found.append(f"'{column.name} sum', coalesce(sum({column.name}), 0)")
    return found


def state() -> Counter[str]:
    """Rows, filled cells and sums of every table that is an effect, and jobs asked for."""
    # A function takes at most a hundred arguments; jsonb joins what two of them made.
    asked = ["SELECT 'job' AS t, jsonb_build_object('rows', count(*)) FROM procrastinate_jobs"]
    for table in metadata.sorted_tables:
        wanted = [] if table.name in NOT_AN_EFFECT else measures(table)
        parts = [", ".join(wanted[at : at + 40]) for at in range(0, len(wanted), 40)]
        made = " || ".join(f"jsonb_build_object({part})" for part in parts)
        asked += [f"SELECT '{table.name}' AS t, {made} FROM {table.name}"] if parts else []
    db.session.rollback()
    found = Counter[str]()
    for name, values in db.session.execute(text(" UNION ALL ".join(asked))):
        found.update({f"{name}: {what}": value for what, value in values.items()})
    db.session.rollback()
    return found


def change(before: Counter[str]) -> dict[str, int]:
    """What is more, or less, than before."""
    after = state()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def test_every_endpoint_that_acts_once_has_a_request_here(roomy: Flask) -> None:
    needed = {endpoint for endpoint, view in writes(roomy).items() if acts_once(view)}
    assert needed == set(MOVES)


@pytest.mark.parametrize("endpoint", sorted(MOVES))
def test_twenty_at_once_with_one_key_are_one(shop: Flask, endpoint: str) -> None:
    move = MOVES[endpoint]()
    token, before = move.token(), state()
    answers = twenty(shop, move, token, "one-key")
    effect = change(before)
    assert effect, answers[0]
    assert len(answers) == AT_ONCE
    assert answers[0].status < 400, answers[0]
    assert Counter(answers) == Counter({answers[0]: AT_ONCE})
    # The answer was lost: whoever tries again gets the same one.
    assert ask(shop, move, token, "one-key", move.body) == answers[0]
    assert change(before) == effect
    if move.other is not None:
        refused = ask(shop, move, token, "one-key", move.other)
        assert refused.status in (REUSED if move.is_page else {409}), refused
        said = "刚才已经用别的内容提交过" if move.is_page else "idempotency_key_reused"
        assert said in refused.body.decode(), refused
        assert change(before) == effect
    assert_laws_hold()
    alone = MOVES[endpoint]()
    token, before = alone.token(), state()
    assert ask(shop, alone, token, "another-key", alone.body).status < 400
    assert change(before) == effect


def test_without_the_kept_key_twenty_at_once_would_be_more_than_one(
    shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above: the same measure sees it when the key is forgotten."""

    def forgetful(actor: str, endpoint: str, key: str | None, body: Any, act: Any) -> Any:
        return once_within(actor, endpoint, public_code(20), body, act)

    monkeypatch.setattr(checkout, "once_within", forgetful)
    move = MOVES["orders_api.place_order"]()
    token, before = move.token(), state()
    answers = twenty(shop, move, token, "one-key")
    assert len(set(answers)) == AT_ONCE
    assert change(before)["orders: rows"] == AT_ONCE
