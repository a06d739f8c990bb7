"""Payments through the real sandbox over HTTP: captured once, given back once, whatever happens."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kernel import clock, ledger
from kernel.db import db, transaction
from kernel.errors import Conflict, NotFound
from kernel.ledger import AccountKind
from kernel.money import Money
from orders import books, lifecycle
from orders.model import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.payments import captures, checkout, gateway, reconcile
from orders.payments.actions import (
    Captured,
    confirm_transfer,
    record_capture,
    refund_line,
    repay_debt,
)
from orders.payments.sandbox.courier import signature
from orders.placing import Buyer, Placed, place
from sellers.model import Lot, Offer
from tests import builders
from tests.payment_sandbox import SECRET, SandboxServer

BACK = "http://localhost/pay/back"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Whoever calls the webhook."""
    return app.test_client()


@pytest.fixture
def silent() -> Iterator[SandboxServer]:
    """A sandbox whose events nobody receives; tests deliver them themselves."""
    with SandboxServer(webhook_url="http://127.0.0.1:9/webhooks/stripe", webhook_tries=1) as server:
        server.hold_webhooks()
        yield server


@pytest.fixture
def shop(app: Flask, silent: SandboxServer) -> Iterator[SandboxServer]:
    """The application, whose payments go to the sandbox."""
    before = app.extensions["settings"]
    app.extensions["settings"] = dataclasses.replace(
        before, stripe_api_base=silent.url, stripe_webhook_secret=SECRET
    )
    with app.app_context():
        yield silent
    app.extensions["settings"] = before


def buy(
    units: int = 2,
    *,
    offer: Offer | None = None,
    buyer: Buyer | None = None,
    method: PaymentMethod = PaymentMethod.STRIPE,
) -> Placed:
    """An order of `units`, waiting for its payment."""
    offer = offer or builders.offer()
    return place(
        buyer or builders.buyer(), {offer.id: units}, builders.credited_to_shop(offer), method
    )


def opened(placed: Placed) -> str:
    """Open the order's checkout and return the session's id."""
    assert placed.payment_id is not None
    checkout.open_checkout(placed.payment_id, BACK)
    session_id = payment_of(placed).session_id
    assert session_id is not None
    db.session.rollback()
    return session_id


def payment_of(placed: Placed) -> Payment:
    """The payment as the database has it."""
    db.session.rollback()
    return db.session.scalars(select(Payment).where(Payment.public_id == placed.payment_id)).one()


def order_of(placed: Placed) -> Order:
    """The order as the database has it."""
    db.session.rollback()
    return db.session.get_one(Order, placed.order_id)


def lot_of(placed: Placed) -> Lot:
    """The lot of an order's only line."""
    db.session.rollback()
    return db.session.get_one(Lot, placed.lines[0].lot_id)


def refunds_of(placed: Placed) -> list[Refund]:
    """All refunds of an order."""
    db.session.rollback()
    return list(
        db.session.scalars(
            select(Refund).where(Refund.order_id == placed.order_id).order_by(Refund.id)
        )
    )


def balance(kind: AccountKind) -> int:
    """Debits minus credits of an account, in fen."""
    return ledger.balance(books.BOOK, kind).fen


def check_laws() -> None:
    """Laws 1, 2 and 3, over everything there is."""
    db.session.rollback()
    assert db.session.scalar(select(func.coalesce(func.sum(ledger.Posting.amount_fen), 0))) == 0
    lines = select(OrderLine.lot_id, func.sum(OrderLine.quantity - OrderLine.released))
    rows = db.session.execute(lines.group_by(OrderLine.lot_id)).all()
    held = {row[0]: row[1] for row in rows}
    for lot in db.session.scalars(select(Lot)):
        assert lot.promised == held.get(lot.id, 0)
    for payment in db.session.scalars(select(Payment)):
        assert sum(share.amount_fen for share in payment.shares) == payment.amount_fen
        back = db.session.scalar(
            select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
                Refund.payment_id == payment.id, Refund.state != RefundState.CUT
            )
        )
        assert back == payment.refunded_fen <= payment.captured_fen
    db.session.rollback()


def events(shop: SandboxServer) -> list[dict[str, Any]]:
    """Every event that the sandbox has recorded, the oldest first."""
    page = shop.client().v1.events.list({"limit": 100})
    return [event.to_dict() for event in reversed(page.data)]


def deliver(client: FlaskClient, event: dict[str, Any], **change: Any) -> int:
    """Send one signed event and return the status; `at`, `secret` and `tail` forge it."""
    payload = json.dumps(event).encode()
    header = signature(payload, change.get("secret", SECRET), change.get("at", int(time.time())))
    answer = client.post(
        "/webhooks/stripe",
        data=payload + change.get("tail", b""),
        headers={"Stripe-Signature": header},
        content_type="application/json",
    )
    db.session.rollback()
    return answer.status_code


def in_threads(app: Flask, *works: Callable[[], object]) -> list[BaseException]:
    """Run `works` at once, each with a session of its own; return what was raised."""
    raised: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        with app.app_context():
            gate.wait(10)
            try:
                work()
            except Exception as error:
                raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


@pytest.mark.parametrize("method", ["card", "alipay", "wechat_pay"])
def test_an_order_is_confirmed_by_the_webhook_whatever_the_method(
    shop: SandboxServer, client: FlaskClient, method: str
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id, method)
    for event in events(shop):
        assert deliver(client, event) == 200
    assert order_of(placed).state is OrderState.CONFIRMED
    assert order_of(placed).paid_at is not None
    payment = payment_of(placed)
    assert payment.state is PaymentState.CAPTURED
    assert payment.captured_fen == 2 * 5900
    assert balance(AccountKind.BUYER_PREPAID) == -2 * 5900
    assert reconcile.learn_charges() == 1
    payment = payment_of(placed)
    assert payment.wallet == method
    assert balance(AccountKind.PROVIDER_CLEARING) == 2 * 5900 - payment.fee_fen
    assert payment.fee_fen > 0
    check_laws()


def test_a_declined_card_leaves_the_session_open_for_another_try(
    shop: SandboxServer, client: FlaskClient
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id, "card", "declined")
    for event in events(shop):
        assert deliver(client, event) == 200
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
        checkout.open_checkout(pid, BACK)

    raised = in_threads(app, press, press)
    # One of the two may be told that the other's request is still on its way.
    assert all(isinstance(error, gateway.StripeBusy) for error in raised)
    assert len(shop.client().v1.checkout.sessions.list().data) == 1


def test_a_lost_answer_is_asked_for_again_and_gives_the_same_session(shop: SandboxServer) -> None:
    placed = buy()
    shop.fail_next(method="POST", path="/v1/checkout/sessions", status=500, executed=True)
    with pytest.raises(gateway.StripeBusy):
        checkout.open_checkout(placed.payment_id or "", BACK)
    [made] = shop.client().v1.checkout.sessions.list().data
    assert opened(placed) == made.id


def test_a_captured_event_repeated_five_times_is_posted_once(
    shop: SandboxServer, client: FlaskClient
) -> None:
    placed = buy()
    shop.pay(opened(placed))
    [paid] = [one for one in events(shop) if one["type"] == "checkout.session.completed"]
    assert [deliver(client, paid) for _ in range(5)] == [200] * 5
    assert balance(AccountKind.BUYER_PREPAID) == -2 * 5900
    count = db.session.scalar(select(func.count()).where(WebhookEvent.provider_id == paid["id"]))
    assert count == 1
    check_laws()


def test_every_order_of_the_events_ends_in_the_same_state(
    shop: SandboxServer, client: FlaskClient
) -> None:
    kinds = ("payment_intent.succeeded", "checkout.session.completed", "charge.succeeded")
    for order_of_kinds in itertools.permutations(kinds):
        placed = buy()
        shop.pay(opened(placed))
        mine = {
            one["type"]: one
            for one in events(shop)
            if one["data"]["object"].get("metadata", {}).get("payment") == placed.payment_id
        }
        for kind in order_of_kinds:
            if kind in mine:
                assert deliver(client, mine[kind]) == 200
        assert order_of(placed).state is OrderState.CONFIRMED
        check_laws()


def test_any_sequence_of_events_with_repeats_ends_in_the_same_state(
    shop: SandboxServer, client: FlaskClient
) -> None:
    """Payment and refund events of one order, drawn in any order and number."""
    placed = buy()
    shop.pay(opened(placed), "alipay")
    checkout.ask(placed.payment_id or "")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    shop.settle_refund(refund.provider_id or "", "succeeded")
    all_events = events(shop)
    last = [one for one in all_events if one["type"].startswith("refund")]

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(st.sampled_from(all_events), max_size=12))
    def any_order(drawn: list[dict[str, Any]]) -> None:
        for event in [*drawn, *last]:
            assert deliver(client, event) == 200
        assert order_of(placed).state is OrderState.CANCELLED
        assert payment_of(placed).state is PaymentState.CAPTURED
        assert [one.state for one in refunds_of(placed)] == [RefundState.SUCCEEDED]
        assert balance(AccountKind.BUYER_PREPAID) == 0
        assert balance(AccountKind.REFUNDS_OWED) == 0
        check_laws()

    any_order()


@pytest.mark.parametrize(
    "change",
    [{"secret": "whsec_other"}, {"at": int(time.time()) - 3600}, {"tail": b" "}],
    ids=["forged", "old", "altered"],
)
def test_an_event_that_stripe_did_not_sign_just_now_changes_nothing(
    shop: SandboxServer, client: FlaskClient, change: dict[str, Any]
) -> None:
    placed = buy()
    shop.pay(opened(placed))
    [paid] = [one for one in events(shop) if one["type"] == "checkout.session.completed"]
    assert deliver(client, paid, **change) == 400
    assert order_of(placed).state is OrderState.DUE
    assert db.session.scalar(select(func.count()).select_from(WebhookEvent)) == 0


def test_an_unknown_event_is_accepted(shop: SandboxServer, client: FlaskClient) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "created": 1,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
    }
    assert deliver(client, event) == 200


def test_a_payment_whose_webhook_never_came_is_found_by_asking(shop: SandboxServer) -> None:
    placed = buy()
    shop.pay(opened(placed))
    assert reconcile.ask_about_sessions(clock.now()) == 0  # just opened: not yet
    later = clock.now() + timedelta(minutes=5)
    assert reconcile.ask_about_sessions(later) == 1
    assert order_of(placed).state is OrderState.CONFIRMED
    assert reconcile.ask_about_sessions(later) == 0
    check_laws()


def lapse(placed: Placed) -> None:
    """Let half an hour pass."""
    assert lifecycle.lapse_due(clock.now() + timedelta(minutes=31)) >= 1
    assert order_of(placed).state is OrderState.LAPSED


def test_an_order_that_is_not_paid_lapses_once_and_gives_its_stock_back(
    shop: SandboxServer,
) -> None:
    placed = buy(3)
    session_id = opened(placed)
    lapse(placed)
    assert lot_of(placed).promised == 0
    assert payment_of(placed).state is PaymentState.EXPIRED
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=1)) == 0
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert shop.client().v1.checkout.sessions.retrieve(session_id).status == "expired"
    with pytest.raises(Conflict) as refusal:
        checkout.open_checkout(placed.payment_id or "", BACK)
    assert refusal.value.code == "payment_over"
    check_laws()


def test_a_late_payment_is_honoured_while_stock_allows(shop: SandboxServer) -> None:
    placed = buy(3)
    session_id = opened(placed)
    lapse(placed)
    shop.pay(session_id)
    reconcile.ask_about_sessions(clock.now())
    assert order_of(placed).state is OrderState.CONFIRMED
    assert lot_of(placed).promised == 3
    assert refunds_of(placed) == []
    check_laws()


def test_a_late_payment_without_stock_is_given_back_by_itself(shop: SandboxServer) -> None:
    offer = builders.offer(builders.lot(builders.product(builders.seller()), offered=3))
    placed = buy(3, offer=offer)
    session_id = opened(placed)
    lapse(placed)
    buy(1, offer=offer)
    shop.pay(session_id)
    reconcile.ask_about_sessions(clock.now())
    assert order_of(placed).state is OrderState.LAPSED
    [refund] = refunds_of(placed)
    assert (refund.cause, refund.amount_fen, refund.line_id) == ("late", 3 * 5900, None)
    reconcile.send_refunds(clock.now())
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    assert balance(AccountKind.BUYER_PREPAID) == 0
    check_laws()


def test_money_for_a_cancelled_order_is_given_back(shop: SandboxServer) -> None:
    placed = buy()
    session_id = opened(placed)
    lifecycle.cancel(order_of(placed))
    shop.pay(session_id)
    reconcile.ask_about_sessions(clock.now())
    assert order_of(placed).state is OrderState.CANCELLED
    assert [one.cause for one in refunds_of(placed)] == ["late"]
    assert lot_of(placed).promised == 0
    check_laws()


@pytest.mark.parametrize(
    ("extra", "cause", "state"),
    [
        (100, "overpaid", OrderState.CONFIRMED),
        (-100, "underpaid", OrderState.DUE),
    ],
)
def test_what_does_not_match_what_is_due_is_owed_back(
    shop: SandboxServer, extra: int, cause: str, state: OrderState
) -> None:
    placed = buy()
    paid = 2 * 5900 + extra
    record_capture(placed.payment_id or "", Captured(paid, clock.now(), "pi_x"))
    assert order_of(placed).state is state
    [refund] = refunds_of(placed)
    assert (refund.cause, refund.amount_fen) == (cause, extra if extra > 0 else paid)
    check_laws()


def paid_order(shop: SandboxServer, how: str = "success", units: int = 2) -> Placed:
    """An order that was paid by card; `how` says how its refunds go."""
    placed = buy(units)
    shop.pay(opened(placed), "card", how)
    checkout.ask(placed.payment_id or "")
    assert order_of(placed).state is OrderState.CONFIRMED
    return placed


def test_a_cancelled_order_gives_back_stock_and_money_once(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    lifecycle.cancel(order_of(placed))
    assert lot_of(placed).promised == 0
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    assert (refund.state, refund.amount_fen) == (RefundState.SUCCEEDED, 2 * 5900)
    assert balance(AccountKind.BUYER_PREPAID) == 0
    check_laws()


def give_one_back(placed: Placed, cause: str) -> None:
    """One unit short: its promise and its money go back."""
    with transaction() as session:
        order = lifecycle.lock_order(session, placed.order_id)
        [line] = order.lines
        if refund_line(line, 1, Money(line.price_fen), cause) is None:
            return
        if line.released == 0:
            lifecycle.give_back(line, 1)


def test_a_part_is_refunded_and_then_the_rest(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    give_one_back(placed, "short:1")
    lifecycle.cancel(order_of(placed))
    assert [one.amount_fen for one in refunds_of(placed)] == [5900, 5900]
    check_laws()


def test_the_same_cause_asked_for_twice_at_once_refunds_once(
    app: Flask, shop: SandboxServer
) -> None:
    placed = paid_order(shop)
    db.session.rollback()
    raised = in_threads(app, *[lambda: give_one_back(placed, "short:1")] * 4)
    assert raised == []
    assert [one.amount_fen for one in refunds_of(placed)] == [5900]
    sent = [lambda: reconcile.send_refunds(clock.now() + timedelta(days=1))] * 3
    db.session.rollback()
    in_threads(app, *sent)
    reconcile.send_refunds(clock.now() + timedelta(days=2))
    assert len(shop.client().v1.refunds.list().data) == 1
    assert [one.state for one in refunds_of(placed)] == [RefundState.SUCCEEDED]
    check_laws()


def test_more_than_the_line_took_is_refused(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    [line] = order_of(placed).lines
    with pytest.raises(Conflict) as refusal:
        refund_line(line, 2, Money(2 * 5900 + 1), "claim:1")
    assert refusal.value.code == "refund_too_large"
    assert refunds_of(placed) == []


def test_a_shortage_before_payment_reduces_what_is_due(shop: SandboxServer) -> None:
    placed = buy()
    old = opened(placed)
    give_one_back(placed, "short:1")
    give_one_back(placed, "short:1")
    assert payment_of(placed).amount_fen == 5900
    assert [one.state for one in refunds_of(placed)] == [RefundState.CUT]
    new = opened(placed)
    assert new != old
    assert shop.client().v1.checkout.sessions.retrieve(old).status == "expired"
    assert shop.client().v1.checkout.sessions.retrieve(new).amount_total == 5900


def test_a_refund_that_fails_later_is_a_debt_and_repaid_by_transfer(
    shop: SandboxServer, client: FlaskClient
) -> None:
    placed = paid_order(shop, "refund_fails")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    public_id = refund.public_id
    assert refund.state is RefundState.SUCCEEDED
    shop.settle_refunds()
    for event in reversed(events(shop)):
        assert deliver(client, event) == 200
    assert refunds_of(placed)[0].state is RefundState.DEBT
    assert balance(AccountKind.REFUNDS_OWED) == -2 * 5900
    staff = builders.account()
    repay_debt(public_id, staff.id, "BANK-1")
    repay_debt(public_id, staff.id, "BANK-1")
    with pytest.raises(Conflict):
        repay_debt(public_id, staff.id, "BANK-2")
    assert refunds_of(placed)[0].state is RefundState.REPAID
    assert balance(AccountKind.REFUNDS_OWED) == 0
    assert balance(AccountKind.TRANSFER_CLEARING) == -2 * 5900
    check_laws()


def test_past_a_wallets_window_the_refund_is_a_debt_at_once(shop: SandboxServer) -> None:
    placed = buy()
    shop.pay(opened(placed), "alipay")
    checkout.ask(placed.payment_id or "")
    reconcile.learn_charges()
    db.session.rollback()
    with clock.moved(timedelta(days=91)):
        lifecycle.cancel(order_of(placed))
    [refund] = refunds_of(placed)
    assert (refund.state, refund.failure) == (RefundState.DEBT, "window_over")
    check_laws()


def test_a_refund_that_stripe_refuses_is_a_debt(shop: SandboxServer) -> None:
    placed = buy()
    shop.pay(opened(placed), "wechat_pay")
    checkout.ask(placed.payment_id or "")
    lifecycle.cancel(order_of(placed))
    shop.advance_clock(181 * 86400)
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    assert (refund.state, refund.failure) == (RefundState.DEBT, "charge_not_refundable")


def test_a_refund_waits_while_stripe_is_away(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    shop.fail_next(path="/v1/refunds", status=503)
    reconcile.send_refunds(clock.now())
    assert refunds_of(placed)[0].state is RefundState.PENDING
    reconcile.send_refunds(clock.now() + timedelta(minutes=2))
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    check_laws()


def test_two_captures_at_once_are_one(app: Flask, shop: SandboxServer) -> None:
    placed = buy()
    captured = Captured(2 * 5900, clock.now(), "pi_once")
    raised = in_threads(app, *[lambda: record_capture(placed.payment_id or "", captured)] * 4)
    assert raised == []
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
        both_read.wait(10)
        return payment, orders

    monkeypatch.setattr(captures, "_lock", unlocked)
    in_threads(app, *[lambda: record_capture(placed.payment_id or "", captured)] * 2)
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

        assert in_threads(app, pay, pass_time) == []
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


def test_an_unknown_payment_is_not_found(shop: SandboxServer) -> None:
    with pytest.raises(NotFound):
        record_capture("nothing", Captured(1, clock.now()))


def test_no_call_to_stripe_happens_in_a_transaction(shop: SandboxServer) -> None:
    with transaction(), pytest.raises(RuntimeError, match="transaction"):
        gateway.session("cs_x")
