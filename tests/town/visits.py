"""Reading everything there is in a town: who opens what, and how many statements it takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import Rule

from kernel.access import rule_of
from kernel.db import db
from kernel.identity import Account, Role
from tests.statements import counting
from tests.town.people import People

READERS = (
    Role.CLERK,
    Role.COORDINATOR,
    Role.OPERATOR,
    Role.HOST,
    Role.STEWARD,
    Role.STAFF,
    Role.OFFICIAL,
    Role.AUDITOR,
    Role.ADMIN,
)
"""Who opens what several may open: whoever it was made for, first."""


@dataclass(frozen=True)
class Visit:
    """What an address answered, and what was sent to the database for it."""

    path: str
    status: int
    statements: list[str]


OWNERS = {
    "files.show": Role.STAFF,
    "links.poster": Role.HOST,
    "groups.needs": Role.OFFICIAL,
    "sellers.desk": Role.CLERK,
}
"""Who opens what everybody may ask for and only somebody gets."""


def reader(rule: Rule, people: People) -> Account:
    """Who opens a page or endpoint; what everybody may open, a consumer opens."""
    if rule.endpoint in OWNERS:
        return _held(people, OWNERS[rule.endpoint])
    may = rule_of(rule.endpoint) or frozenset()
    roles = () if Role.VISITOR in may else READERS
    return next((_held(people, role) for role in roles if role in may), people.consumer)


def _held(people: People, role: Role) -> Account:
    account = people.holding(role)
    assert account is not None
    return account


def reads(app: Flask) -> list[Rule]:
    """Every rule that answers a GET."""
    return [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]


def visit(app: Flask, path: str, token: str, cart: Sequence[str] = ()) -> Visit:
    """Open one address with a bearer token and these offers in the cart."""
    db.session.rollback()
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = dict.fromkeys(cart, 1)
    with counting() as sent:
        answer = Context().run(
            client.get, path, headers={"Authorization": f"Bearer {token}"}, buffered=True
        )
        answer.get_data()
    return Visit(path, answer.status_code, list(sent))
