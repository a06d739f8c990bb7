"""Waiting until somebody waits: for tests of two who do something at once."""

from __future__ import annotations

import threading

from sqlalchemy import text

from kernel.db import db


def waiting_for_locks() -> int:
    """How many in this database wait for somebody else."""
    with db.engine.connect() as beside:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return beside.scalar(text(f"{waiting} AND datname = current_database()")) or 0


def start_and_wait(other: threading.Thread) -> None:
    """Start `other` and return once it waits for a lock, beside those that wait already."""
    before = waiting_for_locks()
    other.start()
    while waiting_for_locks() == before:
        assert other.is_alive()
