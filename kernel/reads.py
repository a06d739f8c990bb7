"""Statements that are sent all the time: written like any other, compiled once, sent by the driver.

For a list of 24 rows SQLAlchemy's own way takes three times as long as the driver does. What
comes back is what PostgreSQL sent: plain rows, kinds as their text, no objects of the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast

from psycopg import Connection, RawCursor
from psycopg.rows import namedtuple_row
from sqlalchemy import Select, TextClause

from kernel.db import db, driver


class Read:
    """A SELECT that is compiled when it is first asked. `written` values stand in its text."""

    def __init__(self, statement: Select[*tuple[Any, ...]] | TextClause, **written: Any) -> None:
        self._statement = statement
        self._written = written
        self._text = b""
        self._order: Sequence[str] = ()
        self._own: dict[str, Any] = {}

    def rows(self, **values: Any) -> list[Any]:
        """Return all rows, in one statement. Raises the driver's errors."""
        if not self._text:
            self._compile(values)
        given = {**self._own, **values}
        # Whoever counts the statements that SQLAlchemy sends counts this one too.
        for told in db.engine.dispatch.before_cursor_execute:
            told(None, None, self._text.decode(), given, None, False)
        with _connection() as connection:
            return self.send(connection, [given[name] for name in self._order])

    def send(self, connection: Connection[Any], values: Sequence[Any]) -> list[Any]:
        """Send it with `values` in their order, and return all rows."""
        return RawCursor(connection).execute(self._text, values).fetchall()

    def _compile(self, values: dict[str, Any]) -> None:
        # With $1 in the text the driver need not look for names in it each time.
        made_for: Any = type(db.engine.dialect)
        dialect = made_for(paramstyle="numeric_dollar")
        compiled = self._statement.compile(dialect=dialect)
        made = compiled.construct_expanded_state({**self._written, **values})
        self._own = {name: one for name, one in made.parameters.items() if name not in values}
        self._order = tuple(made.positiontup or ())
        self._text = made.statement.encode()


class Write(Read):
    """One statement that writes, sent in the same way; its rows have names.

    Inside `transaction()` it is a part of it. Alone it is a transaction by itself, committed
    with its end: no BEGIN, no COMMIT, and what it locks waits for no word of ours.
    """

    def rows(self, **values: Any) -> list[Any]:
        """Write, and return all rows. Raises the driver's errors."""
        rows = super().rows(**values)
        if db.session.registry.has():
            db.session.expire_all()  # what was read before may be old now, as after a commit
        return rows

    def send(self, connection: Connection[Any], values: Sequence[Any]) -> list[Any]:
        """Send it with `values` in their order, and return all rows, which have names."""
        cursor = RawCursor(connection, row_factory=namedtuple_row)
        return cursor.execute(self._text, values).fetchall()


@contextmanager
def _connection() -> Iterator[Connection[Any]]:
    """Give the connection that this request holds already, else one for a moment."""
    session = db.session() if db.session.registry.has() else None
    if session is not None and session.in_transaction():
        session.flush()
        held = driver(session)
        try:
            yield held
        finally:
            if held.closed:  # what SQLAlchemy did not send, it does not know to have failed
                session.connection().invalidate()
    else:
        with closing(db.engine.raw_connection()) as pooled:
            yield cast("Connection[Any]", pooled.driver_connection)
