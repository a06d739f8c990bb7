"""A fresh database for each test: emptied where that is enough, cloned anew where it is not.

Emptying takes about a tenth of cloning. A test that changed the schema itself (a law can only
be broken by taking its constraint away) is noticed by a trigger that stands in the template.
"""

from __future__ import annotations

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict

BASELINE = "baseline"
KEPT = "alembic_version"
CHANGED = "schema_changed"
"""A table of the baseline: it has rows once anything but rows was changed."""


def keep_baseline(connection: Connection) -> None:
    """Keep a copy of the rows that migrations make, and notice every later change of schema."""
    connection.execute(f"CREATE SCHEMA {BASELINE}")
    for (table,) in connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> %s", [KEPT]
    ).fetchall():
        kept, live = sql.Identifier(BASELINE, table), sql.Identifier("public", table)
        if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(live)).fetchone():
            connection.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(kept, live))
    connection.execute(f"""
        CREATE FUNCTION {BASELINE}.empty() RETURNS void LANGUAGE plpgsql AS $$
        DECLARE name text;
        BEGIN
            FOR name IN SELECT tablename FROM pg_tables
                WHERE schemaname = 'public' AND tablename <> '{KEPT}'
            LOOP EXECUTE format('DELETE FROM public.%I', name); END LOOP;
            FOR name IN SELECT tablename FROM pg_tables
                WHERE schemaname = '{BASELINE}' AND tablename <> '{CHANGED}'
            LOOP
                EXECUTE format(
                    'INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE TABLE {BASELINE}.%1$I', name);
            END LOOP;
            PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1000, false)
                FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
        END $$
    """)
    connection.execute(f"CREATE TABLE {BASELINE}.{CHANGED} (tag text)")
    connection.execute(f"""
        CREATE FUNCTION {BASELINE}.notice() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO {BASELINE}.{CHANGED} VALUES (tg_tag); END $$
    """)
    connection.execute(
        f"CREATE EVENT TRIGGER notice ON ddl_command_end EXECUTE FUNCTION {BASELINE}.notice()"
    )


class Fresh:
    """One database that is made fresh again and again, over a connection that stays warm."""

    def __init__(self, url: str, admin_url: str, template: str) -> None:
        self.url, self._admin_url, self._template = url, admin_url, template
        self._open: Connection | None = None

    def make(self) -> None:
        """Bring every table back to the rows and numbers that it had after the migrations."""
        try:
            if self._open is not None and not _is_changed(self._open):
                empty(self._open)
                return
        except psycopg.OperationalError:
            pass  # a test of faults ended every connection, this one too
        self._clone()

    def _clone(self) -> None:
        self.close()
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            name = sql.Identifier(str(conninfo_to_dict(self.url)["dbname"]))
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    name, sql.Identifier(self._template)
                )
            )
        self._open = psycopg.connect(self.url, autocommit=True)

    def close(self) -> None:
        """End the connection."""
        if self._open is not None:
            self._open.close()
        self._open = None


def _is_changed(connection: Connection) -> bool:
    """Tell whether the schema is no longer the template's."""
    return connection.execute(f"SELECT FROM {BASELINE}.{CHANGED} LIMIT 1").fetchone() is not None


def empty(connection: Connection) -> None:
    """Bring every table back to the rows and numbers that it had after the migrations.

    Whoever is in the middle of a statement or a transaction is cut off; who waits may stay.
    """
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    # As a replica, triggers and foreign keys rest: the ledger refuses every other deletion.
    connection.execute("SET session_replication_role = replica")
    connection.execute(f"SELECT {BASELINE}.empty()")
    connection.execute("RESET session_replication_role")
