"""Old touches go, and no figure changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from kernel import clock
from kernel.access import viewer_of
from kernel.db import db
from kernel.identity import Account, Role
from livestream import actions, jobs, past, queries
from livestream.model import Touch
from tests import builders
from tests.livestream.hosting import host, planned


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


def test_old_touches_are_dropped_and_a_links_visits_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past, "DROPPED_AT_ONCE", 2)
    owner = builders.account(Role.OFFICIAL, builders.buying_unit().organisation)
    viewer = viewer_of(db.session.get_one(Account, owner.id), "")
    link = actions.make_share_link(viewer, "秋天的橙")
    live = planned(host())
    old = clock.now() - past.KEPT - timedelta(hours=1)
    with clock.frozen(old):
        for number in range(5):
            actions.touch(link.credit, f"v{number}", None)
            actions.touch(live.credit, f"v{number}", None)
    actions.touch(link.credit, "new", None)
    assert [one.visits for one in queries.links_of(owner.id).items] == [6]
    jobs.drop_old_touches(timestamp=0)
    db.session.expire_all()
    assert db.session.scalars(select(Touch.visitor)).all() == ["new"]
    assert [one.visits for one in queries.links_of(owner.id).items] == [6]
    jobs.drop_old_touches(timestamp=0)
    db.session.expire_all()
    assert [one.visits for one in queries.links_of(owner.id).items] == [6]


def test_no_window_reaches_a_touch_that_is_dropped() -> None:
    [longest] = db.session.scalars(
        text(
            "SELECT substring(pg_get_constraintdef(oid) FROM 'days <= ([0-9]+)')::int"
            " FROM pg_constraint WHERE conname = 'ck_credit_window_days'"
        )
    )
    assert timedelta(days=longest) < past.KEPT
