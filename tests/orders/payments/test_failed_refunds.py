"""A refund that failed at Stripe and went back after all, and old news of either."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kernel import clock
from kernel.errors import Conflict
from kernel.ledger import AccountKind
from orders import lifecycle
from orders.model import Refund, RefundState
from orders.payments import gateway, reconcile
from orders.payments.actions import repay_debt, take_back
from orders.placing import Placed
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    deliver,
    events,
    order_of,
    paid_order,
    refunds_of,
)
from tests.payment_sandbox import SandboxServer

PAID_FEN = 2 * 5900


def failed(shop: SandboxServer, caller: FlaskClient) -> Placed:
    """A cancelled order whose refund was on its way and failed: a debt."""
    placed = paid_order(shop, "refund_pending")
    lifecycle.cancel(order_of(placed))
    reconcile.send_refunds(clock.now())
    settle(shop, caller, placed, "failed")
    assert the(placed).state is RefundState.DEBT
    return placed


def the(placed: Placed) -> Refund:
    """The only refund of an order, as the database has it."""
    [refund] = refunds_of(placed)
    return refund


def settle(shop: SandboxServer, caller: FlaskClient, placed: Placed, status: str) -> None:
    """Let the refund end so at Stripe, and every event come again that there ever was."""
    shop.settle_refund(the(placed).provider_id or "", status)
    for event in events(shop):
        assert deliver(caller, event) == 200


def test_a_refund_that_failed_and_went_back_after_all_is_no_debt(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    settle(shop, caller, placed, "succeeded")
    assert the(placed).state is RefundState.SUCCEEDED
    assert balance(AccountKind.REFUNDS_OWED) == balance(AccountKind.PROVIDER_CLEARING) == 0
    with pytest.raises(Conflict):
        repay_debt(the(placed).public_id, builders.account().id, "BANK-1")
    assert_laws_hold()


def test_old_news_of_either_end_change_nothing(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    for status, state in [
        ("succeeded", RefundState.SUCCEEDED),
        ("failed", RefundState.DEBT),
        ("succeeded", RefundState.SUCCEEDED),
        ("failed", RefundState.DEBT),
    ]:
        settle(shop, caller, placed, status)
        assert the(placed).state is state
        owed = -PAID_FEN if state is RefundState.DEBT else 0
        assert balance(AccountKind.REFUNDS_OWED) == owed
        assert balance(AccountKind.PROVIDER_CLEARING) == -owed
        assert_laws_hold()


def test_one_that_was_repaid_meanwhile_went_out_twice_as_often_as_it_did(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    staff = builders.account()
    repay_debt(the(placed).public_id, staff.id, "BANK-1")
    for number in (2, 4):
        settle(shop, caller, placed, "succeeded")
        assert the(placed).state is RefundState.TWICE
        assert balance(AccountKind.REFUNDED_TWICE) == PAID_FEN
        assert_laws_hold()
        take_back(the(placed).public_id, staff.id, f"BANK-{number}")
        assert_laws_hold()
        settle(shop, caller, placed, "failed")
        assert the(placed).state is RefundState.DEBT
        repay_debt(the(placed).public_id, staff.id, f"BANK-{number + 1}")
        assert balance(AccountKind.TRANSFER_CLEARING) == -PAID_FEN
        assert_laws_hold()


def test_one_that_went_out_twice_and_came_back_to_stripe_may_do_so_again(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    repay_debt(the(placed).public_id, builders.account().id, "BANK-1")
    for status, state in [("succeeded", RefundState.TWICE), ("failed", RefundState.REPAID)] * 2:
        settle(shop, caller, placed, status)
        assert the(placed).state is state
        assert_laws_hold()


def test_news_that_contradict_what_is_known_wait_for_stripe(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    shop.settle_refund(the(placed).provider_id or "", "succeeded")
    newest = [one for one in events(shop) if one["type"] == "refund.updated"][-1]
    shop.fail_next(path="/v1/refunds", status=503)
    assert deliver(caller, newest) == 503
    assert the(placed).state is RefundState.DEBT
    assert deliver(caller, newest) == 200
    assert the(placed).state is RefundState.SUCCEEDED


def test_a_refund_that_stripe_does_not_know_went_back_by_nobodys_word(
    shop: SandboxServer, caller: FlaskClient
) -> None:
    placed = failed(shop, caller)
    told = gateway.ProviderRefund("re_unknown", "succeeded", "")
    reconcile.record_refund(the(placed).public_id, told)
    assert the(placed).state is RefundState.DEBT


def test_whatever_was_told_in_whatever_order_it_ends_as_stripe_has_it(
    app: Flask, shop: SandboxServer, caller: FlaskClient
) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data(), flips=st.integers(0, 3))
    def however_it_comes(data: st.DataObject, flips: int) -> None:
        placed = paid_order(shop, "refund_pending")
        seen = {one["id"] for one in events(shop)}
        lifecycle.cancel(order_of(placed))
        reconcile.send_refunds(clock.now())
        ends = ["failed", "succeeded"] * 2
        for status in ends[: flips + 1]:
            shop.settle_refund(the(placed).provider_id or "", status)
        fresh = [one for one in events(shop) if one["id"] not in seen]
        again = data.draw(st.lists(st.sampled_from(fresh), max_size=4))
        for event in data.draw(st.permutations([*fresh, *again])):
            assert deliver(caller, event) == 200
        final = RefundState.DEBT if ends[flips] == "failed" else RefundState.SUCCEEDED
        assert the(placed).state is final
        assert_laws_hold()

    however_it_comes()
