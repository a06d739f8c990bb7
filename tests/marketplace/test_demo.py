"""The demo loads whole, breaks no law, and never touches what is not empty."""

from __future__ import annotations

import dataclasses

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.identity import Account, Membership
from kernel.settings import Environment
from livestream.model import Broadcast, ReportedFigure
from marketplace import check, demo
from marketplace.report import periods, queries
from orders.model import CreditSource, HarvestNotice, Order, Round
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace import market_day


def test_the_demo_loads_whole_and_breaks_no_law(app: Flask) -> None:
    with app.app_context():
        demo.load()
        assert_laws_hold()
        waiting = [one for one in check.examine(check.WAITING) if one.faults]
        assert [one.law.name for one in waiting] == []
        _every_channel_sold()
        _rooms_are_full()
        _accounts_have_the_roles_that_are_told(app.test_client())
        with pytest.raises(demo.NotLoaded):
            demo.load()
        assert_laws_hold()


def _every_channel_sold() -> None:
    report = queries.by_channel(periods.named(periods.QUARTER, clock.today()))
    assert all(one.figures.net_fen > 0 for one in report.channels)
    assert report.total.orders > 200
    assert sum(one.assists for one in report.channels) > 0
    assert report.total.refunded_fen > 0
    assert report.total.settled_fen > 0


def _rooms_are_full() -> None:
    session = db.session
    at = clock.now()
    rounds = session.scalars(select(Round).order_by(Round.closes_at)).all()
    assert [one.is_open(at) for one in rounds] == [False, False, True]
    assert session.scalar(select(func.count()).select_from(HarvestNotice)) == 6
    live = session.scalars(select(Broadcast).where(Broadcast.started_at.is_not(None))).all()
    assert sorted(one.is_live for one in live) == [False, True]
    assert session.scalar(select(func.max(ReportedFigure.value))) == 7_950_000
    assert session.scalar(select(func.count()).where(Order.placed_at > at)) == 0


def _accounts_have_the_roles_that_are_told(client: FlaskClient) -> None:
    for _, login, password in demo.SIGN_INS:
        answer = client.post("/api/v1/tokens", json={"login": login, "password": password})
        assert answer.status_code == 201, login
    seats = db.session.scalar(select(func.count()).select_from(Membership))
    assert seats is not None
    assert seats > len(demo.SIGN_INS)


def test_the_demo_refuses_a_database_with_somebody_in_it(app: Flask) -> None:
    with app.app_context():
        builders.account()
        with pytest.raises(demo.NotLoaded):
            demo.load()
        assert db.session.scalar(select(func.count()).select_from(Account)) == 1


def test_the_demo_is_never_loaded_in_production(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(app.extensions["settings"], environment=Environment.PRODUCTION)
    monkeypatch.setitem(app.extensions, "settings", settings)
    with app.app_context():
        kept = builders.account().id
        for refused in (demo.load, demo.reset):
            with pytest.raises(demo.NotLoaded):
                refused()
        assert db.session.scalar(select(func.count()).where(Account.id == kept)) == 1


def test_reloading_drops_what_was_there(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "load", lambda: None)
    with app.app_context():
        market_day.trade()
    done = app.test_cli_runner().invoke(args=["demo", "load"])
    assert done.exit_code == 0, done.output
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Account)) == 0
        assert db.session.scalars(select(CreditSource.code)).all() == ["shop"]
