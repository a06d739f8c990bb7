"""Reads that are asked all the time: written like any other, compiled once, sent by the driver.

For a list of 24 rows SQLAlchemy's own way takes three times as long as the driver does. What
comes back is what PostgreSQL sent: plain rows, kinds as their text, no objects of the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

from psycopg import Connection
from sqlalchemy import Select

from kernel.db import db, driver


class Read:
    """A SELECT that is compiled when it is first asked. `written` values stand in its text."""

    def __init__(self, statement: Select[Any], **written: Any) -> None:
        self._statement = statement
        self._written = written
        self._text = ""
        self._own: dict[str, Any] = {}

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows, in one statement. Raises the driver's errors."""
        if not self._text:
            self._compile(values)
        given = {**self._own, **values}
        # Whoever counts the statements that SQLAlchemy sends counts this one too.
        for told in db.engine.dispatch.before_cursor_execute:
            told(None, None, self._text, given, None, False)
        with _connection() as connection:
            return connection.execute(self._text.encode(), given).fetchall()

    def _compile(self, values: dict[str, Any]) -> None:
        compiled = self._statement.compile(dialect=db.engine.dialect)
        made = compiled.construct_expanded_state({**self._written, **values})
        self._own = {name: one for name, one in made.parameters.items() if name not in values}
        self._text = made.statement


@contextmanager
def _connection() -> Iterator[Connection[Any]]:
    """Give the connection that this request holds already, else one for a moment."""
    session = db.session() if db.session.registry.has() else None
    if session is not None and session.in_transaction():
        session.flush()
        yield driver(session)
    else:
        with closing(db.engine.raw_connection()) as pooled:
            yield cast("Connection[Any]", pooled.driver_connection)
