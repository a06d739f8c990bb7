"""A page of Stripe's left open after its payment was paid another way, or nobody waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from kernel import clock
from kernel.db import transaction
from kernel.ledger import AccountKind
from orders.model import OrderState, Payment, PaymentMethod, RefundState
from orders.payments import checkout, news, reconcile
from orders.payments.actions import confirm_transfer
from orders.placing import Placed
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    buy,
    deliver,
    events,
    give_one_back,
    lapse,
    opened,
    order_of,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer

PRICE_FEN = 150


def transferred() -> tuple[Placed, str]:
    """An order whose page was open when it became a transfer, which arrived; and the page."""
    product = builders.product(builders.seller())
    placed = buy(3, offer=builders.offer(builders.lot(product), price_fen=PRICE_FEN))
    page = opened(placed)
    give_one_back(placed, "short:1")
    assert payment_of(placed).method is PaymentMethod.TRANSFER
    confirm_transfer(placed.payment_id or "", builders.account().id, 2 * PRICE_FEN)
    assert order_of(placed).state is OrderState.CONFIRMED
    return placed, page


def second_page(placed: Placed) -> str:
    """Open another page while the first can still be paid, as after a lost word of its end."""
    with transaction() as session:
        payment = session.scalars(
            select(Payment).where(Payment.public_id == placed.payment_id)
        ).one()
        payment.session_url = None
    return opened(placed)


def status(shop: SandboxServer, page: str) -> str | None:
    return shop.client().v1.checkout.sessions.retrieve(page).status


def goes_back(shop: SandboxServer, placed: Placed, fen: int) -> None:
    """What came once more is given back, once, to where it came from; the order stands."""
    reconcile.send_refunds(clock.now())
    again = [one for one in refunds_of(placed) if one.cause.startswith("twice:")]
    assert [(one.state, one.amount_fen) for one in again] == [(RefundState.SUCCEEDED, fen)]
    [told] = shop.client().v1.refunds.list().data
    assert (told.payment_intent, told.amount) == (again[0].intent_id, fen)
    assert order_of(placed).state is OrderState.CONFIRMED
    assert balance(AccountKind.REFUNDS_OWED) == 0
    assert_laws_hold()


def test_it_is_ended_once_a_transfer_has_paid(shop: SandboxServer) -> None:
    placed, page = transferred()
    assert status(shop, page) == "open"
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert status(shop, page) == "expired"
    assert reconcile.ask_about_sessions(clock.now() + timedelta(days=1)) == 0
    assert refunds_of(placed)[0].cause == "short:1"
    assert_laws_hold()


@pytest.mark.parametrize("told", ["by a webhook", "by asking"])
def test_what_it_takes_after_a_transfer_has_paid_goes_back(
    shop: SandboxServer, caller: FlaskClient, told: str
) -> None:
    placed, page = transferred()
    shop.pay(page)
    if told == "by a webhook":
        for event in events(shop):
            assert deliver(caller, event) == 200
    assert reconcile.ask_about_sessions(clock.now()) == (0 if told == "by a webhook" else 1)
    goes_back(shop, placed, 3 * PRICE_FEN)
    assert reconcile.ask_about_sessions(clock.now() + timedelta(days=1)) == 0


def test_the_newer_of_two_is_ended_once_the_older_has_paid(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    older = opened(placed)
    newer = second_page(placed)
    shop.pay(older)
    for event in events(shop):
        assert deliver(caller, event) == 200
    assert order_of(placed).state is OrderState.CONFIRMED
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert status(shop, newer) == "expired"
    assert refunds_of(placed) == []


def test_what_the_older_of_two_takes_after_the_newer_has_paid_goes_back_without_a_webhook(
    shop: SandboxServer,
) -> None:
    placed = buy()
    older = opened(placed)
    newer = second_page(placed)
    shop.pay(newer)
    checkout.ask(placed.payment_id or "")
    shop.pay(older)
    while news.look_for_missed(clock.now()):
        continue
    goes_back(shop, placed, 2 * 5900)


def test_what_the_older_of_two_takes_after_the_order_lapsed_and_the_newer_ended_is_found(
    shop: SandboxServer,
) -> None:
    placed = buy()
    older = opened(placed)
    newer = second_page(placed)
    lapse(placed)
    assert reconcile.ask_about_sessions(clock.now()) == 1
    assert status(shop, newer) == "expired"
    shop.pay(older)
    while news.look_for_missed(clock.now()):
        continue
    assert order_of(placed).state is OrderState.CONFIRMED
    assert refunds_of(placed) == []
    assert_laws_hold()


def test_a_page_that_was_paid_is_asked_about_no_more(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    shop.pay(opened(placed))
    for event in events(shop):
        assert deliver(caller, event) == 200
    assert reconcile.ask_about_sessions(clock.now() + timedelta(days=1)) == 0
