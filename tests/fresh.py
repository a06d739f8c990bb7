"""A fresh database for each test: emptied where that is enough, cloned anew where it is not.

Emptying takes about a tenth of cloning. A test that changed the schema itself (a law can only
be broken by taking its constraint away) is noticed by the schema's fingerprint.
"""

from __future__ import annotations

from psycopg import Connection, sql

BASELINE = "baseline"
KEPT = "alembic_version"

_FINGERPRINT = """
    SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
        SELECT concat(conname, conrelid, convalidated) FROM pg_constraint
        UNION ALL SELECT concat(tgname, tgrelid, tgenabled) FROM pg_trigger
        UNION ALL SELECT concat(indexrelid, indisvalid) FROM pg_index
        UNION ALL SELECT concat(attrelid, attname, attnotnull, attisdropped)
            FROM pg_attribute WHERE attnum > 0
    ) AS parts (line)
"""


def keep_baseline(connection: Connection) -> None:
    """Keep a copy of the rows that migrations make, in a schema of their own."""
    connection.execute(f"CREATE SCHEMA {BASELINE}")
    for table in _tables(connection):
        if _has_rows(connection, [table]):
            connection.execute(
                sql.SQL("CREATE TABLE {} AS TABLE {}").format(
                    sql.Identifier(BASELINE, table), sql.Identifier("public", table)
                )
            )


def fingerprint(connection: Connection) -> str:
    """Return a short text that changes when a table, constraint, index or trigger does."""
    row = connection.execute(_FINGERPRINT).fetchone()
    assert row is not None
    return str(row[0])


def empty(connection: Connection) -> None:
    """Bring every table back to the rows and numbers that it had after the migrations."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    touched = _has_rows(connection, _tables(connection))
    # As a replica, triggers and foreign keys rest: the ledger refuses every other deletion.
    connection.execute("SET session_replication_role = replica")
    for table in touched:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("public", table)))
    for (table,) in connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s", [BASELINE]
    ).fetchall():
        connection.execute(
            sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE TABLE {}").format(
                sql.Identifier("public", table), sql.Identifier(BASELINE, table)
            )
        )
    connection.execute("RESET session_replication_role")
    connection.execute(
        "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1000, false) "
        "FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
    )


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> %s", [KEPT]
    ).fetchall()
    return [name for (name,) in rows]


def _has_rows(connection: Connection, tables: list[str]) -> list[str]:
    """Return those of `tables` that hold anything, asked in one statement."""
    asked = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(
            sql.Literal(table), sql.Identifier("public", table)
        )
        for table in tables
    )
    return [name for (name,) in connection.execute(asked).fetchall()]
