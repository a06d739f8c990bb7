"""One effect per key (law 6): the answer is stored in the same transaction as the effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import request
from flask_smorest import Blueprint
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from sqlalchemy import (
    BindParameter,
    String,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.access import viewer
from kernel.db import Base, SmallKey, db, transaction
from kernel.errors import Invalid, KeyMissing, KeyReused, NotFound, Refusal

View = TypeVar("View", bound=Callable[..., Any])

MAX_KEY_LENGTH = 128
MAX_ENDPOINT_LENGTH = 80
HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(days=30)
"""How long a key gives a repeat its answer; after that it is dropped, and is as good as new."""
DROPPED_AT_ONCE = 1000
PROOFS = frozenset({"csrf_token", "second_factor"})
"""What a form carries to show who sends it; the same act may come with others."""
_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
    "description": "One key for one act; a repeat with the same body gets the same answer.",
}


class IdempotencyKey(SmallKey, Base):
    """What one actor's key on one endpoint stood for, and the answer that it got."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("actor", "endpoint", "key"),)

    actor: Mapped[str] = mapped_column(String(40))
    endpoint: Mapped[str] = mapped_column(String(MAX_ENDPOINT_LENGTH))
    key: Mapped[str] = mapped_column(String(MAX_KEY_LENGTH))
    body_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)


def once(
    actor: str,
    endpoint: str,
    key: str | None,
    body: Any,
    action: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Run `action` once for this actor, endpoint and key, and return its answer (JSON-ready).

    A repeat with the same body gets the stored answer; two at once wait for each other on
    the unique key. A refusal rolls back the key too, so it may be tried again.
    Raises KeyMissing without a key, Invalid for one that is too long, KeyReused when the
    body differs, and NotFound for an endpoint too long to name anything.
    """
    attempt = _attempt(actor, endpoint, key, body)
    with transaction() as session:
        row_id = session.scalar(
            insert(IdempotencyKey)
            .values(actor=actor, endpoint=endpoint, key=attempt.key, body_hash=attempt.body_hash)
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.id)
        )
        if row_id is None:
            return _kept(attempt) or {}
        answer = action()
        session.execute(
            update(IdempotencyKey).where(IdempotencyKey.id == row_id).values(answer=answer)
        )
    return answer


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one request attempts: a key, for an actor and an endpoint, with a body."""

    actor: str
    endpoint: str
    key: str
    body_hash: str

    def values(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return KEEPING_VALUES: the attempt, and the answer that it got."""
        return {
            "key_actor": self.actor,
            "key_endpoint": self.endpoint,
            "key_itself": self.key,
            "key_body_hash": self.body_hash,
            "key_answer": Jsonb(answer),
        }


NO_ATTEMPT = dict.fromkeys(
    ("key_actor", "key_endpoint", "key_itself", "key_body_hash", "key_answer")
)
"""KEEPING_VALUES for what is written without a key."""
UNKEPT = """
    (:key_actor IS NULL OR NOT EXISTS (
        SELECT FROM idempotency_key
        WHERE actor = :key_actor AND endpoint = :key_endpoint AND key = :key_itself
    ))
"""
"""Holds while nobody has kept the attempt, as far as a statement sees that."""


def keeping(effect: str) -> str:
    """Return a part of a WITH that keeps an attempt with the row of `effect`, another part.

    Whoever kept the same key meanwhile breaks its uniqueness, and with it the whole statement.
    """
    return f"""
    the_key AS (
        INSERT INTO idempotency_key (actor, endpoint, key, body_hash, answer, created_at)
        SELECT :key_actor, :key_endpoint, :key_itself, :key_body_hash, :key_answer, :at
        FROM {effect} WHERE :key_actor IS NOT NULL
    )
    """  # noqa: S608 - a word of ours


KEEPING_VALUES: tuple[BindParameter[Any], ...] = (
    *(
        bindparam(f"key_{name}", type_=Text)
        for name in ("actor", "endpoint", "itself", "body_hash")
    ),
    bindparam("key_answer", type_=JSONB),
)


def once_within(
    actor: str,
    endpoint: str,
    key: str | None,
    body: Any,
    action: Callable[[Attempt], dict[str, Any]],
) -> dict[str, Any]:
    """Like `once`, for an `action` that keeps its attempt itself, within a statement that writes.

    A repeat does its work again, which the kept attempt undoes; it gets the stored answer,
    whatever its own would have been.
    """
    attempt = _attempt(actor, endpoint, key, body)
    try:
        return action(attempt)
    except (Refusal, UniqueViolation):
        db.session.rollback()
        answer = _kept(attempt)
        if answer is None:
            raise
        return answer


def _attempt(actor: str, endpoint: str, key: str | None, body: Any) -> Attempt:
    if not key:
        raise KeyMissing()
    if len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise Invalid(code="idempotency_key_invalid")
    if len(endpoint) > MAX_ENDPOINT_LENGTH:
        raise NotFound()  # it names a thing by a longer code than any has
    hashed = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    return Attempt(actor, endpoint, key, hashed)


def _kept(attempt: Attempt) -> dict[str, Any] | None:
    """Return the answer that the attempt got, None if it got none. Raises KeyReused."""
    kept = db.session.execute(
        select(IdempotencyKey.body_hash, IdempotencyKey.answer).where(
            IdempotencyKey.actor == attempt.actor,
            IdempotencyKey.endpoint == attempt.endpoint,
            IdempotencyKey.key == attempt.key,
        )
    ).one_or_none()
    if kept is None:
        return None
    if kept.body_hash != attempt.body_hash:
        raise KeyReused()
    answer: dict[str, Any] | None = kept.answer
    return answer


def drop_old(before: datetime) -> int:
    """Delete the oldest keys made before that time, a batch of them; return how many there were.

    What another worker is dropping is left to it.
    """
    oldest = (
        select(IdempotencyKey.id)
        .where(IdempotencyKey.created_at < before)
        .order_by(IdempotencyKey.created_at)
        .limit(DROPPED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    with transaction() as session:
        dropped = delete(IdempotencyKey).where(IdempotencyKey.id.in_(oldest))
        return len(session.scalars(dropped.returning(IdempotencyKey.id)).all())


def keyed(view: View) -> View:
    """Mark a JSON view that moves money or stock; it stands right under `@allow`.

    Without the header it answers 400 before its body is looked at, and the OpenAPI document
    names the header as required. The view acts within `once_for_program`.
    """

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not sent_key():
            raise KeyMissing()
        return view(*args, **kwargs)

    documented: View = Blueprint.doc(parameters=[_PARAMETER])(checked)
    documented.keyed = True  # type: ignore[attr-defined]  # read by `is_keyed`
    return documented


def is_keyed(view: Callable[..., Any] | None) -> bool:
    """Tell whether a view was marked by `keyed`."""
    return getattr(view, "keyed", False)


def once_for_program(endpoint: str, body: Any, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do `act` once for the key of a program's request, as `once`, and return its answer.

    `body` is what makes the request what it is: its JSON, and what its address names.
    """
    return once(viewer().actor, endpoint, sent_key(), body, act)


def once_for_form(act: Callable[[], object]) -> str | None:
    """Do `act` once for the key of the form that was posted to this address, as `once`.

    Its fields and files are what a repeat is compared with. Returns the text that `act` gave,
    a public id to go on with, also to a repeat; None when it gave anything else.
    """

    def answer() -> dict[str, Any]:
        made = act()
        return {"id": made} if isinstance(made, str) else {}

    address, key = request.path[:MAX_ENDPOINT_LENGTH], request.form.get("idempotency_key")
    kept = once(viewer().actor, address, key, _posted(), answer)
    made: str | None = kept.get("id")
    return made


def _posted() -> dict[str, Any]:
    """Return what the form asks for: where it went, its fields, and its files by their hashes."""
    fields = {name: request.form.getlist(name) for name in request.form if name not in PROOFS}
    files = {}
    for name, sent in request.files.items():
        files[name] = hashlib.sha256(sent.stream.read()).hexdigest()
        sent.stream.seek(0)
    return {"path": request.path, "fields": fields, "files": files}


def sent_key() -> str | None:
    """Return the key that the request carries, None without one."""
    return request.headers.get(HEADER)
