"""Somebody who buys a round's offer alone is bound by the round as members are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.errors import Conflict
from orders import lifecycle
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import set_needs
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    CreditKind,
    NoticeItem,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    Refund,
)
from orders.payments.actions import Captured, record_capture
from orders.placing import Placed, place
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import Fair, fair, promised


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def buy_alone(at: Fair, units: int = 30) -> Placed:
    """An order of a single buyer in the round, waiting for its payment."""
    source = builders.credit_source(CreditKind.ROUND, at.round.code)
    return place(
        builders.buyer(),
        {at.eggs.id: units},
        builders.credited_to_shop(at.eggs, source=source),
        PaymentMethod.STRIPE,
    )


def pay(placed: Placed) -> None:
    """Its money comes in now."""
    assert placed.payment_id is not None
    record_capture(placed.payment_id, Captured(placed.total.fen, clock.now(), "pi_alone"))


def order_of(placed: Placed) -> Order:
    """The order as the database has it."""
    db.session.rollback()
    return db.session.get_one(Order, placed.order_id)


@dataclass(frozen=True)
class Kept:
    """What a refusal must leave as it was."""

    state: OrderState
    events: int
    refunds: int
    released: int
    paid: tuple[str, int, int]
    stock: tuple[int, int]


def kept(at: Fair, placed: Placed) -> Kept:
    """Everything that cancelling would change."""
    order = order_of(placed)
    payment = db.session.scalars(
        select(Payment).where(Payment.public_id == placed.payment_id)
    ).one()
    mine = OrderEvent.order_id == order.id
    return Kept(
        order.state,
        db.session.scalar(select(func.count(OrderEvent.id)).where(mine)) or 0,
        db.session.scalar(select(func.count(Refund.id))) or 0,
        order.lines[0].released,
        (payment.state, payment.captured_fen, payment.refunded_fen),
        promised(at.eggs),
    )


def test_it_is_cancelled_and_refunded_while_the_round_is_open() -> None:
    at = fair()
    placed = buy_alone(at)
    pay(placed)
    lifecycle.cancel(order_of(placed))
    assert order_of(placed).state is OrderState.CANCELLED
    assert db.session.scalar(select(Refund.amount_fen)) == placed.total.fen
    assert promised(at.eggs) == (0, 0)
    assert_laws_hold()


@pytest.mark.parametrize("processed", [True, False])
def test_once_paid_it_cannot_be_cancelled_after_the_round_closed(processed: bool) -> None:
    at = fair()
    placed = buy_alone(at)
    pay(placed)
    closes_at = at.closes_at
    with clock.frozen(closes_at):
        if processed:
            assert close_due_rounds(closes_at) == 1
        before = kept(at, placed)
        assert not lifecycle.can_cancel(order_of(placed), clock.now())
        with pytest.raises(Conflict) as refusal:
            lifecycle.cancel(order_of(placed))
        assert refusal.value.code == "too_late_to_cancel"
        assert kept(at, placed) == before


def test_while_it_is_unpaid_it_is_given_up_even_after_the_round_closed() -> None:
    at = fair(closes_in=timedelta(minutes=10))
    placed = buy_alone(at)
    closes_at = at.closes_at
    with clock.frozen(closes_at):
        close_due_rounds(closes_at)
        lifecycle.cancel(order_of(placed))
    assert order_of(placed).state is OrderState.CANCELLED
    assert promised(at.eggs) == (0, 0)


def lapsed_before_the_round_closed(at: Fair) -> Placed:
    """An order that nobody paid in time, in a round that closed with another's needs."""
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 60})
    placed = buy_alone(at)
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=1)) == 1
    closes_at = at.closes_at
    with clock.frozen(closes_at):
        assert close_due_rounds(closes_at) == 1
    return placed


def allocated(at: Fair, units: int) -> None:
    """The eggs' yield is entered and divided."""
    lot_id = db.session.scalars(select(OrderLine.lot_id).limit(1)).one()
    item_id = db.session.scalars(select(NoticeItem.id).where(NoticeItem.lot_id == lot_id)).one()
    enter_yield(item_id, None, Harvested(units, confirmed=True), account_id=None)
    allocate(item_id, "pro_rata", account_id=None)


def test_money_that_comes_after_the_allocation_goes_back() -> None:
    at = fair()
    placed = lapsed_before_the_round_closed(at)
    allocated(at, 60)
    stock = promised(at.eggs)
    pay(placed)
    assert order_of(placed).state is OrderState.LAPSED
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.cause, refund.amount_fen, refund.line_id) == ("late", placed.total.fen, None)
    assert promised(at.eggs) == stock
    assert_laws_hold()


def test_late_money_for_goods_that_were_not_asked_for_goes_back_before_the_allocation_too() -> None:
    at = fair()
    placed = lapsed_before_the_round_closed(at)
    pay(placed)
    assert order_of(placed).state is OrderState.LAPSED
    assert db.session.scalar(select(Refund.cause)) == "late"
    assert promised(at.eggs) == (60, 60)
    assert_laws_hold()


def test_late_money_for_goods_that_were_asked_for_is_honoured_and_shares_the_yield() -> None:
    at = fair(closes_in=timedelta(minutes=10))
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 60})
    placed = buy_alone(at)
    closes_at = at.closes_at
    with clock.frozen(closes_at):
        assert close_due_rounds(closes_at) == 1
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=1)) == 1
    pay(placed)
    assert order_of(placed).state is OrderState.CONFIRMED
    allocated(at, 60)
    assert order_of(placed).lines[0].allocated == 20
    assert_laws_hold()


def test_money_that_comes_after_the_round_closed_without_asking_for_the_goods_goes_back() -> None:
    at = fair()
    placed = buy_alone(at)
    assert lifecycle.lapse_due(clock.now() + timedelta(hours=1)) == 1
    closes_at = at.closes_at
    with clock.frozen(closes_at):
        assert close_due_rounds(closes_at) == 1
    pay(placed)
    assert order_of(placed).state is OrderState.LAPSED
    assert db.session.scalar(select(Refund.cause)) == "late"
    assert promised(at.eggs) == (0, 0)
    assert_laws_hold()
