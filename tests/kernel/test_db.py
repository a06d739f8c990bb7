"""The one transaction helper."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.pq import TransactionStatus
from sqlalchemy import delete, func, select

from kernel.audit import Act, AuditEntry, note
from kernel.db import assert_no_transaction, db, end_read, public_code, transaction

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def entries() -> int:
    return db.session.scalar(select(func.count(AuditEntry.id))) or 0


def test_the_outermost_transaction_decides() -> None:
    def fail_after_an_inner_one() -> None:
        with transaction():
            with transaction():
                note(Act.TARGET_SET, "inner", account_id=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_an_inner_one()
    assert entries() == 0


def test_a_network_call_inside_a_transaction_is_a_fault() -> None:
    with transaction(), pytest.raises(RuntimeError, match="network"):
        assert_no_transaction()
    entries()
    with pytest.raises(RuntimeError, match="network"):
        assert_no_transaction()
    end_read()
    assert_no_transaction()


def test_public_codes_do_not_repeat_and_hold_no_vowels() -> None:
    codes = {public_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert not set("".join(codes)) & set("aeiou01lo")


def test_nothing_is_written_outside_a_transaction() -> None:
    note_outside = AuditEntry(act=Act.TARGET_SET, subject="thing")
    db.session.add(note_outside)
    with pytest.raises(RuntimeError, match="outside transaction"):
        db.session.flush()
    db.session.rollback()
    with pytest.raises(RuntimeError, match="outside transaction"):
        db.session.execute(delete(AuditEntry))
    assert entries() == 0


def test_a_read_leaves_no_transaction_open_and_a_write_is_one() -> None:
    def status() -> TransactionStatus:
        driver: Any = db.session.connection().connection.driver_connection
        found: TransactionStatus = driver.info.transaction_status
        return found

    entries()
    assert status() is TransactionStatus.IDLE
    with transaction():
        entries()
        assert status() is TransactionStatus.INTRANS
    entries()
    assert status() is TransactionStatus.IDLE


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(database: str) -> None:
    entries()
    db.session.remove()  # it waits in the pool now
    with psycopg.connect(database, autocommit=True) as admin:
        ended = admin.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 0
    assert entries() == 0


def test_a_migration_imports_nothing_of_ours_that_could_change_the_past() -> None:
    migrations = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    ours = re.compile(
        r"^\s*(?:from|import) (?:kernel|sellers|orders|livestream|cabinets|marketplace)\b", re.M
    )
    assert migrations
    assert [one.name for one in migrations if ours.search(one.read_text(encoding="utf-8"))] == []
