"""The database session and the one place where a transaction is committed."""

from __future__ import annotations

import enum
import secrets
import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from flask_sqlalchemy import SQLAlchemy
from psycopg import Connection
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    BigInteger,
    DateTime,
    Engine,
    Enum,
    Identity,
    MetaData,
    String,
    event,
    text,
)
from sqlalchemy import select as select_rows
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.sql.base import ExecutableOption

from kernel import orm_states

orm_states.share_names()

Row = TypeVar("Row")

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


CONNECTION_OPTIONS: dict[str, Any] = {
    # A read outside `transaction()` is one statement, without BEGIN before and ROLLBACK after.
    "isolation_level": "AUTOCOMMIT",
    # Compiling a statement takes longer than any of ours runs. A server that accepts and says
    # nothing is given up after as many seconds as a full pool is.
    "connect_args": {"options": "-c jit=off", "connect_timeout": 5},
}
"""How every connection of the application is opened."""


def watch(engine: Engine) -> None:
    """Let `engine` never hand out a connection that has ended, and never one in a transaction."""
    event.listen(engine, "checkout", _see_to)


def _see_to(connection: Connection[Any], *_: object) -> None:
    """Make sure, without asking the server, that a pooled connection still stands.

    An idle server has nothing to say: whatever there is to read is its farewell. Raises
    DisconnectionError, at which the pool takes another one.
    """
    waiting = select.poll()
    if not connection.closed:
        waiting.register(connection.fileno(), select.POLLIN)
    if connection.closed or waiting.poll(0):
        raise DisconnectionError("the server closed the connection")
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise DisconnectionError("the connection is within a transaction of somebody else")
    if not connection.autocommit:
        connection.autocommit = True


@event.listens_for(Session, "before_flush")
def _only_in_a_transaction(session: Session, *_: object) -> None:
    if not session.info.get("in_action"):
        raise RuntimeError("nothing is written outside transaction()")


@event.listens_for(Session, "do_orm_execute")
def _only_reads_outside(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        _only_in_a_transaction(state.session)


def rows_by_id(
    table: type[Row], ids: Iterable[int | None], *options: ExecutableOption
) -> dict[int, Row]:
    """Return the rows of `table` with these keys, by key, read in one statement; None is no key."""
    wanted = {key for key in ids if key is not None}
    if not wanted:
        return {}
    identity: Any = table
    chosen = select_rows(identity.id, table).where(identity.id.in_(wanted)).options(*options)
    rows: Any = db.session.execute(chosen)
    return dict(rows.all())


@contextmanager
def transaction() -> Iterator[Session]:
    """Run the body as one transaction; this is the only place that commits.

    Re-entrant: inside another `transaction()` it joins it, so the outermost decides. Any
    exception rolls everything back.
    """
    session = db.session()
    if session.info.get("in_action"):
        yield session
        return
    session.info["in_action"] = True
    session.info["undoing"] = []
    try:
        # Read or not before: from here on the driver sends BEGIN before the next statement,
        # until the connection is handed out anew.
        driver(session).autocommit = False
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        for undo in session.info["undoing"]:
            undo()
        raise
    finally:
        session.info["in_action"] = False
        session.info["undoing"] = []


@contextmanager
def snapshot() -> Iterator[Session]:
    """Let all reads of the body see one moment, whatever others commit meanwhile.

    For figures of several statements that are compared or shown beside each other: money on
    its way would look lost between two of them. Stands within no other `transaction()`.
    """
    with transaction() as session:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield session


def driver(session: Session) -> Connection[Any]:
    """Return the driver's own connection beneath `session`."""
    beneath: Any = session.connection().connection.driver_connection
    return cast("Connection[Any]", beneath)


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
