"""A payment service that hangs, answers late, or answers rubbish: one truth, and no long wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from kernel import clock
from kernel.db import db, transaction
from orders import lifecycle
from orders.model import OrderState, PaymentState, Refund, RefundState
from orders.payments import checkout, gateway, reconcile
from tests.at_once import PATIENCE_S
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    BACK,
    buy,
    give_one_back,
    opened,
    order_of,
    paid_order,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer

SHORT_S = 0.4
SESSIONS = "/v1/checkout/sessions"

SOMEBODY_ELSES = json.dumps(
    {
        "id": "cs_of_another",
        "object": "checkout.session",
        "status": "complete",
        "payment_status": "paid",
        "url": None,
        "amount_total": 11800,
        "payment_intent": "pi_of_another",
        "metadata": {"payment": "of_another", "refund": "of_another"},
    }
)

RUBBISH = [
    pytest.param(200, "<html>Welcome</html>", id="a page"),
    pytest.param(200, '{"id": "cs_', id="half a document"),
    pytest.param(200, "{}", id="nothing"),
    pytest.param(200, "[]", id="a list"),
    pytest.param(200, SOMEBODY_ELSES, id="another's answer"),
    pytest.param(404, "<html>No such host</html>", id="a proxy that knows nothing"),
    pytest.param(400, '{"error": "what?"}', id="an error that is none"),
    pytest.param(500, "<html>Oops</html>", id="a crash"),
]


@contextmanager
def given(seconds: float) -> Iterator[None]:
    """Within this, Stripe gets so many seconds for an answer, not five."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "TIMEOUT_S", seconds)
        gateway._client.cache_clear()
        yield
    gateway._client.cache_clear()


def sessions(shop: SandboxServer) -> list[str]:
    """The ids of all sessions that the sandbox has made."""
    return [made.id for made in shop.client().v1.checkout.sessions.list().data]


def captures(shop: SandboxServer) -> list[int]:
    """What the sandbox took, one amount for each time."""
    made = shop.client().v1.payment_intents.list({"limit": 100}).data
    return [one.amount_received for one in made if one.status == "succeeded"]


def given_back(shop: SandboxServer) -> list[int]:
    """What the sandbox gave back, one amount for each time."""
    return [one.amount for one in shop.client().v1.refunds.list({"limit": 100}).data]


def test_nobody_waits_longer_than_five_seconds() -> None:
    assert gateway.TIMEOUT_S <= 5


def test_an_answer_after_our_timeout_is_still_the_one_session_and_the_one_payment(
    shop: SandboxServer,
) -> None:
    placed = buy()
    with shop.hanging("POST", SESSIONS) as hang:
        with given(SHORT_S), pytest.raises(gateway.StripeBusy):
            checkout.open_checkout(placed.payment_id or "", BACK)
        hang.wait_for(1)
        assert sessions(shop) == []
        assert payment_of(placed).state is PaymentState.DUE
    [made] = sessions(shop)
    assert opened(placed) == made
    shop.pay(made)
    with shop.hanging("GET", f"{SESSIONS}/{made}") as hang:
        with given(SHORT_S), pytest.raises(gateway.StripeBusy):
            checkout.ask(placed.payment_id or "")
        hang.wait_for(1)
    checkout.ask(placed.payment_id or "")
    assert order_of(placed).state is OrderState.CONFIRMED
    assert captures(shop) == [2 * 5900]
    assert_laws_hold()


@pytest.mark.parametrize(("status", "body"), RUBBISH)
def test_rubbish_at_opening_says_nothing_and_the_next_try_finds_the_one_session(
    shop: SandboxServer, status: int, body: str
) -> None:
    placed = buy()
    shop.fail_next(
        method="POST", path="/v1/checkout/sessions", status=status, body=body, executed=True
    )
    with pytest.raises(gateway.StripeBusy):
        checkout.open_checkout(placed.payment_id or "", BACK)
    [made] = sessions(shop)
    assert opened(placed) == made


@pytest.mark.parametrize(("status", "body"), RUBBISH)
def test_rubbish_about_a_paid_session_opens_no_second_one(
    shop: SandboxServer, status: int, body: str
) -> None:
    placed = buy()
    session_id = opened(placed)
    shop.pay(session_id)
    shop.fail_next(method="GET", path="/v1/checkout/sessions", status=status, body=body)
    with pytest.raises(gateway.StripeBusy):
        checkout.open_checkout(placed.payment_id or "", BACK)
    assert sessions(shop) == [session_id]
    assert payment_of(placed).state is PaymentState.DUE

    checkout.ask(placed.payment_id or "")
    assert order_of(placed).state is OrderState.CONFIRMED
    assert captures(shop) == [2 * 5900]
    assert_laws_hold()


@pytest.mark.parametrize(("status", "body"), RUBBISH)
def test_rubbish_about_a_refund_makes_it_neither_a_debt_nor_twice(
    shop: SandboxServer, status: int, body: str
) -> None:
    placed = paid_order(shop)
    lifecycle.cancel(order_of(placed))
    shop.fail_next(method="POST", path="/v1/refunds", status=status, body=body, executed=True)
    reconcile.send_refunds(clock.now())
    assert [one.state for one in refunds_of(placed)] == [RefundState.PENDING]

    reconcile.send_refunds(clock.now() + timedelta(minutes=2))
    assert [one.state for one in refunds_of(placed)] == [RefundState.SUCCEEDED]
    assert given_back(shop) == [2 * 5900]
    assert_laws_hold()


def _lose_the_answer_for_two_days(shop: SandboxServer) -> None:
    """A refund was made, nobody heard of it, and the service has forgotten its key."""
    shop.fail_next(method="POST", path="/v1/refunds", status=500, executed=True)
    reconcile.send_refunds(clock.now())
    shop.advance_clock(2 * 24 * 3600)
    with transaction() as session:
        session.execute(update(Refund).values(created_at=clock.now() - timedelta(days=2)))
    reconcile.send_refunds(clock.now() + timedelta(days=1))


def test_a_refund_whose_answer_was_lost_for_days_is_found_instead_of_made_again(
    shop: SandboxServer,
) -> None:
    placed = paid_order(shop)
    give_one_back(placed, "short:1")
    _lose_the_answer_for_two_days(shop)
    assert given_back(shop) == [5900]
    assert [one.state for one in refunds_of(placed)] == [RefundState.SUCCEEDED]
    assert_laws_hold()


def test_without_looking_first_such_a_refund_would_be_made_twice(
    shop: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "KEYS_KEPT", timedelta(days=10))
    placed = paid_order(shop)
    give_one_back(placed, "short:1")
    _lose_the_answer_for_two_days(shop)
    assert given_back(shop) == [5900, 5900]


def test_a_service_that_hangs_does_not_hold_every_thread_of_the_shop(
    app: Flask, shop: SandboxServer
) -> None:
    placed = [buy() for _ in range(gateway.CALLS_AT_ONCE)]
    last = buy()

    def press(payment_id: str | None) -> None:
        with app.app_context():
            checkout.open_checkout(payment_id or "", BACK)
            db.session.remove()

    with (
        given(PATIENCE_S),
        ThreadPoolExecutor(len(placed)) as buyers,
        shop.hanging("POST", SESSIONS) as hang,
    ):
        opening = [buyers.submit(press, one.payment_id) for one in placed]
        hang.wait_for(gateway.CALLS_AT_ONCE)
        with pytest.raises(gateway.StripeBusy):
            checkout.open_checkout(last.payment_id or "", BACK)
        # It was told so while all others still hang, and the service was not asked for it.
        assert hang.came == gateway.CALLS_AT_ONCE
        assert not any(one.done() for one in opening)
    for one in opening:
        one.result()
    assert opened(last) in sessions(shop)
    assert len(sessions(shop)) == gateway.CALLS_AT_ONCE + 1
