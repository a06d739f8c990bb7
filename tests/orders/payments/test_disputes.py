"""Chargebacks: what a bank took is in the books, and what was lost has gone back to the buyer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from kernel import clock
from kernel.db import db
from kernel.identity import Role
from kernel.ledger import AccountKind
from marketplace import check
from orders import lifecycle
from orders.model import Dispute, OrderState, RefundState
from orders.payments import checkout, news, reconcile
from orders.payments.actions import repay_debt
from orders.payments.sandbox.config import DISPUTE_FEE_FEN
from orders.placing import Buyer, Placed
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    buy,
    deliver,
    events,
    opened,
    order_of,
    paid_order,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer
from tests.visitors import Visitor

PAID_FEN = 2 * 5900


def disputed(shop: SandboxServer, placed: Placed, **asked: Any) -> str:
    """The bank disputes what an order paid; its id at Stripe."""
    return str(shop.dispute(payment_of(placed).intent_id or "", **asked)["id"])


def tell_all(caller: FlaskClient, shop: SandboxServer) -> None:
    """Every event about chargebacks comes, in its order."""
    for event in events(shop):
        if event["type"].startswith("charge.dispute"):
            assert deliver(caller, event) == 200


def the() -> Dispute:
    """The only dispute, as the database has it."""
    db.session.rollback()
    return db.session.scalars(select(Dispute)).one()


def books() -> dict[str, int]:
    """What the accounts hold that a chargeback moves."""
    kinds = (
        AccountKind.PROVIDER_CLEARING,
        AccountKind.CHARGED_BACK,
        AccountKind.PROVIDER_FEES,
        AccountKind.BUYER_PREPAID,
        AccountKind.REFUNDS_OWED,
    )
    return {kind.value: balance(kind) for kind in kinds if balance(kind)}


def test_what_a_bank_takes_has_left_until_it_is_decided(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    disputed(shop, placed)
    for _ in range(2):
        tell_all(caller, shop)
    assert books() == {
        "provider_clearing": -DISPUTE_FEE_FEN,
        "charged_back": PAID_FEN,
        "provider_fees": DISPUTE_FEE_FEN,
        "buyer_prepaid": -PAID_FEN,
    }
    assert (the().status, the().withdrawn_fen, the().fee_fen) == (
        "needs_response",
        PAID_FEN,
        DISPUTE_FEE_FEN,
    )
    assert order_of(placed).state is OrderState.CONFIRMED
    assert_laws_hold()
    [waiting] = [one for one in check.examine(check.WAITING) if one.law.name == "disputes-open"]
    assert len(waiting.faults) == 1


def test_what_is_won_comes_back_without_the_fee(shop: SandboxServer, caller: FlaskClient) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed), "won")
    tell_all(caller, shop)
    assert books() == {
        "provider_clearing": PAID_FEN - DISPUTE_FEE_FEN,
        "provider_fees": DISPUTE_FEE_FEN,
        "buyer_prepaid": -PAID_FEN,
    }
    assert (the().status, the().withdrawn_fen) == ("won", 0)
    assert refunds_of(placed) == []
    assert_laws_hold()


def test_what_is_lost_has_gone_back_to_the_buyer_and_does_not_go_again(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed), "lost")
    for _ in range(2):
        tell_all(caller, shop)
    lost = {"provider_clearing": -DISPUTE_FEE_FEN, "provider_fees": DISPUTE_FEE_FEN}
    assert books() == lost
    [refund] = refunds_of(placed)
    assert (refund.state, refund.amount_fen) == (RefundState.SUCCEEDED, PAID_FEN)
    assert payment_of(placed).refunded_fen == PAID_FEN
    assert_laws_hold()
    lifecycle.cancel(order_of(placed))
    assert reconcile.send_refunds(clock.now()) == 0
    assert len(refunds_of(placed)) == 1
    assert books() == lost
    assert_laws_hold()


def test_a_part_that_is_lost_leaves_the_rest(shop: SandboxServer, caller: FlaskClient) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed, amount=1000), "lost")
    tell_all(caller, shop)
    assert [one.amount_fen for one in refunds_of(placed)] == [1000]
    assert books()["buyer_prepaid"] == -(PAID_FEN - 1000)
    assert_laws_hold()


def test_a_question_of_the_bank_moves_no_money(shop: SandboxServer, caller: FlaskClient) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed, inquiry=True), "warning_closed")
    tell_all(caller, shop)
    assert books() == {"provider_clearing": PAID_FEN, "buyer_prepaid": -PAID_FEN}
    assert the().is_over
    assert_laws_hold()


def owed(shop: SandboxServer, caller: FlaskClient) -> tuple[Placed, str]:
    """An order that was disputed, then cancelled: Stripe gives nothing back meanwhile."""
    placed = paid_order(shop)
    dispute_id = disputed(shop, placed)
    tell_all(caller, shop)
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    assert (refund.state, refund.failure) == (RefundState.DEBT, "charge_disputed")
    return placed, dispute_id


def test_what_we_owed_is_owed_no_more_once_it_is_lost(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed, dispute_id = owed(shop, caller)
    shop.close_dispute(dispute_id, "lost")
    tell_all(caller, shop)
    [refund] = refunds_of(placed)
    assert (refund.state, refund.cause) == (RefundState.SUCCEEDED, "cancel")
    assert "refunds_owed" not in books()
    assert "charged_back" not in books()
    assert_laws_hold()


def test_what_we_owed_and_transferred_went_out_twice_once_it_is_lost(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed, dispute_id = owed(shop, caller)
    repay_debt(refunds_of(placed)[0].public_id, builders.account().id, "BANK-1")
    shop.close_dispute(dispute_id, "lost")
    tell_all(caller, shop)
    assert refunds_of(placed)[0].state is RefundState.TWICE
    assert balance(AccountKind.REFUNDED_TWICE) == PAID_FEN
    assert "charged_back" not in books()
    assert_laws_hold()


def test_one_that_is_lost_is_found_in_stripes_own_list(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed), "lost")
    while news.look_for_missed(clock.now()):
        continue
    assert [one.amount_fen for one in refunds_of(placed)] == [PAID_FEN]
    assert_laws_hold()


def test_one_whose_news_came_before_those_of_the_payment_is_found(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id)
    intent = shop.client().v1.checkout.sessions.retrieve(session_id).payment_intent
    shop.dispute(str(intent))
    tell_all(caller, shop)
    checkout.ask(placed.payment_id or "")
    reconcile.learn_charges(clock.now())
    assert the().withdrawn_fen == PAID_FEN
    assert_laws_hold()


def test_told_many_times_at_once_it_is_one(app: Flask, shop: SandboxServer) -> None:
    placed = paid_order(shop)
    shop.close_dispute(disputed(shop, placed), "lost")
    told = [one for one in events(shop) if one["type"].startswith("charge.dispute")]
    db.session.rollback()
    at_once(app, *[news.read(one) for one in told])
    assert [one.amount_fen for one in refunds_of(placed)] == [PAID_FEN]
    assert the().withdrawn_fen == PAID_FEN
    assert_laws_hold()


def test_one_about_nothing_of_ours_changes_nothing(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop)
    disputed(shop, placed)
    for event in events(shop):
        if event["type"].startswith("charge.dispute"):
            event["data"]["object"]["payment_intent"] = "pi_of_another"
            assert deliver(caller, event) == 200
    assert db.session.scalars(select(Dispute)).all() == []


@pytest.mark.parametrize("end", ["won", "lost"])
def test_its_news_in_any_order_and_number_end_in_one_state(
    shop: SandboxServer, caller: FlaskClient, end: str
) -> None:
    @settings(
        max_examples=5,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def however_it_comes(data: st.DataObject) -> None:
        before = {kind: balance(kind) for kind in (AccountKind.CHARGED_BACK,)}
        seen = {one["id"] for one in events(shop)}
        placed = paid_order(shop)
        dispute_id = disputed(shop, placed, amount=1000)
        shop.close_dispute(dispute_id, end)
        fresh = [one for one in events(shop) if one["id"] not in seen]
        for event in data.draw(st.permutations(fresh * 2)):
            assert deliver(caller, event) == 200
        db.session.rollback()
        kept = db.session.scalars(select(Dispute).where(Dispute.provider_id == dispute_id)).one()
        assert (kept.status, kept.fee_fen) == (end, DISPUTE_FEE_FEN)
        assert kept.withdrawn_fen == (1000 if end == "lost" else 0)
        assert [one.amount_fen for one in refunds_of(placed)] == ([1000] if end == "lost" else [])
        assert {kind: balance(kind) for kind in before} == before
        assert_laws_hold()

    however_it_comes()


def test_buyer_and_staff_read_how_it_stands_and_what_to_do(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    buyer = builders.account()
    placed = buy(buyer=Buyer(buyer.id, ""))
    shop.pay(opened(placed))
    checkout.ask(placed.payment_id or "")
    dispute_id = disputed(shop, placed)
    tell_all(caller, shop)
    staff = Visitor(app, app.response_class, use_cookies=True)
    staff.enter(builders.account(Role.STAFF).login)
    page = staff.page("/staff/refunds")
    assert "等我们回应" in page
    assert order_of(placed).number in page
    shop.close_dispute(dispute_id, "lost")
    tell_all(caller, shop)
    assert "判给了买家" in staff.page("/staff/refunds")
    reader = Visitor(app, app.response_class, use_cookies=True)
    reader.enter(buyer.login)
    assert "银行按拒付退的" in reader.page(f"/orders/{order_of(placed).number}")
    with clock.moved(timedelta(days=31)):
        staff.enter(builders.account(Role.STAFF).login)
        assert "判给了买家" not in staff.page("/staff/refunds")
