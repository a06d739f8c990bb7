"""The machine that makes up histories: any step may follow any other, the laws always hold."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import ExitStack

import psycopg
from flask import Flask
from hypothesis.stateful import invariant
from sqlalchemy import text

from kernel import jobs
from kernel.db import db
from marketplace.check import examine, money, said, stock
from tests import fresh
from tests.histories.channel_rules import ChannelRules
from tests.histories.till import open_till
from tests.histories.world import Time, new_world
from tests.laws import assert_laws_hold

QUICK = (*stock.LAWS, *money.LAWS)
"""Laws that are checked after every step; all of them are after the last."""
# What there is by now: steps that need it are not tried before.
_COUNTED = text(
    """
    SELECT (SELECT count(*) FROM orders) AS orders,
        (SELECT count(*) FROM orders WHERE state = 'due') AS due,
        (SELECT count(*) FROM orders WHERE state = 'registered') AS needs,
        (SELECT count(*) FROM orders WHERE state = 'confirmed') AS confirmed,
        (SELECT count(*) FROM orders WHERE state = 'handed') AS handed,
        (SELECT count(*) FROM payment WHERE method = 'transfer' AND state = 'due') AS transfers,
        (SELECT count(*) FROM refund WHERE state = 'pending') AS refunds,
        (SELECT count(*) FROM refund WHERE state = 'debt') AS debts,
        (SELECT count(*) FROM group_order WHERE state = 'open') AS open_groups,
        (SELECT count(*) FROM round WHERE processed_at IS NULL) AS open_rounds,
        (SELECT count(*) FROM notice_item) AS items,
        (SELECT count(*) FROM yield_entry) AS yields,
        (SELECT count(*) FROM allocation_run) AS allocations,
        (SELECT count(*) FROM consignment) AS consignments,
        (SELECT count(*) FROM settlement) AS settlements,
        (SELECT count(*) FROM broadcast) AS broadcasts,
        (SELECT count(*) FROM slot_event) AS slot_events
    """
)

seen: Counter[str] = Counter()
"""Refusals of all histories so far, by code."""


class Market(ChannelRules):
    """One history on an empty database, with its own clock and its own payment service."""

    def __init__(self, app: Flask, database: str) -> None:
        super().__init__()
        self._open = ExitStack()
        db.session.remove()
        db.engine.dispose()
        with psycopg.connect(database, autocommit=True) as connection:
            fresh.empty(connection)
        jobs.bind(app)
        self.till = self._open.enter_context(open_till())
        self.time = Time()
        self.time.move()
        self.keys = itertools.count(1)
        self.world = new_world()
        self.counted = {}

    @invariant()
    def laws_hold(self) -> None:
        """The laws of stock and of payments after each step; teardown asks for all of them."""
        db.session.rollback()
        db.session.expire_all()
        broken = [said(finding) for finding in examine(QUICK) if not finding.holds]
        assert not broken, "\n".join(broken)
        row = db.session.execute(_COUNTED).one()
        self.counted = dict(row._mapping)
        db.session.rollback()

    def teardown(self) -> None:
        """Check every law there is; give clock and payment service back."""
        try:
            db.session.rollback()
            assert_laws_hold()
            seen.update(self.world.refusals)
        finally:
            db.session.rollback()
            self.time.stop()
            self._open.close()
