"""Payments through the real sandbox over HTTP: opened, captured once, or never."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ledger import AccountKind
from orders import lifecycle
from orders.model import (
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    RefundState,
    Round,
)
from orders.payments import captures, checkout, gateway, reconcile
from orders.payments.actions import (
    Captured,
    confirm_transfer,
    record_capture,
)
from orders.placing import Placed
from tests import builders
from tests.at_once import PATIENCE_S, at_once
from tests.orders.harvest_builders import closed_round
from tests.orders.payments.money_in import (
    BACK,
    balance,
    buy,
    check_laws,
    deliver,
    events,
    lot_of,
    opened,
    order_of,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer


@pytest.mark.parametrize("method", ["card", "alipay", "wechat_pay"])
def test_an_order_is_confirmed_by_the_webhook_whatever_the_method(
    shop: SandboxServer, caller: FlaskClient, method: str
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id, method)
    for event in events(shop):
        assert deliver(caller, event) == 200
    assert order_of(placed).state is OrderState.CONFIRMED
    assert order_of(placed).paid_at is not None
    payment = payment_of(placed)
    assert payment.state is PaymentState.CAPTURED
    assert payment.captured_fen == 2 * 5900
    assert balance(AccountKind.BUYER_PREPAID) == -2 * 5900
    assert reconcile.learn_charges(clock.now()) == 1
    payment = payment_of(placed)
    assert payment.wallet == method
    assert balance(AccountKind.PROVIDER_CLEARING) == 2 * 5900 - payment.fee_fen
    assert payment.fee_fen > 0
    check_laws()


def test_a_declined_card_leaves_the_session_open_for_another_try(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id, "card", "declined")
    for event in events(shop):
        assert deliver(caller, event) == 200
    assert order_of(placed).state is OrderState.DUE
    assert opened(placed) == session_id
    shop.pay(session_id, "card")
    checkout.ask(placed.payment_id or "")
    assert order_of(placed).state is OrderState.CONFIRMED
    check_laws()


def test_opening_twice_at_once_makes_one_session(app: Flask, shop: SandboxServer) -> None:
    placed = buy()
    pid = placed.payment_id or ""

    def press() -> None:
        # One of the two may be told that the other's request is still on its way.
        with suppress(gateway.StripeBusy):
            checkout.open_checkout(pid, BACK)

    at_once(app, press, press)
    assert len(shop.client().v1.checkout.sessions.list().data) == 1


def test_a_lost_answer_is_asked_for_again_and_gives_the_same_session(shop: SandboxServer) -> None:
    placed = buy()
    shop.fail_next(method="POST", path="/v1/checkout/sessions", status=500, executed=True)
    with pytest.raises(gateway.StripeBusy):
        checkout.open_checkout(placed.payment_id or "", BACK)
    [made] = shop.client().v1.checkout.sessions.list().data
    assert opened(placed) == made.id


def test_a_payment_whose_webhook_never_came_is_found_by_asking(shop: SandboxServer) -> None:
    placed = buy()
    shop.pay(opened(placed))
    assert reconcile.ask_about_sessions(clock.now()) == 0  # just opened: not yet
    later = clock.now() + timedelta(minutes=5)
    assert reconcile.ask_about_sessions(later) == 1
    assert order_of(placed).state is OrderState.CONFIRMED
    assert reconcile.ask_about_sessions(later) == 0
    check_laws()


def test_two_captures_at_once_are_one(app: Flask, shop: SandboxServer) -> None:
    placed = buy()
    captured = Captured(2 * 5900, clock.now(), "pi_once")
    at_once(app, *[lambda: record_capture(placed.payment_id or "", captured)] * 4)
    assert order_of(placed).state is OrderState.CONFIRMED
    assert balance(AccountKind.BUYER_PREPAID) == -2 * 5900
    history = [event.kind for event in order_of(placed).events]
    assert history.count("paid") == 1


def test_without_the_lock_two_captures_at_once_would_be_two(
    app: Flask, shop: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it is the lock that it tests."""
    placed = buy()
    captured = Captured(2 * 5900, clock.now(), "pi_once")
    both_read = threading.Barrier(2)

    def unlocked(session: Any, public_id: str) -> tuple[Payment, dict[int, Order]]:
        payment = session.scalars(select(Payment).where(Payment.public_id == public_id)).one()
        orders = {share.order_id: share.order for share in payment.shares}
        both_read.wait(PATIENCE_S)
        return payment, orders

    monkeypatch.setattr(captures, "lock_with_orders", unlocked)
    at_once(app, *[lambda: record_capture(placed.payment_id or "", captured)] * 2)
    history = [event.kind for event in order_of(placed).events]
    assert history.count("paid") == 2


def test_a_payment_and_its_lapse_at_once_end_whole(app: Flask, shop: SandboxServer) -> None:
    for _ in range(4):
        placed = buy()
        captured = Captured(2 * 5900, clock.now(), f"pi_{placed.number}")

        def pay(placed: Placed = placed, captured: Captured = captured) -> None:
            record_capture(placed.payment_id or "", captured)

        def pass_time() -> None:
            lifecycle.lapse_due(clock.now() + timedelta(hours=1))

        at_once(app, pay, pass_time)
        assert order_of(placed).state is OrderState.CONFIRMED
        assert lot_of(placed).promised == 2
    check_laws()


def test_a_transfer_is_confirmed_once_and_only_for_what_is_due(shop: SandboxServer) -> None:
    placed = buy(method=PaymentMethod.TRANSFER)
    staff = builders.account().id
    with pytest.raises(Conflict) as refusal:
        confirm_transfer(placed.payment_id or "", staff, 1)
    assert refusal.value.code == "amount_differs"
    assert order_of(placed).state is OrderState.DUE
    confirm_transfer(placed.payment_id or "", staff, 2 * 5900)
    confirm_transfer(placed.payment_id or "", staff, 2 * 5900)
    assert order_of(placed).state is OrderState.CONFIRMED
    assert balance(AccountKind.TRANSFER_CLEARING) == 2 * 5900
    lifecycle.cancel(order_of(placed))
    assert refunds_of(placed)[0].state is RefundState.DEBT
    check_laws()


def test_an_order_moves_only_along_the_table(shop: SandboxServer) -> None:
    placed = buy()
    with pytest.raises(Conflict) as refusal:
        lifecycle.move(order_of(placed), OrderState.HANDED, "handed")
    assert refusal.value.code == "order_moved_on"
    assert order_of(placed).state is OrderState.DUE


@pytest.mark.parametrize(
    ("days", "methods"),
    [
        (30, ["card", "alipay", "wechat_pay"]),
        (91, ["card", "wechat_pay"]),
        (181, ["card"]),
    ],
)
def test_a_wallet_is_not_offered_when_it_could_not_take_money_back(
    days: int, methods: list[str]
) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert checkout.methods_for(at + timedelta(days=days), at) == methods


def test_a_wallet_that_is_paid_at_once_still_takes_money_back_until_the_claims_end(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[gateway.Asked] = []

    def never(one: gateway.Asked) -> gateway.Session:
        asked.append(one)
        raise gateway.StripeBusy()

    monkeypatch.setattr(gateway, "open_session", never)
    with app.app_context():
        closed = closed_round(10, paid=0)
        [payment] = db.session.scalars(select(Payment)).all()
        noon = clock.at_local(clock.today() + timedelta(days=1), 12)
        with transaction() as session:
            # Claims end 90 and a half days after noon: a page paid late in its day could wait.
            session.get_one(Round, closed.round.id).handover_on = clock.local(
                noon
            ).date() + timedelta(days=77)
        with clock.frozen(noon), suppress(gateway.StripeBusy):
            checkout.open_checkout(payment.public_id, BACK)
        assert [one.methods for one in asked] == [["card", "wechat_pay"]]


def test_an_unknown_payment_is_not_found(shop: SandboxServer) -> None:
    with pytest.raises(NotFound):
        record_capture("nothing", Captured(1, clock.now()))


def test_no_call_to_stripe_happens_in_a_transaction(shop: SandboxServer) -> None:
    with transaction(), pytest.raises(RuntimeError, match="transaction"):
        gateway.session("cs_x")


def test_a_page_that_was_opened_in_between_is_used_instead_of_a_second_one(
    shop: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = buy()
    pid = placed.payment_id or ""
    real = checkout._next_try
    first: list[str] = []

    def overtaken(*args: Any) -> gateway.Asked | None:
        if not first:
            first.append("")
            first[0] = checkout.open_checkout(pid, BACK)
        return real(*args)

    monkeypatch.setattr(checkout, "_next_try", overtaken)
    assert checkout.open_checkout(pid, BACK) == first[0]
    assert len(shop.client().v1.checkout.sessions.list().data) == 1


def test_a_charge_of_which_stripe_cannot_tell_keeps_no_other_from_being_learned(
    shop: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = builders.offer()
    for number in range(reconcile.AT_ONCE + 3):
        placed = buy(1, offer=offer)
        captured = Captured(placed.total.fen, clock.now(), f"pi_{number}")
        record_capture(placed.payment_id or "", captured)
    known = f"pi_{reconcile.AT_ONCE + 2}"

    def charge_of(intent_id: str) -> gateway.Charge:
        if intent_id == "pi_0":
            raise gateway.StripeBusy
        if intent_id != known:
            raise gateway.StripeRefused("resource_missing")
        return gateway.Charge("card", 30)

    monkeypatch.setattr(gateway, "charge_of", charge_of)
    for minutes in (0, 2, 4):
        reconcile.learn_charges(clock.now() + timedelta(minutes=minutes))
    db.session.rollback()
    learned = db.session.scalars(select(Payment.intent_id).where(Payment.wallet == "card")).all()
    assert learned == [known]


def test_what_stripe_can_never_take_is_not_ordered_online(shop: SandboxServer) -> None:
    lot = builders.lot(builders.product(builders.seller()), offered=1000)
    offer = builders.offer(lot, price_fen=1_000_000)
    with pytest.raises(Invalid) as refusal:
        buy(100, offer=offer)
    assert refusal.value.code == "amount_too_large"
    checkout.open_checkout(buy(99, offer=offer).payment_id or "", BACK)
    buy(100, offer=offer, method=PaymentMethod.TRANSFER)
