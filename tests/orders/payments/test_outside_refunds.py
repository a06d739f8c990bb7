"""Refunds that somebody made in Stripe's own pages: recorded once, whatever tells of them."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict
from kernel.identity import Role
from kernel.ledger import AccountKind
from marketplace.report import agreement
from marketplace.report import queries as report
from marketplace.report.periods import between
from orders import jobs, lifecycle
from orders.model import OrderState, Refund, RefundState, WebhookEvent
from orders.payments import checkout, gateway, news, queries, reconcile
from orders.payments.actions import repay_debt
from orders.placing import Buyer, Placed
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    buy,
    deliver,
    events,
    give_one_back,
    opened,
    order_of,
    paid_order,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer
from tests.visitors import Visitor

PRICE_FEN = 5900
PAID_FEN = 2 * PRICE_FEN
ABOUT = ("refund.", "charge.refund")


def give_back(shop: SandboxServer, placed: Placed, fen: int | None = None) -> Any:
    """Somebody gives money back in Stripe's own pages; all that is left without `fen`."""
    asked: Any = {"payment_intent": payment_of(placed).intent_id}
    if fen is not None:
        asked["amount"] = fen
    return shop.client().v1.refunds.create(asked)


def news_of(shop: SandboxServer) -> list[dict[str, Any]]:
    """All events about refunds, the oldest first."""
    return [one for one in events(shop) if one["type"].startswith(ABOUT)]


def states(placed: Placed) -> list[tuple[RefundState, int]]:
    """How an order's refunds stand, and their amounts."""
    return [(one.state, one.amount_fen) for one in refunds_of(placed)]


def tell_all(caller: FlaskClient, shop: SandboxServer) -> None:
    """Every event about refunds comes, in its order."""
    for event in news_of(shop):
        assert deliver(caller, event) == 200


def test_a_refund_made_in_stripes_pages_is_recorded_once_whatever_comes_first(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    kinds = ("refund.created", "charge.refunded")
    for turn in itertools.permutations(kinds):
        before = balance(AccountKind.PROVIDER_CLEARING)
        placed = paid_order(shop)
        seen = {one["id"] for one in events(shop)}
        give_back(shop, placed, 1000)
        fresh = {one["type"]: one for one in events(shop) if one["id"] not in seen}
        for kind in [*turn, *turn]:
            assert deliver(caller, fresh[kind]) == 200
        assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
        assert payment_of(placed).refunded_fen == 1000
        assert balance(AccountKind.PROVIDER_CLEARING) - before == PAID_FEN - 1000
        assert_laws_hold()
    assert balance(AccountKind.REFUNDS_OWED) == 0


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refunded"])
def test_any_one_of_its_events_is_enough(
    shop: SandboxServer, caller: FlaskClient, kind: str
) -> None:
    placed = paid_order(shop, "refund_pending")
    made = give_back(shop, placed, 1000)
    shop.settle_refund(made.id, "succeeded")
    [told] = [one for one in events(shop) if one["type"] == kind]
    assert deliver(caller, told) == 200
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
    assert_laws_hold()


@pytest.mark.parametrize("method", ["card", "alipay"])
@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_news_of_it_in_any_order_and_number_end_in_one_state(
    app: Flask, shop: SandboxServer, caller: FlaskClient, method: str, end: str
) -> None:
    @settings(
        max_examples=5,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data(), early=st.booleans())
    def however_it_comes(data: st.DataObject, early: bool) -> None:
        """`early`: some news come before it is known how it ended, or that it was paid."""
        placed = buy()
        session_id, seen = opened(placed), {one["id"] for one in events(shop)}
        shop.pay(session_id, method, "refund_fails" if method == "card" else "success")
        if not early:
            checkout.ask(placed.payment_id or "")
        intent_id = shop.client().v1.checkout.sessions.retrieve(session_id).payment_intent
        made = shop.client().v1.refunds.create({"payment_intent": str(intent_id), "amount": 1000})
        if made.status != end:
            shop.settle_refund(made.id, end)
        fresh = [one for one in events(shop) if one["id"] not in seen]
        for event in data.draw(st.permutations(fresh * 2)):
            assert deliver(caller, event) == 200
        with clock.moved(timedelta(minutes=2)):
            reconcile.learn_charges(clock.now())
            reconcile.send_refunds(clock.now())
        final = RefundState.SUCCEEDED if end == "succeeded" else RefundState.DEBT
        assert states(placed) == [(final, 1000)]
        assert_laws_hold()

    however_it_comes()


def test_it_is_found_in_stripes_own_list_when_no_webhook_comes(shop: SandboxServer) -> None:
    placed, other = paid_order(shop), paid_order(shop)
    made = give_back(shop, placed, 1000)
    while news.look_for_missed(clock.now()):
        continue
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
    assert refunds_of(placed)[0].provider_id == made.id
    give_back(shop, other)
    with clock.moved(timedelta(minutes=5)):
        assert not news.look_for_missed(clock.now())
        assert not news.look_for_missed(clock.now())
    assert states(other) == [(RefundState.SUCCEEDED, PAID_FEN)]
    assert_laws_hold()


def test_the_look_begins_where_it_ended_however_long_ago(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    assert [news.look_for_missed(clock.now()) for _ in range(2)] == [True, True]
    while news.look_for_missed(clock.now()):
        continue
    give_back(shop, placed, 1000)
    with clock.moved(timedelta(days=9)):
        rounds = 0
        while news.look_for_missed(clock.now()):
            rounds += 1
    assert rounds >= 8
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]


def test_a_look_that_stripe_does_not_answer_is_made_again(shop: SandboxServer) -> None:
    while news.look_for_missed(clock.now()):
        continue
    placed = paid_order(shop)
    give_back(shop, placed, 1000)
    for path in ("/v1/events", "/v1/refunds"):
        shop.fail_next(path=path, status=503)
        with pytest.raises(gateway.StripeBusy):
            news.look_for_missed(clock.now())
    assert refunds_of(placed) == []
    news.look_for_missed(clock.now())
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]


def test_it_is_found_when_its_news_came_before_those_of_the_payment(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id)
    intent = str(shop.client().v1.checkout.sessions.retrieve(session_id).payment_intent)
    shop.client().v1.refunds.create({"payment_intent": intent, "amount": 1000})
    tell_all(caller, shop)
    assert refunds_of(placed) == []
    checkout.ask(placed.payment_id or "")
    reconcile.learn_charges(clock.now())
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
    assert_laws_hold()


def test_told_many_times_at_once_it_is_one(app: Flask, shop: SandboxServer) -> None:
    placed = paid_order(shop)
    made = give_back(shop, placed, 1000)
    db.session.rollback()
    told = gateway.refund_now(made.id)
    at_once(app, *[lambda: reconcile.record_told(told)] * 3)
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
    assert_laws_hold()


def test_what_all_went_back_there_is_not_given_back_again(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    give_back(shop, placed)
    tell_all(caller, shop)
    give_one_back(placed, "short:1")
    lifecycle.cancel(order_of(placed))
    assert order_of(placed).state is OrderState.CANCELLED
    assert sorted(states(placed)) == [(RefundState.SUCCEEDED, PRICE_FEN)] * 2
    assert {one.line_id for one in refunds_of(placed)} == {order_of(placed).lines[0].id}
    assert [one.cause for one in refunds_of(placed)] == ["cancel", "short:1"]
    assert balance(AccountKind.BUYER_PREPAID) == balance(AccountKind.REFUNDS_OWED) == 0
    assert reconcile.send_refunds(clock.now()) == 0
    assert_laws_hold()
    assert agrees()


def test_what_went_back_there_in_part_leaves_the_rest_to_be_given_back(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    give_back(shop, placed, 1000)
    tell_all(caller, shop)
    lifecycle.cancel(order_of(placed))
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    assert sorted(states(placed)) == [
        (RefundState.SUCCEEDED, 1000),
        (RefundState.SUCCEEDED, PAID_FEN - 1000),
    ]
    assert shop.client().v1.balance_transactions.list({"type": "refund"}).data[0].amount == -10_800
    assert_laws_hold()
    assert agrees()


def agrees() -> bool:
    """Whether the ledger says the same as the lines, over everything there is."""
    period = between(clock.today(), clock.today())
    return agreement.agrees(period, report.by_channel(period).total)


def failed(shop: SandboxServer, caller: FlaskClient) -> Placed:
    """A cancelled order whose refund failed at Stripe: a debt."""
    placed = paid_order(shop, "refund_fails")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    shop.settle_refunds()
    tell_all(caller, shop)
    assert states(placed) == [(RefundState.DEBT, PAID_FEN)]
    return placed


def test_a_debt_that_was_given_back_there_is_no_debt(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    old = news_of(shop)
    give_back(shop, placed)
    tell_all(caller, shop)
    for event in old:
        assert deliver(caller, event) == 200
    assert states(placed) == [(RefundState.SUCCEEDED, PAID_FEN)]
    assert balance(AccountKind.REFUNDS_OWED) == 0
    with pytest.raises(Conflict):
        repay_debt(refunds_of(placed)[0].public_id, builders.account().id, "BANK-1")
    assert_laws_hold()


def test_as_much_as_a_debt_is_that_debt_and_not_one_more_refund(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop, "refund_fails")
    give_one_back(placed, "short:1")
    reconcile.send_refunds(clock.now())
    shop.settle_refunds()
    tell_all(caller, shop)
    assert states(placed) == [(RefundState.DEBT, PRICE_FEN)]
    give_back(shop, placed, PRICE_FEN)
    tell_all(caller, shop)
    assert states(placed) == [(RefundState.SUCCEEDED, PRICE_FEN)]
    assert payment_of(placed).refunded_fen == PRICE_FEN
    assert_laws_hold()


def test_a_debt_of_which_a_part_was_given_back_there_is_the_rest(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    give_back(shop, placed, 1000)
    for _ in range(2):
        tell_all(caller, shop)
    assert sorted(states(placed)) == [
        (RefundState.DEBT, PAID_FEN - 1000),
        (RefundState.SUCCEEDED, 1000),
    ]
    assert balance(AccountKind.REFUNDS_OWED) == -(PAID_FEN - 1000)
    assert_laws_hold()
    assert agrees()


def test_a_debt_that_was_repaid_and_given_back_there_went_out_twice(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    repay_debt(refunds_of(placed)[0].public_id, builders.account().id, "BANK-1")
    give_back(shop, placed, 1000)
    tell_all(caller, shop)
    assert sorted(states(placed)) == [
        (RefundState.REPAID, PAID_FEN - 1000),
        (RefundState.TWICE, 1000),
    ]
    assert balance(AccountKind.REFUNDED_TWICE) == 1000
    assert balance(AccountKind.TRANSFER_CLEARING) == -PAID_FEN
    assert_laws_hold()


def test_a_refund_of_ours_that_has_no_room_any_more_has_gone_back_there(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    give_back(shop, placed)
    [told] = [one for one in news_of(shop) if one["type"] == "refund.created"]
    assert deliver(caller, told) == 409  # ours is not answered yet
    assert states(placed) == [(RefundState.PENDING, PAID_FEN)]
    reconcile.send_refunds(clock.now())
    assert states(placed) == [(RefundState.SUCCEEDED, PAID_FEN)]
    assert deliver(caller, told) == 200
    assert_laws_hold()


def test_news_that_come_too_early_are_looked_for_again(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    give_back(shop, placed)
    while news.look_for_missed(clock.now()):
        continue
    assert states(placed) == [(RefundState.PENDING, PAID_FEN)]
    with transaction() as session:
        [refund] = session.scalars(select(Refund))
        refund.state, refund.failure = RefundState.DEBT, "charge_not_refundable"
    with clock.moved(timedelta(hours=1)):
        news.look_for_missed(clock.now())
    assert states(placed) == [(RefundState.SUCCEEDED, PAID_FEN)]


def test_a_refund_of_a_second_capture_made_there_is_the_one_that_we_owe(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    first = opened(placed)
    with transaction() as session:
        session.merge(payment_of(placed)).session_url = None
    second = opened(placed)
    for page in (first, second):
        shop.pay(page)
    for event in events(shop):
        assert deliver(caller, event) == 200
    [owed] = refunds_of(placed)
    shop.client().v1.refunds.create({"payment_intent": owed.intent_id or ""})
    reconcile.send_refunds(clock.now())
    tell_all(caller, shop)
    assert states(placed) == [(RefundState.SUCCEEDED, PAID_FEN)]
    assert order_of(placed).state is OrderState.CONFIRMED
    reconcile.learn_charges(clock.now())
    assert_laws_hold()


def test_a_refund_of_what_is_not_ours_changes_nothing(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    give_back(shop, placed, 1000)
    for event in news_of(shop):
        event["data"]["object"]["payment_intent"] = "pi_of_another"
        assert deliver(caller, event) == 200
    assert refunds_of(placed) == []
    with transaction() as session:
        session.execute(delete(WebhookEvent))


def test_buyer_and_staff_read_what_was_given_back_there(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    buyer = builders.account()
    placed = buy(buyer=Buyer(buyer.id, ""))
    shop.pay(opened(placed))
    checkout.ask(placed.payment_id or "")
    give_back(shop, placed, 1000)
    tell_all(caller, shop)
    reader = Visitor(app, app.response_class, use_cookies=True)
    reader.enter(buyer.login)
    page = reader.page(f"/orders/{order_of(placed).number}")
    assert "平台在支付后台退的" in page
    assert re.sub(r"<[^>]+>", "", page).count("108.00") == 1
    staff = Visitor(app, app.response_class, use_cookies=True)
    staff.enter(builders.account(Role.STAFF).login)
    assert "不是这里退的" in staff.page("/staff/refunds")
    with clock.moved(queries.KEPT + timedelta(days=1)):
        assert list(queries.open_refunds()) == []
    db.session.rollback()


def test_the_job_that_looks_for_missed_news_waits_while_stripe_is_away(
    shop: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    placed = paid_order(shop)
    give_back(shop, placed, 1000)
    shop.fail_next(path="/v1/events", status=503)
    jobs.look_for_missed(timestamp=0)
    assert "stripe_silent" in [record.message for record in caplog.records]
    jobs.look_for_missed(timestamp=0)
    assert states(placed) == [(RefundState.SUCCEEDED, 1000)]
