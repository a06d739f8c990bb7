"""Waiting until somebody waits: for tests of two who do something at once."""

from __future__ import annotations

import threading

from sqlalchemy import text

from kernel.db import db


def waits_for_a_lock() -> bool:
    """Whether somebody in this database waits for somebody else."""
    with db.engine.connect() as beside:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(beside.scalar(text(f"{waiting} AND datname = current_database()")))


def start_and_wait(other: threading.Thread) -> None:
    """Start `other` and return once it waits for a lock."""
    other.start()
    while not waits_for_a_lock():
        assert other.is_alive()
