"""The database session and the one place where a transaction is committed."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Enum, Identity, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Base(DeclarativeBase):
    """Parent of every table. Times carry a zone, JSON is jsonb, integers are 64 bit."""

    metadata = metadata
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        int: BigInteger,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


db = SQLAlchemy(metadata=metadata, disable_autonaming=True)

# No vowels and no look-alikes: a code that a person reads aloud cannot be misheard as a word.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"


def public_code(length: int = 12) -> str:
    """Return an unguessable code of `length` characters for use outside (about 4.8 bits each)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def choice(kind: type[enum.StrEnum], length: int) -> Enum:
    """Return a column type for one of the values of `kind`, kept as text of at most `length`."""
    return Enum(
        kind,
        native_enum=False,
        length=length,
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )


class Keyed:
    """A small key inside, an unguessable one outside."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-2)
    public_id: Mapped[str] = mapped_column(
        String(16), unique=True, default=public_code, sort_order=-1
    )


class SmallKey:
    """Only a small key: the row is never named outside."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-2)


@contextmanager
def transaction() -> Iterator[Session]:
    """Run the body as one transaction; this is the only place that commits.

    Re-entrant: inside another `transaction()` it joins it, so the outermost decides. Any
    exception rolls everything back and drops the effects that wait for the commit.
    """
    session = db.session()
    if session.info.get("in_action"):
        yield session
        return
    session.info["in_action"] = True
    session.info["effects"] = []
    session.info["undoing"] = []
    try:
        yield session
        session.commit()
        effects: list[Callable[[], None]] = session.info["effects"]
    except BaseException:
        session.rollback()
        for undo in session.info["undoing"]:
            undo()
        raise
    finally:
        session.info["in_action"] = False
        session.info["effects"] = []
        session.info["undoing"] = []
    for effect in effects:
        effect()


def after_commit(effect: Callable[[], None]) -> None:
    """Run `effect` once the surrounding transaction has committed; never if it rolls back."""
    session = db.session()
    if not session.info.get("in_action"):
        raise RuntimeError("after_commit() needs a surrounding transaction()")
    session.info["effects"].append(effect)


def on_rollback(undo: Callable[[], None]) -> None:
    """Run `undo` if the surrounding transaction is rolled back: for what no database undoes."""
    session = db.session()
    if not session.info.get("in_action"):
        raise RuntimeError("on_rollback() needs a surrounding transaction()")
    session.info["undoing"].append(undo)


def end_read() -> None:
    """End a transaction that only read, so that a network call holds no connection.

    Raises RuntimeError inside `transaction()`: what was written there must not be dropped.
    """
    session = db.session()
    if session.info.get("in_action"):
        raise RuntimeError("a network call may not happen inside a transaction")
    session.rollback()


def assert_no_transaction() -> None:
    """Raise RuntimeError if the session is inside a transaction (law 7)."""
    session = db.session()
    if session.info.get("in_action") or session.in_transaction():
        raise RuntimeError("a network call may not happen inside a transaction")
