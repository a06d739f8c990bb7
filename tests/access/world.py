"""Everybody who asks: two sides of the market, each with one person for every role."""

from __future__ import annotations

import json
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, session
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from cabinets.device import sign
from kernel import clock
from kernel.db import db, public_code, transaction
from kernel.identity import Account, Role, hash_key
from kernel.tokens import ApiToken, issue_token
from kernel.web_sessions import WebSession, start
from tests import builders
from tests.access.addresses import NUMBERS, SECRETS
from tests.access.bodies import BODIES, STAFF_BODIES, Body
from tests.access.sides import Side, new_side

ALL_ROLES = tuple(Role)
SHOWN = NUMBERS | frozenset(
    {
        *("offer", "round", "later round", "closed round", "round.offer", "photo", "link"),
        *("broadcast", "broadcast.offer", "cabinet", "site", "seller", "applicant"),
    }
)
"""Kinds that stand on pages for everybody, or are named by a number that says nothing."""
STATIC = "css/icons.css"


@dataclass
class Asker:
    """Somebody with a browser for pages and a program for JSON; a visitor has only the browser."""

    client: FlaskClient
    cookie: str
    csrf: str
    token: str = ""

    def ask(self, row: str, path: str, body: Body) -> TestResponse:
        """Send what this person's browser or program would."""
        method = row.split()[0]
        key = public_code(20)
        headers = {"Idempotency-Key": key}
        is_api = path.startswith("/api/")
        if is_api and self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        else:
            headers |= {"Cookie": self.cookie, "X-CSRFToken": self.csrf}
        sent: dict[str, Any] = {}
        if method != "GET" and is_api and not _has_files(body):
            sent["json"] = body
        elif method != "GET":
            proofs = {} if is_api else {"csrf_token": self.csrf, "idempotency_key": key}
            sent["data"] = {**body, **proofs}
        return self.client.open(path, method=method, headers=headers, buffered=True, **sent)


def _has_files(body: Body) -> bool:
    return any(isinstance(value, tuple) for value in body.values())


@dataclass
class Device(Asker):
    """A cabinet: it signs what it reports, and everywhere else it is a browser without a name."""

    key: str = ""

    def ask(self, row: str, path: str, body: Body) -> TestResponse:
        """Send the body signed."""
        if not path.endswith("/events"):
            return super().ask(row, path, body)
        content = json.dumps(body).encode()
        headers = {"Signature": sign(self.key, 1, content), "Content-Type": "application/json"}
        return self.client.post(path, data=content, headers=headers, buffered=True)


@dataclass
class World:
    """Two sides, and everybody of the first one as somebody who asks."""

    app: Flask
    here: Side
    there: Side
    askers: dict[Role, Asker] = field(default_factory=dict)
    staff_without_factor: Asker | None = None

    def own(self, role: Role, kind: str) -> str | None:
        """Return what of `kind` is the role's own, None if it can have none."""
        if kind == "picture":
            return STATIC
        if kind == "consignment" and role in (Role.CLERK, Role.COORDINATOR):
            return self.here.things[kind]
        if kind == "parcel" and role is Role.COORDINATOR:
            return self.here.things["consignment"]
        personal = self.here.personal.get(role, {})
        if kind in personal:
            return personal[kind]
        if kind in self.here.things:
            has_none = role is Role.DEVICE and kind in self.here.personal[Role.VISITOR]
            return None if has_none else self.here.things[kind]
        return None

    @property
    def secrets(self) -> set[str]:
        """Return names of the other side's things that none but its own people should read."""
        kept = [self.there.things, *self.there.personal.values()]
        return {name for own in kept for kind, name in own.items() if kind not in SHOWN}

    def others(self, kind: str) -> list[str]:
        """Return what of `kind` belongs to somebody else: a stranger, a guest, a colleague."""
        found = [self.there.things[kind]] if kind in self.there.things else []
        found += [own[kind] for own in self.there.personal.values() if kind in own]
        if kind == "order":
            found.append(self.here.things["member's order"])
        return [] if kind in SECRETS or kind == "picture" else sorted(set(found))

    def body(self, row: str, role: Role, *, theirs: bool = False) -> Body:
        """Return a body that would be right for the side whose things it names."""
        make = STAFF_BODIES.get(row) if role is Role.STAFF else None
        make = make or BODIES.get(row)
        return make(self.there if theirs else self.here) if make else {}


def build(app: Flask) -> World:
    """Build both sides inside the application's context."""
    builders.credit_source()
    here, there = new_side("a"), new_side("b")
    for side in (here, there):
        builders.account(login=f"open-{side.name}")
        for role, account in side.people.items():
            if side is there and role is not Role.CONSUMER:
                continue
            own = side.personal.setdefault(role, {})
            own |= {"session": _session_of(account), "token": _token_of(account)}
    app.test_client_class = FlaskClient
    world = World(app, here, there)
    for role, account in here.people.items():
        world.askers[role] = _asker(app, account)
    world.askers[Role.VISITOR] = _asker(app, None, here.guest)
    nobody = _asker(app, None)
    world.askers[Role.DEVICE] = Device(
        nobody.client, nobody.cookie, nobody.csrf, key=here.device_key
    )
    world.staff_without_factor = _asker(app, here.people[Role.STAFF], factor=False)
    return world


def _session_of(account: Account) -> str:
    """Begin another session of the account; return its public id."""
    key = start(db.session.get_one(Account, account.id), "another browser")
    found = db.session.query(WebSession).filter_by(key_hash=hash_key(key)).one()
    return found.public_id


def _token_of(account: Account) -> str:
    issue_token(db.session.get_one(Account, account.id))
    newest = select(ApiToken.public_id).where(ApiToken.account_id == account.id)
    return db.session.scalars(newest.order_by(ApiToken.id.desc()).limit(1)).one()


def _asker(app: Flask, account: Account | None, visitor: str = "", *, factor: bool = True) -> Asker:
    """Sign an account in, in a browser and for a program; without one it is a guest."""
    key = token = ""
    if account is not None:
        row = db.session.get_one(Account, account.id)
        key, token = start(row, "browser"), issue_token(row, factor=factor)
        if factor:
            with transaction() as database:
                database.execute(
                    update(WebSession)
                    .where(WebSession.key_hash == hash_key(key))
                    .values(factor_at=clock.now())
                )
    cookie, csrf = Context().run(_browser, app, key, visitor)
    return Asker(app.test_client(use_cookies=False), cookie, csrf, token)


def _browser(app: Flask, key: str, visitor: str) -> tuple[str, str]:
    """Return the cookie of a browser with this session, and the token that its pages carry."""
    with app.test_request_context():
        if key:
            session["_user_id"] = key
            session["_fresh"] = True
        session["visitor"] = visitor or public_code(20)
        csrf = generate_csrf()
        answer = app.make_response("")
        app.session_interface.save_session(app, session, answer)
        return answer.headers["Set-Cookie"].split(";")[0], csrf


def rows_of(app: Flask) -> set[str]:
    """Return every `METHOD /path` of the application."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
