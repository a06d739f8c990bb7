"""Signed events: any order, any number of repeats, one final state."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.ledger import AccountKind
from orders import lifecycle
from orders.model import (
    OrderState,
    PaymentState,
    RefundState,
    WebhookEvent,
)
from orders.payments import checkout, reconcile
from tests.orders.payments.money_in import (
    balance,
    buy,
    check_laws,
    deliver,
    events,
    opened,
    order_of,
    payment_of,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer


def test_a_captured_event_repeated_five_times_is_posted_once(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = buy()
    shop.pay(opened(placed))
    [paid] = [one for one in events(shop) if one["type"] == "checkout.session.completed"]
    assert [deliver(caller, paid) for _ in range(5)] == [200] * 5
    assert balance(AccountKind.BUYER_PREPAID) == -2 * 5900
    count = db.session.scalar(select(func.count()).where(WebhookEvent.provider_id == paid["id"]))
    assert count == 1
    check_laws()


def test_every_order_of_the_events_ends_in_the_same_state(
    shop: SandboxServer, caller: FlaskClient
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
            assert deliver(caller, mine[kind]) == 200
        assert order_of(placed).state is OrderState.CONFIRMED
        check_laws()


def test_any_sequence_of_events_with_repeats_ends_in_the_same_state(
    shop: SandboxServer, caller: FlaskClient
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
            assert deliver(caller, event) == 200
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
    shop: SandboxServer, caller: FlaskClient, change: dict[str, Any]
) -> None:
    placed = buy()
    shop.pay(opened(placed))
    [paid] = [one for one in events(shop) if one["type"] == "checkout.session.completed"]
    assert deliver(caller, paid, **change) == 400
    assert order_of(placed).state is OrderState.DUE
    assert db.session.scalar(select(func.count()).select_from(WebhookEvent)) == 0


def test_an_unknown_event_is_accepted(shop: SandboxServer, caller: FlaskClient) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "created": 1,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
    }
    assert deliver(caller, event) == 200
