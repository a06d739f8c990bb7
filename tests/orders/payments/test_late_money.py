"""Orders that were not paid in time, and money that came late, or not as it was due."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid
from kernel.identity import Role
from kernel.ledger import AccountKind
from orders import lifecycle
from orders.actions.closing import close_due_rounds, close_group_order
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    PayMode,
    Refund,
    RefundState,
    Round,
)
from orders.payments import checkout, queries, reconcile
from orders.payments.actions import (
    Captured,
    confirm_transfer,
    record_capture,
    record_transfer_again,
    repay_debt,
    submit_proof,
)
from orders.payments.sandbox.config import fee_fen
from orders.placing import Placed, place
from sellers.model import BuyerTake
from tests import builders
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair, official, promised
from tests.orders.harvest_builders import PRICE_FEN, closed_round, pay
from tests.orders.payments.money_in import (
    BACK,
    balance,
    buy,
    check_laws,
    deliver,
    events,
    lapse,
    lot_of,
    opened,
    order_of,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer

PROOF = b"%PDF-1.4 proof startxref 0 %%EOF"


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


def second_page(placed: Placed, first: str) -> str:
    """Open another session while the first can still be paid, as after a lost word of its end."""
    with transaction() as session:
        payment = session.scalars(
            select(Payment).where(Payment.public_id == placed.payment_id)
        ).one()
        payment.session_url = None
    second = opened(placed)
    assert second != first
    return second


def test_a_second_capture_goes_back_whole_however_often_it_is_told(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    first = opened(placed)
    second = second_page(placed, first)
    shop.pay(first)
    shop.pay(second)
    for event in [*events(shop), *events(shop)]:
        assert deliver(caller, event) == 200
    payment = payment_of(placed)
    assert (payment.amount_fen, payment.captured_fen) == (11_800, 23_600)
    [refund] = refunds_of(placed)
    assert refund.amount_fen == payment.refunded_fen == 11_800
    assert refund.intent_id not in (None, payment.intent_id)
    assert order_of(placed).state is OrderState.CONFIRMED
    assert_laws_hold()
    reconcile.send_refunds(clock.now())
    [told] = shop.client().v1.refunds.list().data
    assert (told.payment_intent, told.amount) == (refund.intent_id, 11_800)
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    kept = fee_fen("card", 11_800)
    assert balance(AccountKind.PROVIDER_CLEARING) == 11_800 - kept
    assert_laws_hold()
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    assert {one.intent_id for one in refunds_of(placed)} == {None, refund.intent_id}
    assert balance(AccountKind.PROVIDER_CLEARING) == -kept
    assert balance(AccountKind.BUYER_PREPAID) == 0
    assert_laws_hold()


def test_what_stripe_keeps_of_each_of_two_captures_is_booked_once(shop: SandboxServer) -> None:
    placed = buy()
    first = opened(placed)
    second = second_page(placed, first)
    shop.pay(first)
    shop.pay(second)
    for told in (first, second):
        intent_id = str(shop.client().v1.checkout.sessions.retrieve(told).payment_intent)
        record_capture(placed.payment_id or "", Captured(11_800, clock.now(), intent_id))
    shop.fail_next(path="/v1/refunds", status=503)
    for minutes in (0, 2):
        reconcile.send_refunds(clock.now() + timedelta(minutes=minutes))
    assert refunds_of(placed)[0].state is RefundState.SUCCEEDED
    reconcile.learn_charges(clock.now())
    kept = 2 * fee_fen("card", 11_800)
    assert balance(AccountKind.PROVIDER_FEES) == payment_of(placed).fee_fen == kept
    assert balance(AccountKind.PROVIDER_CLEARING) == 11_800 - kept
    assert_laws_hold()


def test_a_second_capture_told_twice_at_once_goes_back_once(
    app: Flask, shop: SandboxServer
) -> None:
    placed = buy()
    pid = placed.payment_id or ""
    record_capture(pid, Captured(11_800, clock.now(), "pi_first"))
    again = Captured(11_800, clock.now(), "pi_second")
    at_once(app, *[lambda: record_capture(pid, again)] * 3)
    assert [one.amount_fen for one in refunds_of(placed)] == [11_800]
    assert payment_of(placed).captured_fen == 23_600
    assert_laws_hold()


def test_what_stripe_takes_for_a_payment_that_a_transfer_paid_goes_back_through_stripe(
    shop: SandboxServer,
) -> None:
    placed = buy(method=PaymentMethod.TRANSFER)
    confirm_transfer(placed.payment_id or "", builders.account().id)
    record_capture(placed.payment_id or "", Captured(11_800, clock.now(), "pi_late"))
    [refund] = refunds_of(placed)
    assert (refund.state, refund.intent_id) == (RefundState.PENDING, "pi_late")
    assert balance(AccountKind.PROVIDER_CLEARING) == balance(AccountKind.TRANSFER_CLEARING)
    assert_laws_hold()


def paid_by_transfer() -> Placed:
    """An order whose transfer arrived."""
    placed = buy(method=PaymentMethod.TRANSFER)
    confirm_transfer(placed.payment_id or "", builders.account().id)
    return placed


def came_again(placed: Placed, reference: str = "BANK-2", fen: int = 11_800) -> Refund:
    """Staff finds one more transfer with the order's code."""
    staff_id = builders.account().id
    return record_transfer_again(
        placed.payment_id or "", staff_id, received_fen=fen, reference=reference
    )


def test_a_second_transfer_for_a_paid_payment_is_owed_back_and_repaid_by_transfer(
    shop: SandboxServer,
) -> None:
    placed = paid_by_transfer()
    refund = came_again(placed)
    payment = payment_of(placed)
    assert (payment.captured_fen, payment.refunded_fen) == (23_600, 11_800)
    assert (refund.state, refund.amount_fen) == (RefundState.DEBT, 11_800)
    assert balance(AccountKind.TRANSFER_CLEARING) == 23_600
    assert balance(AccountKind.REFUNDS_OWED) == -11_800
    assert order_of(placed).state is OrderState.CONFIRMED
    assert_laws_hold()
    repay_debt(refund.public_id, builders.account().id, "BANK-3")
    assert balance(AccountKind.TRANSFER_CLEARING) == 11_800
    assert balance(AccountKind.REFUNDS_OWED) == 0
    assert_laws_hold()


def test_a_second_transfer_is_recorded_once_by_the_banks_number(
    app: Flask, shop: SandboxServer
) -> None:
    placed = paid_by_transfer()
    record = partial(came_again, placed)
    at_once(app, *[record] * 3)
    assert [one.amount_fen for one in refunds_of(placed)] == [11_800]
    with pytest.raises(Conflict) as refusal:
        came_again(placed, fen=11_700)
    assert refusal.value.code == "amount_differs"
    assert came_again(placed, "\u200bＢＡＮＫ－２ ").cause == "twice:BANK-2"
    came_again(placed, "BANK-4", 500)
    assert [one.amount_fen for one in refunds_of(placed)] == [11_800, 500]
    assert_laws_hold()


def test_a_units_second_transfer_is_owed_back_beside_what_falls_short(app: Flask) -> None:
    with app.app_context():
        closed = closed_round(50, 30, pay_mode=PayMode.UNIT)
        payment = db.session.scalars(select(Payment)).one()
        staff_id, fen = builders.account().id, payment.amount_fen
        confirm_transfer(payment.public_id, staff_id, fen)
        record_transfer_again(payment.public_id, staff_id, received_fen=fen, reference="BANK-2")
        assert_laws_hold()
        enter_yield(closed.item.id, None, Harvested(33, confirmed=True), account_id=None)
        allocate(closed.item.id, "pro_rata", account_id=None)
        assert balance(AccountKind.BUYER_PREPAID) == -33 * PRICE_FEN
        assert_laws_hold()


def test_a_transfer_for_what_was_paid_online_meanwhile_goes_back_by_transfer(
    shop: SandboxServer,
) -> None:
    placed = buy(method=PaymentMethod.TRANSFER)
    record_capture(placed.payment_id or "", Captured(11_800, clock.now(), "pi_first"))
    refund = came_again(placed)
    assert (refund.state, refund.intent_id) == (RefundState.DEBT, None)
    assert balance(AccountKind.TRANSFER_CLEARING) == 11_800
    assert balance(AccountKind.PROVIDER_CLEARING) == 11_800
    assert_laws_hold()
    repay_debt(refund.public_id, builders.account().id, "BANK-3")
    assert_laws_hold()


def test_a_transfer_that_was_given_up_makes_room_and_is_found_by_its_code(
    shop: SandboxServer,
) -> None:
    given_up = buy(method=PaymentMethod.TRANSFER)
    submit_proof(given_up.payment_id or "", PROOF, "proof.pdf", account_id=None)
    lifecycle.cancel(order_of(given_up))
    waiting = buy(method=PaymentMethod.TRANSFER)
    ids = [one.public_id for one in queries.transfers()]
    assert ids == [waiting.payment_id, given_up.payment_id]
    with clock.moved(timedelta(days=31)):
        assert [one.public_id for one in queries.transfers()] == [waiting.payment_id]
        code = payment_of(given_up).transfer_code or ""
        assert [one.public_id for one in queries.transfers(code)] == [given_up.payment_id]


def test_what_has_not_arrived_once_cannot_arrive_again(shop: SandboxServer) -> None:
    placed = buy(method=PaymentMethod.TRANSFER)
    with pytest.raises(Conflict) as refusal:
        came_again(placed)
    assert refusal.value.code == "not_paid_yet"
    for nothing in ("", "12", "x" * 35):
        with pytest.raises(Invalid) as wrong:
            came_again(placed, nothing)
        assert wrong.value.code == "reference_invalid"
    assert refunds_of(placed) == []
    assert payment_of(placed).captured_fen == 0


def test_one_order_that_cannot_lapse_keeps_no_other_from_it(
    shop: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    offer = builders.offer(limit_per_buyer=5)
    stuck = place(
        builders.buyer(), {offer.id: 2}, builders.credited_to_shop(offer), PaymentMethod.STRIPE
    )
    fine = buy()
    with transaction() as session:
        session.execute(update(BuyerTake).values(units=1))  # a count that is one short
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=1)) == 1
    assert order_of(fine).state is OrderState.LAPSED
    assert order_of(stuck).state is OrderState.DUE
    assert [record.message for record in caplog.records] == ["order_not_lapsed"]


def test_late_money_takes_no_more_of_a_harvest_than_was_asked_for(shop: SandboxServer) -> None:
    f = fair(members=1)
    other = builders.buying_unit()
    group = open_group_order(
        builders.account(Role.COORDINATOR, other.organisation).id,
        other.id,
        f.round.id,
        PayMode.MEMBERS,
    )
    early = official(other)
    set_needs(group.id, early.id, {f.eggs.id: 100})
    set_needs(f.group.id, f.members[0].id, {f.eggs.id: 50})
    with transaction() as session:
        session.get_one(Round, f.round.id).pay_within_h = 1
    close_group_order(group.id)
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=2)) == 1
    with clock.frozen(f.closes_at):
        assert close_due_rounds(clock.now()) == 1
        [late] = db.session.scalars(select(Order).where(Order.account_id == early.id))
        pay(late)
        db.session.expire_all()
        assert db.session.get_one(Order, late.id).state is OrderState.LAPSED
        assert promised(f.eggs) == (50, 50)
    check_laws()
