"""What leaves a trace: under which words, and that it stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from kernel.audit import Act, AuditEntry, note
from kernel.db import db, transaction


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_only_acts_that_are_known_are_remembered() -> None:
    for unknown in ("seller.verify", "made_up"):
        with pytest.raises(StatementError, match="not among the defined enum values"):
            note(cast("Any", unknown), "seller:one", account_id=None)
    for act in Act:
        note(act, "seller:one", account_id=None)
    assert db.session.scalar(select(func.count(AuditEntry.id))) == len(Act)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entry SET reason = 'another'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "TRUNCATE account CASCADE",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_remembered(change: str) -> None:
    note(Act.SELLER_VERIFIED, "seller:one", account_id=None, reason="as it was")
    with pytest.raises(DBAPIError, match="never changed"), transaction() as session:
        session.execute(text(change))
    assert db.session.scalars(select(AuditEntry.reason)).all() == ["as it was"]
