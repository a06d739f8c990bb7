"""One final state, whenever Stripe's news comes: a property over arrivals, repeats and forgeries.

Around one payment and its refund, Stripe's events arrive before our own commit (Stripe has
acted, and its answer is still on its way to us), during it, after it, or are missed and found
by the job that asks. Each is repeated up to five times, in any order, among forged ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kernel import clock
from kernel.errors import Conflict
from kernel.ledger import AccountKind
from orders import lifecycle
from orders.model import OrderState, PaymentState, RefundState
from orders.payments import checkout, gateway, reconcile
from orders.placing import Placed
from tests.at_once import at_once
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import (
    balance,
    buy,
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

Event = dict[str, Any]
FORGERIES: dict[str, dict[str, Any]] = {
    "forged": {"secret": "whsec_other"},
    "old": {"at": int(time.time()) - 3600},
    "altered": {"tail": b" "},
}
MOMENTS = ["before", "during", "after", "missed"]
PRICE_FEN = 5900


@dataclass(frozen=True)
class Way:
    """How an order is paid and how its refund ends; a card's may fail after it succeeded."""

    method: str
    outcome: str
    end: str

    @property
    def tells(self) -> bool:
        """Whether Stripe tells how it ended when asked about a refund that is on its way."""
        return self.outcome != "refund_fails"


WAYS = [
    Way("card", "success", "succeeded"),
    Way("card", "refund_pending", "succeeded"),
    Way("card", "refund_fails", "failed"),
    Way("alipay", "success", "succeeded"),
    Way("wechat_pay", "success", "failed"),
]


class Post:
    """Delivers news as an example says: which events how often, in what order, among what."""

    def __init__(self, caller: FlaskClient, data: st.DataObject) -> None:
        self._caller = caller
        self._data = data

    def about(self, news: list[Event]) -> Callable[[], None]:
        """Return what delivers every event one to five times, in any order, with forgeries."""
        size = len(news)
        times = self._data.draw(st.lists(st.integers(1, 5), min_size=size, max_size=size))
        letters = [(number, "") for number in range(size) for _ in range(times[number])]
        forgeries = self._data.draw(st.lists(st.sampled_from(sorted(FORGERIES)), max_size=3))
        letters += [(0, forgery) for forgery in forgeries]
        shuffled = self._data.draw(st.permutations(letters))

        def bring() -> None:
            for number, forgery in shuffled:
                status = deliver(self._caller, news[number], **FORGERIES.get(forgery, {}))
                assert status == (400 if forgery else 200)

        return bring


@dataclass
class Scene:
    """One example: who tells us, when, and how the money goes back."""

    app: Flask
    shop: SandboxServer
    post: Post
    moment: str
    way: Way

    def around(self, own: Callable[[], object], news: Callable[[], list[Event]], asks: str) -> None:
        """Let `own` work ask Stripe by `gateway.<asks>` and commit, with news at the moment."""
        if self.moment == "before":
            real = getattr(gateway, asks)

            def asked(*about: Any) -> Any:
                answer = real(*about)
                bring = self.post.about(news())
                at_once(self.app, bring)
                return answer

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(gateway, asks, asked)
                own()
            return
        bring = self.post.about(news())
        if self.moment == "during":
            at_once(self.app, own, bring)
        else:
            own()
            bring()

    def pay(self) -> Placed:
        """An order is paid, and we learn of it."""
        placed = buy()
        session_id, seen = opened(placed), self.seen()
        self.shop.pay(session_id, self.way.method, self.way.outcome)
        if self.moment == "missed":
            assert reconcile.ask_about_sessions(clock.now() + timedelta(minutes=5)) == 1
        self.around(
            lambda: checkout.ask(placed.payment_id or ""), lambda: self.since(seen), "session"
        )
        return placed

    def refund(self) -> None:
        """A refund leaves, and Stripe gives it back or cannot; we learn of it."""
        seen, later = self.seen(), clock.now() + timedelta(days=1)
        if self.moment == "before":
            self.around(lambda: reconcile.send_refunds(later), lambda: self.ended(seen), "refund")
            return
        reconcile.send_refunds(later)
        news = self.ended(seen)
        much_later = later + timedelta(days=2)
        if self.moment == "missed" and self.way.tells:
            reconcile.send_refunds(much_later)
        self.around(lambda: reconcile.send_refunds(much_later), lambda: news, "refund_now")

    def seen(self) -> set[str]:
        """The events that there are already."""
        return {event["id"] for event in events(self.shop)}

    def since(self, seen: set[str]) -> list[Event]:
        """The events that came since then, the oldest first."""
        return [event for event in events(self.shop) if event["id"] not in seen]

    def ended(self, seen: set[str]) -> list[Event]:
        """Let Stripe end the newest refund, and return the news of it."""
        [newest] = self.shop.client().v1.refunds.list({"limit": 1}).data
        if newest.status == "pending":
            self.shop.settle_refund(newest.id, self.way.end)
        self.shop.settle_refunds()
        return self.since(seen)


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_news_of_a_payment_and_its_refund_end_in_one_state(
    app: Flask, shop: SandboxServer, caller: FlaskClient, moment: str
) -> None:
    @settings(
        max_examples=3,
        deadline=None,
        phases=[Phase.generate],  # a shorter example of the same fault is not worth the minutes
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data(), way=st.sampled_from(WAYS))
    def however_it_comes(data: st.DataObject, way: Way) -> None:
        scene = Scene(app, shop, Post(caller, data), moment, way)
        owed = balance(AccountKind.REFUNDS_OWED)
        placed = scene.pay()
        order, payment = order_of(placed), payment_of(placed)
        assert order.state is OrderState.CONFIRMED
        assert [event.kind for event in order_of(placed).events].count("paid") == 1
        assert (payment.state, payment.captured_fen) == (PaymentState.CAPTURED, 2 * PRICE_FEN)
        assert balance(AccountKind.BUYER_PREPAID) == -2 * PRICE_FEN
        lifecycle.cancel(order_of(placed))
        scene.refund()
        final = RefundState.SUCCEEDED if way.end == "succeeded" else RefundState.DEBT
        assert [one.state for one in refunds_of(placed)] == [final]
        assert order_of(placed).state is OrderState.CANCELLED
        assert lot_of(placed).promised == 0
        assert balance(AccountKind.BUYER_PREPAID) == 0
        left = 0 if way.end == "succeeded" else -2 * PRICE_FEN
        assert balance(AccountKind.REFUNDS_OWED) - owed == left
        assert_laws_hold()

    however_it_comes()


def test_refunds_for_many_reasons_at_once_never_exceed_the_charge(
    app: Flask, shop: SandboxServer
) -> None:
    placed = paid_order(shop, units=2)
    reasons = ["short:1", "claim:1", "claim:2", "return:1"]
    works = [lambda cause=cause: give_one_back(placed, cause) for cause in reasons]
    with pytest.RaisesGroup(Conflict, Conflict) as refused:
        at_once(app, *works)
    assert {getattr(one, "code", one) for one in refused.value.exceptions} == {"refund_too_large"}
    assert [one.amount_fen for one in refunds_of(placed)] == [PRICE_FEN] * 2
    assert payment_of(placed).refunded_fen == 2 * PRICE_FEN
    assert balance(AccountKind.BUYER_PREPAID) == 0
