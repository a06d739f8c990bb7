"""Migrations run over a shop with rows in it, not only over empty tables."""

from __future__ import annotations

import flask_migrate
from flask import Flask
from sqlalchemy import text

from kernel.audit import Act, note
from kernel.db import db, end_read, transaction
from tests.laws import assert_laws_hold
from tests.marketplace import market_day

ACTS = "SELECT act, subject, reason FROM audit_entry ORDER BY id"
SETTLED = "SELECT id FROM orders WHERE settled_at IS NOT NULL ORDER BY id"
ACCOUNTS = "SELECT bank_changed_at IS NULL, bank_checked_at IS NULL FROM seller"


def _rows(statement: str) -> list[tuple[object, ...]]:
    rows = [tuple(row) for row in db.session.execute(text(statement))]
    end_read()
    return rows


def test_a_shop_with_a_past_goes_back_to_the_first_version_and_forward_again(app: Flask) -> None:
    with app.app_context():
        market_day.trade()
        note(Act.SELLER_VERIFIED, "seller:one", account_id=None, reason="as it was")
        acts, settled = _rows(ACTS), _rows(SETTLED)
        flask_migrate.downgrade(revision="0001")
        assert ("seller.verify",) in _rows("SELECT act FROM audit_entry")
        with transaction() as session:
            session.execute(text("UPDATE seller SET bank_account = 'an account of then'"))
        flask_migrate.upgrade()
        assert_laws_hold()
        assert (_rows(ACTS), _rows(SETTLED)) == (acts, settled)
        # In that version nobody looked whose account it is: each waits for staff now.
        assert set(_rows(ACCOUNTS)) == {(False, True)}
