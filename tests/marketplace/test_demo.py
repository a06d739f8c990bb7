"""The demo loads whole, breaks no law, and never touches what is not empty."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ColumnElement, func, select

from kernel import clock
from kernel.audit import Act, AuditEntry
from kernel.db import db, end_read, transaction
from kernel.identity import Account, Membership
from kernel.settings import Environment
from livestream.model import Broadcast, ReportedFigure
from marketplace import check
from marketplace.check import books
from marketplace.demo import loading, till
from marketplace.demo.diary import Diary
from marketplace.demo.sign_ins import SIGN_INS
from marketplace.demo.world import World
from marketplace.report import periods, queries
from orders import lifecycle
from orders.model import (
    BuyingUnit,
    CreditSource,
    HarvestNotice,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
    Round,
    StaffListEntry,
)
from orders.payments import gateway
from orders.payments.captures import Captured, record_capture
from orders.payments.reconcile import send_refunds
from orders.payments.sandbox.config import Config, state_dir
from orders.payments.sandbox.service import Service
from orders.placing import place
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace import market_day


def test_the_demo_loads_whole_and_breaks_no_law(app: Flask) -> None:
    with app.app_context():
        loading.load()
        assert_laws_hold()
        waiting = [one for one in check.examine(check.WAITING) if one.faults]
        assert [one.law.name for one in waiting] == []
        _every_channel_sold()
        _rooms_are_full()
        _accounts_have_the_roles_that_are_told(app.test_client())
        _an_old_payment_goes_back(app)
        with pytest.raises(loading.NotLoaded):
            loading.load()
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
    # Every act is remembered at its own moment: nothing but the last hours is of today.
    acts = select(func.max(AuditEntry.at)).where(AuditEntry.act == Act.TRANSFER_CONFIRMED)
    assert session.scalars(acts).one() < at - timedelta(days=1)
    listed = select(func.count()).where(StaffListEntry.unit_id == BuyingUnit.id).scalar_subquery()
    assert session.scalars(select(BuyingUnit.id).where(BuyingUnit.staff != listed)).all() == []
    assert session.scalar(select(func.count()).select_from(HarvestNotice)) == 6
    live = session.scalars(select(Broadcast).where(Broadcast.started_at.is_not(None))).all()
    assert sorted(one.is_live for one in live) == [False, True]
    assert session.scalar(select(func.max(ReportedFigure.value))) == 7_950_000
    assert session.scalar(select(func.count()).where(Order.placed_at > at)) == 0


def _accounts_have_the_roles_that_are_told(client: FlaskClient) -> None:
    for _, login, password in SIGN_INS:
        answer = client.post("/api/v1/tokens", json={"login": login, "password": password})
        assert answer.status_code == 201, login
    seats = db.session.scalar(select(func.count()).select_from(Membership))
    assert seats is not None
    assert seats > len(SIGN_INS)


def _an_old_payment_goes_back(app: Flask) -> None:
    """The sandbox that starts after the load has made the demo's payments."""
    settings = app.extensions["settings"]
    service = Service(Config(state_dir(settings.var_dir), "", ""))
    service.start()
    app.extensions["settings"] = dataclasses.replace(settings, stripe_api_base=service.url)
    try:
        paid = select(Order).join(PaymentShare).join(Payment)
        for wallet in till.WALLETS:
            order = db.session.scalars(
                paid.where(
                    Order.state == OrderState.CONFIRMED,
                    Order.group_order_id.is_(None),
                    Payment.wallet == wallet,
                )
                .order_by(Order.paid_at)
                .limit(1)
            ).one()
            with transaction():
                lifecycle.cancel(order)
            refund = db.session.scalars(select(Refund).where(Refund.order_id == order.id)).first()
            assert refund is not None
            assert refund.state is RefundState.PENDING
            end_read()
            send_refunds(clock.now())
            db.session.refresh(refund)
            assert (refund.state, refund.failure) in (
                (RefundState.PENDING, ""),
                (RefundState.SUCCEEDED, ""),
            )
            assert refund.provider_id is not None
            end_read()
        told = gateway.charge_of(_intents()[0])
        assert told.fee_fen > 0
    finally:
        app.extensions["settings"] = settings
        service.stop()


def _intents() -> list[str]:
    """What Stripe calls the demo's payments, all of them known; refunds too."""
    intents = db.session.scalars(
        select(Payment.intent_id).where(Payment.method == PaymentMethod.STRIPE, _captured())
    ).all()
    refunds = db.session.scalars(
        select(Refund.provider_id).where(Refund.state == RefundState.SUCCEEDED)
    ).all()
    end_read()
    assert all(one is not None and "demo" not in one for one in (*intents, *refunds))
    assert len(intents) > 200
    assert refunds
    return [one for one in intents if one is not None]


def _captured() -> ColumnElement[bool]:
    return Payment.state == PaymentState.CAPTURED


def test_where_real_stripe_takes_payments_the_demo_tells_it_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(app.extensions["settings"], stripe_secret_key="sk_test_1")
    monkeypatch.setitem(app.extensions, "settings", settings)
    monkeypatch.setattr(till, "past", None)
    with app.app_context():
        offer = builders.offer()
        placed = place(
            builders.buyer(), {offer.id: 1}, builders.credited_to_shop(offer), PaymentMethod.STRIPE
        )
        assert placed.payment_id is not None
        record_capture(placed.payment_id, Captured(placed.total.fen, clock.now()))
        till.learn(World(Diary(clock.now(), print), random.Random(1)))
        payment = db.session.scalars(select(Payment)).one()
        assert payment.intent_id == f"pi_demo_{payment.public_id}"
        assert payment.fee_fen == placed.total.percent(till.FEE_BASIS_POINTS).fen
        assert_laws_hold()


def test_a_demo_that_was_ended_on_the_way_is_loaded_anew(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(_diary: Diary) -> None:
        builders.account(login="half")
        raise KeyboardInterrupt

    def people() -> list[str]:
        return list(db.session.scalars(select(Account.login)))

    with app.app_context():
        monkeypatch.setattr(Diary, "replay", ended)
        with pytest.raises(KeyboardInterrupt):
            loading.prepare()
        assert people() == ["half"]
        monkeypatch.setattr(Diary, "replay", lambda _diary: builders.account(login="whole"))
        loading.prepare()
        assert people() == ["whole"]
        loading.prepare()
        assert people() == ["whole"]


def test_the_demo_refuses_a_database_with_somebody_in_it(app: Flask) -> None:
    with app.app_context():
        builders.account()
        with pytest.raises(loading.NotLoaded):
            loading.load()
        assert db.session.scalar(select(func.count()).select_from(Account)) == 1


def test_the_demo_is_never_loaded_in_production(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(app.extensions["settings"], environment=Environment.PRODUCTION)
    monkeypatch.setitem(app.extensions, "settings", settings)
    with app.app_context():
        kept = builders.account().id
        for refused in (loading.load, loading.reset):
            with pytest.raises(loading.NotLoaded):
                refused()
        assert db.session.scalar(select(func.count()).where(Account.id == kept)) == 1


def test_reloading_drops_what_was_there(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Diary, "replay", lambda _diary: None)
    with app.app_context():
        market_day.trade()
    done = app.test_cli_runner().invoke(args=["demo", "load"])
    assert done.exit_code == 0, done.output
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Account)) == 0
        assert db.session.scalars(select(CreditSource.code)).all() == ["shop"]
        assert books.guards(db.session())[1] == []
