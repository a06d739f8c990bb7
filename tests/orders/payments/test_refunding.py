"""Money back: once, by the way it came, or as a debt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict
from kernel.identity import Role
from kernel.ledger import AccountKind
from kernel.money import Money
from marketplace import check
from orders import lifecycle
from orders.model import (
    OrderState,
    PaymentMethod,
    Refund,
    RefundState,
)
from orders.payments import checkout, gateway, reconcile
from orders.payments.actions import (
    confirm_transfer,
    refund_line,
    repay_debt,
    take_back,
)
from orders.payments.refunds import LOST
from orders.placing import Placed
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    buy,
    check_laws,
    deliver,
    events,
    give_one_back,
    lot_of,
    opened,
    order_of,
    paid_order,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer
from tests.visitors import Visitor


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
    at_once(app, *[lambda: give_one_back(placed, "short:1")] * 4)
    assert [one.amount_fen for one in refunds_of(placed)] == [5900]
    sent = [lambda: reconcile.send_refunds(clock.now() + timedelta(days=1))] * 3
    db.session.rollback()
    at_once(app, *sent)
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
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = paid_order(shop, "refund_fails")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    public_id = refund.public_id
    assert refund.state is RefundState.SUCCEEDED
    shop.settle_refunds()
    for event in reversed(events(shop)):
        assert deliver(caller, event) == 200
    assert refunds_of(placed)[0].state is RefundState.DEBT
    assert balance(AccountKind.REFUNDS_OWED) == -2 * 5900
    staff = builders.account()
    repay_debt(public_id, staff.id, "BANK-1")
    repay_debt(public_id, staff.id, "\u202eＢＡＮＫ-1\u200b")
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
    reconcile.learn_charges(clock.now())
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


def call(refund: Refund, provider_id: str) -> None:
    """Let a refund of ours stand under another name at Stripe."""
    with transaction() as session:
        session.merge(refund).provider_id = provider_id


def test_a_refund_on_its_way_is_no_debt_because_stripe_cannot_tell_of_it(
    shop: SandboxServer,
) -> None:
    placed = paid_order(shop, "refund_pending")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    sent = refund.provider_id or ""
    # As for a key of another account: paid by transfer too, it would go back twice.
    call(refund, "re_unknown")
    reconcile.send_refunds(clock.now() + timedelta(hours=1))
    assert refunds_of(placed)[0].state is RefundState.PENDING
    shop.settle_refunds()
    call(refund, sent)
    reconcile.send_refunds(clock.now() + timedelta(hours=2))
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    check_laws()


def lost_refund(shop: SandboxServer) -> Placed:
    """A cancelled order whose refund was sent, and of which Stripe knows nothing since."""
    placed = paid_order(shop, "refund_pending")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    [refund] = refunds_of(placed)
    call(refund, "re_unknown")
    for days, state in ((29, RefundState.PENDING), (33, RefundState.DEBT)):
        with clock.moved(timedelta(days=days)):
            reconcile.send_refunds(clock.now())
        assert refunds_of(placed)[0].state is state
    assert refunds_of(placed)[0].failure == LOST
    check_laws()
    return placed


def test_a_refund_that_stripe_does_not_know_after_a_month_is_repaid_by_transfer(
    shop: SandboxServer,
) -> None:
    placed = lost_refund(shop)
    repay_debt(refunds_of(placed)[0].public_id, builders.account().id, "BANK-1")
    assert refunds_of(placed)[0].state is RefundState.REPAID
    assert balance(AccountKind.REFUNDS_OWED) == 0
    assert balance(AccountKind.TRANSFER_CLEARING) == -2 * 5900
    check_laws()


def test_a_refund_that_was_lost_and_went_back_after_all_is_no_debt(shop: SandboxServer) -> None:
    placed = lost_refund(shop)
    [refund] = refunds_of(placed)
    reconcile.record_refund(refund.public_id, gateway.ProviderRefund("re_9", "succeeded", ""))
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    assert balance(AccountKind.REFUNDS_OWED) == 0
    check_laws()
    with pytest.raises(Conflict):
        repay_debt(refund.public_id, builders.account().id, "BANK-1")


def given_twice(shop: SandboxServer) -> Refund:
    """A refund that was lost, repaid by transfer, and that Stripe then gave back after all."""
    placed = lost_refund(shop)
    [refund] = refunds_of(placed)
    repay_debt(refund.public_id, builders.account().id, "BANK-1")
    told = gateway.ProviderRefund("re_9", "succeeded", "")
    for _ in range(2):
        reconcile.record_refund(refund.public_id, told)
    [refund] = refunds_of(placed)
    return refund


def fail(refund: Refund, why: str) -> None:
    """Stripe says, also when it is asked, that the money of a refund came back to it."""
    told = gateway.ProviderRefund("re_9", "failed", why)
    db.session.rollback()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "refund_now", lambda _provider_id: told)
        reconcile.record_refund(refund.public_id, told)


def test_a_lost_refund_that_went_back_after_it_was_repaid_went_out_twice(
    app: Flask, shop: SandboxServer
) -> None:
    refund = given_twice(shop)
    assert balance(AccountKind.REFUNDED_TWICE) == 2 * 5900
    assert balance(AccountKind.PROVIDER_CLEARING) == balance(AccountKind.REFUNDS_OWED) == 0
    assert_laws_hold()
    [waiting] = [one for one in check.examine(check.WAITING) if one.law.name == "refunded-twice"]
    assert waiting.faults == [f"refund {refund.public_id}: 11800 fen too much"]
    staff = Visitor(app, app.response_class, use_cookies=True)
    staff.enter(builders.account(Role.STAFF).login)
    assert "退了两次" in staff.page("/staff/refunds")


def test_what_went_out_twice_is_sent_back_by_the_buyer_and_may_then_fail_at_stripe(
    shop: SandboxServer,
) -> None:
    refund, staff = given_twice(shop), builders.account()
    with pytest.raises(Conflict):
        repay_debt(refund.public_id, staff.id, "BANK-2")
    for _ in range(2):
        take_back(refund.public_id, staff.id, "BANK-2")
    assert balance(AccountKind.REFUNDED_TWICE) == balance(AccountKind.TRANSFER_CLEARING) == 0
    assert_laws_hold()
    fail(refund, "lost_or_stolen_card")
    assert balance(AccountKind.REFUNDS_OWED) == -2 * 5900
    repay_debt(refund.public_id, staff.id, "BANK-3")
    assert balance(AccountKind.TRANSFER_CLEARING) == -2 * 5900
    assert_laws_hold()


def test_what_went_out_twice_and_came_back_to_stripe_went_out_once(shop: SandboxServer) -> None:
    refund = given_twice(shop)
    fail(refund, "expired_or_canceled_card")
    db.session.expire_all()
    assert refund.state is RefundState.REPAID
    assert balance(AccountKind.REFUNDED_TWICE) == balance(AccountKind.REFUNDS_OWED) == 0
    with pytest.raises(Conflict):
        take_back(refund.public_id, builders.account().id, "BANK-2")
    assert_laws_hold()


def test_a_lost_refund_that_failed_and_was_repaid_did_not_go_out_by_older_news(
    shop: SandboxServer,
) -> None:
    placed = lost_refund(shop)
    [refund] = refunds_of(placed)
    repay_debt(refund.public_id, builders.account().id, "BANK-1")
    for status in ("failed", "succeeded"):
        told = gateway.ProviderRefund("re_9", status, "")
        reconcile.record_refund(refund.public_id, told)
    assert refunds_of(placed)[0].state is RefundState.REPAID
    assert balance(AccountKind.REFUNDED_TWICE) == 0
    assert_laws_hold()


def test_a_refund_waits_while_stripe_is_away(shop: SandboxServer) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    shop.fail_next(path="/v1/refunds", status=503)
    reconcile.send_refunds(clock.now())
    assert refunds_of(placed)[0].state is RefundState.PENDING
    reconcile.send_refunds(clock.now() + timedelta(minutes=2))
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    check_laws()


def cheap(units: int) -> Placed:
    """An order of so many eggs at ¥1.50."""
    seller = builders.seller()
    return buy(units, offer=builders.offer(builders.lot(builders.product(seller)), price_fen=150))


def test_what_is_left_below_stripes_minimum_is_paid_by_transfer(shop: SandboxServer) -> None:
    placed = cheap(3)
    old = opened(placed)
    give_one_back(placed, "short:1")
    payment = payment_of(placed)
    assert (payment.method, payment.amount_fen) == (PaymentMethod.TRANSFER, 300)
    assert payment.transfer_code
    assert payment.expires_at is not None
    assert payment.expires_at == order_of(placed).expires_at
    assert payment.expires_at > clock.now() + timedelta(days=4)
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert shop.client().v1.checkout.sessions.retrieve(old).status == "expired"
    confirm_transfer(placed.payment_id or "", builders.account().id, 300)
    assert order_of(placed).state is OrderState.CONFIRMED
    assert_laws_hold()


def test_what_was_paid_on_a_page_that_was_still_open_came_through_stripe(
    shop: SandboxServer,
) -> None:
    placed = cheap(3)
    shop.pay(opened(placed))
    give_one_back(placed, "short:1")
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert (payment_of(placed).method, payment_of(placed).captured_fen) == (
        PaymentMethod.STRIPE,
        450,
    )
    assert [one.cause for one in refunds_of(placed)] == ["short:1", "overpaid"]
    assert order_of(placed).state is OrderState.CONFIRMED
    assert_laws_hold()
