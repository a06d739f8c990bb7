"""What every table holds, kept so that a change shows and can be taken back."""

from __future__ import annotations

from psycopg import Connection, sql

KEPT = "kept"

SEEN = frozenset({"web_session", "api_token"})
"""Here it counts only which rows there are: when somebody was last seen is no change."""


class Ground:
    """A database as it stood when this was made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        self._tables = sorted(name for (name,) in rows)
        connection.execute(f"CREATE SCHEMA {KEPT}")
        for table in self._tables:
            connection.execute(
                sql.SQL("CREATE TABLE {} AS TABLE {}").format(
                    sql.Identifier(KEPT, table), sql.Identifier("public", table)
                )
            )
        sums = " UNION ALL ".join(
            f"SELECT '{table}', count(*), {_sum(table)} FROM public.{table} t"
            for table in self._tables
        )
        self._sums = sql.SQL(sums)  # names of our own tables
        self._was = self._now()

    def _now(self) -> dict[str, tuple[int, int]]:
        return {name: (n, total) for name, n, total in self._connection.execute(self._sums)}

    def changed(self) -> list[str]:
        """Return the tables that hold something else than they did."""
        now = self._now()
        return [name for name in self._tables if now[name] != self._was[name]]

    def restore(self, tables: list[str]) -> None:
        """Bring these tables back, rows of the ledger too."""
        if not tables:
            return
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            for table in tables:
                here = sql.Identifier("public", table)
                self._connection.execute(sql.SQL("DELETE FROM {}").format(here))
                self._connection.execute(
                    sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE TABLE {}").format(
                        here, sql.Identifier(KEPT, table)
                    )
                )


def _sum(table: str) -> str:
    what = "t.public_id" if table in SEEN else "t::text"
    return f"sum(hashtextextended({what}, 0))"
