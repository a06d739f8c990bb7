"""Whatever happens to what a day sold, and whenever the day is summed, its report is of its lines.

Random trade through the real actions: payments in time, too late, of too little or once more;
refunds, those of Stripe's own pages and chargebacks among them; shortages, cancellations,
transfers of units, settlements. After each step the report is held against lines and ledger.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.errors import Refusal
from marketplace.check import days as check_days
from marketplace.check.law import examine
from marketplace.report import periods, queries, summing
from marketplace.report.agreement import agrees
from orders import lifecycle
from orders.actions import handover
from orders.actions.settlement import state_settlement
from orders.actions.yields import allocate
from orders.model import (
    Consignment,
    ConsignmentLine,
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    PayMode,
    Refund,
    RefundState,
)
from orders.payments import outside
from orders.payments.captures import Captured, confirm_transfer, record_capture
from orders.payments.disputes import record_dispute
from orders.payments.gateway import DisputeMovement, ProviderDispute, ProviderRefund
from orders.payments.refunds import record_failed, record_succeeded, repay_debt
from orders.placing import place
from orders.queries.sales import paid_lines
from orders.queries.settlement import to_settle
from sellers.model import Offer
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace.market_day import SIGNATURE
from tests.orders.harvest_builders import Closed, closed_round, harvest

T = TypeVar("T")
FIRST = date(2026, 3, 2)
DAYS = 4
PERIOD = periods.between(FIRST, FIRST + timedelta(days=DAYS - 1))
NUMBERS = itertools.count(1)
PICK = st.integers(0, 60)
FEN = st.just(1000) | st.integers(1, 1000)
"""How much, in thousandths of a payment where it is a refund."""


@dataclass
class Trade:
    """A shop of two sellers, and two rounds; each step is one move."""

    offers: Sequence[Offer]
    by_unit: Closed
    by_members: Closed
    staff: int

    def some(self, things: Sequence[T], pick: int) -> T | None:
        """One of these, the newest ones more often; None of nothing."""
        return things[-1 - pick % min(len(things), 4)] if things else None

    def one(self, query: Any, pick: int) -> Any:
        """One of the rows of a query."""
        return self.some(db.session.scalars(query).all(), pick)

    def captured(self, pick: int) -> Payment | None:
        """A payment that came in through Stripe."""
        paid = Payment.state == PaymentState.CAPTURED
        query = select(Payment).where(paid, Payment.intent_id.is_not(None)).order_by(Payment.id)
        found: Payment | None = self.one(query, pick)
        return found

    def refund(self, pick: int, *states: RefundState) -> str | None:
        """A refund (public id) in one of these states."""
        query = select(Refund.public_id).where(Refund.state.in_(states)).order_by(Refund.id)
        found: str | None = self.one(query, pick)
        return found

    def sell(self, pick: int, fen: int) -> None:
        """Somebody buys of both sellers, and pays: in time or when it lapsed, all or not quite."""
        offers = self.offers[: 1 + pick % 2]
        wanted = {one.id: 1 + (pick + at) % 3 for at, one in enumerate(offers)}
        credited = builders.credited_to_shop(*self.offers)
        placed = place(builders.buyer(), wanted, credited, PaymentMethod.STRIPE)
        at = clock.now()
        if pick % 5 == 0:
            lifecycle.lapse_due(clock.now() + timedelta(hours=1))
        if pick % 7 == 0:
            at -= timedelta(days=1)
        odd = {3: -fen, 4: fen}.get(pick % 8, 0)
        paid = Captured(max(1, placed.total.fen + odd), at, f"pi_{next(NUMBERS)}")
        record_capture(placed.payment_id or "", paid)

    def pay_again(self, pick: int, fen: int) -> None:
        """A paid payment is paid once more."""
        if payment := self.captured(pick):
            again = Captured(payment.amount_fen, clock.now(), f"pi_{next(NUMBERS)}")
            record_capture(payment.public_id, again)

    def refund_outside(self, pick: int, fen: int, status: str = "succeeded") -> None:
        """Somebody gives money back in Stripe's own pages."""
        payment = self.captured(pick)
        if payment is None:
            return
        amount = min(payment.amount_fen, payment.captured_fen, payment.amount_fen * fen // 1000)
        told = ProviderRefund(
            f"re_{next(NUMBERS)}", status, "", max(1, amount), payment.intent_id or ""
        )
        for public_id in outside.take_up(told, payment.public_id):
            if status == "succeeded":
                record_succeeded(public_id, told.id)
            else:
                record_failed(public_id, told.id, status)

    def refund_all_outside(self, pick: int, fen: int) -> None:
        """All of the newest payment goes back so, and then its order is cancelled."""
        self.refund_outside(0, 1000)
        self.sum_all(pick, fen)
        self.cancel(0, fen)

    def refund_outside_in_vain(self, pick: int, fen: int) -> None:
        """The same, and the money comes back."""
        self.refund_outside(pick, fen, "failed")

    def lose_dispute(self, pick: int, fen: int) -> None:
        """A buyer's bank takes a payment back, and keeps it."""
        if payment := self.captured(pick):
            moved = DisputeMovement(f"txn_{next(NUMBERS)}", payment.amount_fen, 1500)
            record_dispute(
                ProviderDispute(
                    *(f"dp_{next(NUMBERS)}", payment.intent_id or "", "lost", "fraudulent"),
                    *(payment.amount_fen, None, [moved], clock.now()),
                )
            )

    def send(self, pick: int, fen: int) -> None:
        """A refund of ours arrives."""
        if refund := self.refund(pick, RefundState.PENDING):
            record_succeeded(refund, f"re_{next(NUMBERS)}")

    def fail(self, pick: int, fen: int) -> None:
        """A refund comes back, even one that had arrived."""
        if refund := self.refund(pick, RefundState.PENDING, RefundState.SUCCEEDED):
            record_failed(refund, None, "failed", now=True)

    def repay(self, pick: int, fen: int) -> None:
        """A debt is repaid by transfer."""
        if refund := self.refund(pick, RefundState.DEBT):
            repay_debt(refund, self.staff, "BANK")

    def to_pack(self, pick: int) -> Order | None:
        """An order of the shop that is paid, and of which nothing was packed."""
        lines = select(ConsignmentLine.id).join(OrderLine, OrderLine.id == ConsignmentLine.line_id)
        found: Order | None = self.one(
            select(Order)
            .where(Order.state == OrderState.CONFIRMED, Order.group_order_id.is_(None))
            .where(~lines.where(OrderLine.order_id == Order.id).exists())
            .order_by(Order.id),
            pick,
        )
        return found

    def cancel(self, pick: int, fen: int) -> None:
        """A buyer cancels."""
        in_shop = Order.group_order_id.is_(None)
        if order := self.one(select(Order).where(in_shop).order_by(Order.id), pick):
            lifecycle.cancel(order)

    def round_(self, pick: int) -> Closed:
        """The round whose unit owes the sum, or the one whose members paid."""
        return (self.by_unit, self.by_members)[pick % 2]

    def bring_in(self, pick: int, fen: int) -> None:
        """A round's harvest falls short, before or after the money came."""
        one = self.round_(pick)
        harvest(one, 60 - pick % 40)
        allocate(one.item.id, "pro_rata", account_id=None)

    def transfer(self, pick: int, fen: int) -> None:
        """The unit's transfer arrives."""
        unit = Payment.unit_id == self.by_unit.unit.id
        paid = db.session.scalars(select(Payment.public_id).where(unit)).one()
        confirm_transfer(paid, self.staff)

    def hand_over(self, pick: int, fen: int) -> None:
        """An order of the shop, or what the round's unit gets, is packed, sent and signed for."""
        order = self.to_pack(pick)
        if order is None or pick % 3 == 0:
            one = self.round_(pick // 3)
            self.deliver(handover.pack(one.seller.id, one.group_order.id))
            return
        for seller_id in {line.seller_id for line in order.lines}:
            self.deliver(handover.pack_order(seller_id, order.id))

    def deliver(self, packed: Consignment) -> None:
        """What was packed is sent and signed for."""
        handover.send(packed.id, "自己送")
        handover.sign(packed.id, SIGNATURE, account_id=None)

    def settle(self, pick: int, fen: int) -> None:
        """What is owed to a seller is stated."""
        if one := self.some([one for one in to_settle() if one.arrived], pick):
            state_settlement(one.seller.id, one.round.id if one.round else None)

    def sum(self, pick: int, fen: int) -> None:
        """A day is summed."""
        assert summing.sum_day(FIRST + timedelta(days=pick % DAYS))

    def sum_all(self, pick: int, fen: int) -> None:
        """The worker sums whatever is due."""
        for day in summing.due(FIRST + timedelta(days=DAYS)):
            assert summing.sum_day(day)


MOVES = (
    *(Trade.sell, Trade.pay_again, Trade.refund_outside, Trade.refund_all_outside),
    *(Trade.refund_outside_in_vain, Trade.lose_dispute, Trade.send, Trade.fail, Trade.repay),
    *(Trade.cancel, Trade.cancel, Trade.bring_in, Trade.bring_in, Trade.transfer),
    *(Trade.hand_over, Trade.hand_over, Trade.settle, Trade.sum),
)
Move = Callable[[Trade, int, int], None]
STEP = st.tuples(st.sampled_from(MOVES), PICK, FEN, st.integers(0, DAYS - 1))


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEP, min_size=8, max_size=20))
def test_a_report_of_summed_days_is_that_of_their_lines_after_every_step(
    app: Flask, steps: list[tuple[Move, int, int, int]]
) -> None:
    with app.app_context():
        with clock.frozen(clock.at_local(FIRST, 9, 0)):
            trade = _trade()
        for move, pick, fen, day in steps:
            with clock.frozen(clock.at_local(FIRST + timedelta(days=day), 12, 0)):
                trade.sum_all(pick, fen)
                try:
                    move(trade, pick, fen)
                except Refusal:
                    db.session.rollback()
                _assert_told()
        assert_laws_hold()


def _trade() -> Trade:
    """A shop whose goods were sold twice, and a round that closed."""
    offers = [
        builders.offer(builders.lot(builders.product(builders.seller()), 5000)) for _ in range(2)
    ]
    by_unit = closed_round(40, 30, pay_mode=PayMode.UNIT)
    trade = Trade(offers, by_unit, closed_round(40, 30), builders.account().id)
    for pick in (1, 2):
        trade.sell(pick, 100)
    return trade


def _assert_told() -> None:
    db.session.expire_all()
    each = paid_lines().subquery()
    within = (each.c.paid_at >= PERIOD.begins, each.c.paid_at < PERIOD.ends)
    names = ("paid_fen", "refunded_fen", "settled_fen")
    row = db.session.execute(
        select(*(func.coalesce(func.sum(each.c[name]), 0) for name in names)).where(*within)
    ).one()
    total = queries.by_channel(PERIOD).total
    assert (total.paid_fen, total.refunded_fen, total.settled_fen) == tuple(row)
    assert total == queries.total_by_day(queries.by_day(PERIOD))
    assert agrees(PERIOD, total)
    [law] = examine(check_days.LAWS)
    assert not law.faults
    db.session.rollback()
