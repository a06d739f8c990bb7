"""The sandbox's state in one SQLite file. Callers hold the sandbox's lock."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    inner TEXT NOT NULL,
    due_at REAL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_intent
    ON objects (json_extract(body, '$.payment_intent'), kind, seq);
CREATE INDEX IF NOT EXISTS objects_due ON objects (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    event_id TEXT PRIMARY KEY,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    outcome TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due_at, place);
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass
class Record:
    """One object: `body` is what the API shows, `inner` is what only the sandbox knows.

    `due_at` is when the sandbox's clock changes it by itself, None for never.
    """

    body: Body
    inner: Body
    due_at: float | None = None
    seq: int = 0

    @property
    def id(self) -> str:
        """The object's id."""
        return str(self.body["id"])


@dataclass(frozen=True)
class Answer:
    """What was once answered under an idempotency key."""

    fingerprint: str
    status: int
    body: str


class Store:
    """Objects, kept answers and settings; `commit` makes them last."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(_TABLES)

    def begin(self) -> None:
        """Begin a transaction."""
        self.connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make everything since `begin` last."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget everything since `begin`."""
        self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def add(self, body: Body, inner: Body | None = None, due_at: float | None = None) -> Record:
        """Keep a new object."""
        record = Record(body, inner or {}, due_at)
        cursor = self.connection.execute(
            "INSERT INTO objects (id, kind, body, inner, due_at) VALUES (?, ?, ?, ?, ?)",
            (record.id, body["object"], json.dumps(body), json.dumps(record.inner), due_at),
        )
        record.seq = int(cursor.lastrowid or 0)
        return record

    def save(self, record: Record) -> None:
        """Keep an object's change."""
        self.connection.execute(
            "UPDATE objects SET body = ?, inner = ?, due_at = ? WHERE id = ?",
            (json.dumps(record.body), json.dumps(record.inner), record.due_at, record.id),
        )

    def find(self, kind: str, object_id: str) -> Record | None:
        """Give the object of this kind and id, or None."""
        row = self.connection.execute(
            "SELECT body, inner, due_at, seq FROM objects WHERE id = ? AND kind = ?",
            (object_id, kind),
        ).fetchone()
        return None if row is None else _record(row)

    def get(self, object_id: str) -> Record:
        """Give an object that another one names. Raises KeyError when it is not there."""
        row = self.connection.execute(
            "SELECT body, inner, due_at, seq FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        if row is None:
            raise KeyError(object_id)
        return _record(row)

    def select(
        self,
        kind: str,
        where: list[tuple[str, str, Any]],
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Give objects, newest first, that meet every (field, operator, value).

        An operator may be a whole test with its own place for the value, such as `IN (... ? ...)`.
        `after` keeps what is older than that sequence number, `before` what is newer: with
        `before` the nearest ones are taken.
        """
        sql = ["SELECT body, inner, due_at, seq FROM objects WHERE kind = ?"]
        values: list[Any] = [kind]
        for name, operator, value in where:
            test = operator if "?" in operator else f"{operator} ?"
            sql.append(f"AND json_extract(body, '$.{name}') {test}")
            values.append(value)
        if after is not None:
            sql.append("AND seq < ?")
            values.append(after)
        if before is not None:
            sql.append("AND seq > ?")
            values.append(before)
        sql.append("ORDER BY seq ASC" if before is not None else "ORDER BY seq DESC")
        if limit is not None:
            sql.append("LIMIT ?")
            values.append(limit)
        records = [_record(row) for row in self.connection.execute(" ".join(sql), values)]
        return records[::-1] if before is not None else records

    def due(self, now: float) -> list[Record]:
        """Give the objects that the clock changes by now, the earliest first."""
        rows = self.connection.execute(
            "SELECT body, inner, due_at, seq FROM objects WHERE due_at <= ? ORDER BY due_at, seq",
            (now,),
        )
        return [_record(row) for row in rows]

    def balance_fen(self) -> int:
        """Give the sum of all movements of the account's balance, in fen."""
        row = self.connection.execute(
            "SELECT coalesce(sum(json_extract(body, '$.net')), 0) FROM objects WHERE kind = ?",
            ("balance_transaction",),
        ).fetchone()
        return int(row[0])

    def answer(self, key: str) -> Answer | None:
        """Give what was answered under an idempotency key, or None."""
        row = self.connection.execute(
            "SELECT fingerprint, status, body FROM answers WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Answer(*row)

    def keep_answer(self, key: str, answer: Answer, created: float) -> None:
        """Keep an answer under an idempotency key."""
        self.connection.execute(
            "INSERT INTO answers (key, fingerprint, status, body, created) VALUES (?, ?, ?, ?, ?)",
            (key, answer.fingerprint, answer.status, answer.body, created),
        )

    def drop_answers(self, before: float) -> None:
        """Forget the answers kept since before a moment."""
        self.connection.execute("DELETE FROM answers WHERE created < ?", (before,))

    def settings(self) -> Mapping[str, Any]:
        """Give everything set by control calls."""
        rows = self.connection.execute("SELECT key, value FROM settings")
        return {key: json.loads(value) for key, value in rows}

    def set(self, key: str, value: Any) -> None:
        """Set one setting."""
        self.connection.execute(
            "INSERT INTO settings (key, value) VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, json.dumps(value)),
        )


def _record(row: tuple[str, str, float | None, int]) -> Record:
    body, inner, due_at, seq = row
    return Record(json.loads(body), json.loads(inner), due_at, seq)
