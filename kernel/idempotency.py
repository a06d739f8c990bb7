"""One effect per key (law 6): the answer is stored in the same transaction as the effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from flask import request
from flask_smorest import Blueprint
from sqlalchemy import String, UniqueConstraint, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, SmallKey, transaction
from kernel.errors import Invalid, KeyMissing, KeyReused

View = TypeVar("View", bound=Callable[..., Any])

MAX_KEY_LENGTH = 128
HEADER = "Idempotency-Key"
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
    endpoint: Mapped[str] = mapped_column(String(80))
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
    body differs.
    """
    if not key:
        raise KeyMissing()
    if len(key) > MAX_KEY_LENGTH or not key.isprintable():
        raise Invalid(code="idempotency_key_invalid")
    hashed = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    with transaction() as session:
        row_id = session.scalar(
            insert(IdempotencyKey)
            .values(actor=actor, endpoint=endpoint, key=key, body_hash=hashed)
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.id)
        )
        if row_id is None:
            kept = session.execute(
                select(IdempotencyKey.body_hash, IdempotencyKey.answer).where(
                    IdempotencyKey.actor == actor,
                    IdempotencyKey.endpoint == endpoint,
                    IdempotencyKey.key == key,
                )
            ).one()
            if kept.body_hash != hashed:
                raise KeyReused()
            return kept.answer or {}
        answer = action()
        session.execute(
            update(IdempotencyKey).where(IdempotencyKey.id == row_id).values(answer=answer)
        )
    return answer


def keyed(view: View) -> View:
    """Mark a JSON view that moves money or stock; it stands right under `@allow`.

    Without the header it answers 400 before its body is looked at, and the OpenAPI document
    names the header as required. The view passes `sent_key()` on to `once`.
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


def sent_key() -> str | None:
    """Return the key that the request carries, None without one."""
    return request.headers.get(HEADER)
