"""How the bench's tables are written: with COPY, telling how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, ColumnDefault

from kernel.db import metadata

Say = Callable[[str], None]

TOLD_EVERY = 100_000
NUMBERED = (
    *("account", "organisation", "product", "lot", "offer", "credit_source", "broadcast"),
    *("orders", "payment", "ledger_transaction"),
)
"""Tables whose keys are written here."""


class Copier:
    """Writes rows of tables, and numbers what comes after them."""

    def __init__(self, connection: psycopg.Connection, say: Say) -> None:
        self._connection = connection
        self._say = say

    def finish(self) -> None:
        """Let fresh rows be numbered after ours, and let the planner know how many there are."""
        self._connection.commit()
        for table in NUMBERED:
            number = sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}")
            self._connection.execute(number.format(sql.Literal(table), sql.Identifier(table)))
        self._connection.commit()
        self._say("  counting for the planner")
        self._connection.autocommit = True
        self._connection.execute("VACUUM ANALYZE")

    def one(self, statement: str, *values: Any) -> int:
        row = self._connection.execute(statement.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def copy(
        self, table: str, columns: str, rows: Iterable[Sequence[Any]], expected: int = 0
    ) -> None:
        """Write the columns that are named; the others get the defaults of their model."""
        named = columns.split()
        defaults = [
            column
            for column in metadata.tables[table].columns
            if column.name not in named and isinstance(column.default, ColumnDefault)
        ]
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, [*named, *(one.name for one in defaults)])),
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in self._told(table, rows, expected):
                copy.write_row((*row, *map(_default, defaults)))

    def _told(
        self, table: str, rows: Iterable[Sequence[Any]], expected: int
    ) -> Iterator[Sequence[Any]]:
        """Hand the rows on, and say every so often how many of a long table are written."""
        for number, row in enumerate(rows, 1):
            if expected and number % TOLD_EVERY == 0:
                self._say(f"  {table}: {number:,} of {expected:,}")
            yield row


def _default(column: Column[Any]) -> Any:
    """Return what the model gives a row that does not say."""
    default: Any = column.default
    return default.arg(None) if default.is_callable else default.arg
