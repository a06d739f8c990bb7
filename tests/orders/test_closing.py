"""Closing group orders and rounds: exactly once, by the clock, whatever ran late."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.errors import OfferClosed, OutOfStock
from kernel.ledger import LedgerTransaction
from orders.actions.closing import (
    NothingRegistered,
    close_due_rounds,
    close_group_order,
    close_round,
)
from orders.actions.group_orders import GroupOrderClosed, set_needs
from orders.model import (
    GroupOrder,
    GroupOrderState,
    HarvestNotice,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PayMode,
    Round,
)
from orders.placing import Credited, place
from orders.queries import units
from orders.queries.rounds import group_order_by_public_id
from sellers import supply
from tests import builders
from tests.at_once import PATIENCE_S, at_once
from tests.orders.fairs import Fair, fair, promised


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def register(at: Fair, eggs: int = 30, ginger: int = 2) -> None:
    """Let every member need the same."""
    for member in at.members:
        set_needs(at.group.id, member.id, {at.eggs.id: eggs, at.ginger.id: ginger})


def notices() -> dict[int, dict[int, int]]:
    """Seller → lot → units, of every harvest notice."""
    db.session.expire_all()
    return {
        notice.seller_id: {item.lot_id: item.quantity for item in notice.items}
        for notice in db.session.scalars(select(HarvestNotice))
    }


def states() -> set[OrderState]:
    db.session.expire_all()
    return set(db.session.scalars(select(Order.state)))


def test_closing_asks_each_member_for_its_own_money() -> None:
    at = fair()
    register(at)
    group = close_group_order(at.group.id)
    assert group.state is GroupOrderState.CLOSED
    assert group.pay_by is not None
    assert states() == {OrderState.DUE}
    payments = db.session.scalars(select(Payment)).all()
    assert [p.amount_fen for p in payments] == [6300, 6300]
    assert {p.method for p in payments} == {PaymentMethod.STRIPE}
    assert {p.expires_at for p in payments} == {group.pay_by}
    assert set(db.session.scalars(select(Order.expires_at))) == {group.pay_by}


def test_closing_asks_the_unit_once_for_all_and_books_what_it_owes() -> None:
    at = fair(PayMode.UNIT)
    register(at)
    close_group_order(at.group.id)
    payment = db.session.scalars(select(Payment)).one()
    assert (payment.method, payment.amount_fen) == (PaymentMethod.TRANSFER, 12600)
    assert payment.transfer_code is not None
    assert sorted(share.amount_fen for share in payment.shares) == [6300, 6300]
    assert states() == {OrderState.CONFIRMED}
    assert db.session.scalars(select(LedgerTransaction.kind)).all() == ["receivable"]


def test_closing_twice_asks_for_money_once() -> None:
    at = fair(PayMode.UNIT)
    register(at)
    close_group_order(at.group.id)
    close_group_order(at.group.id)
    assert close_due_rounds(at.closes_at) == 1
    assert db.session.scalar(select(func.count(Payment.id))) == 1


def test_an_empty_group_order_is_not_closed_by_hand() -> None:
    at = fair()
    with pytest.raises(NothingRegistered):
        close_group_order(at.group.id)
    db.session.expire_all()
    assert db.session.get_one(GroupOrder, at.group.id).state is GroupOrderState.OPEN


def test_needs_are_frozen_once_closed() -> None:
    at = fair()
    register(at)
    close_group_order(at.group.id)
    with pytest.raises(GroupOrderClosed):
        set_needs(at.group.id, at.members[0].id, {})
    assert promised(at.eggs) == (60, 60)


def test_a_round_tells_each_seller_what_to_harvest() -> None:
    at = fair()
    register(at)
    single = builders.buyer()
    place(
        single,
        {at.ginger.id: 7},
        {at.ginger.id: Credited(at.round.credit_source_id)},
        PaymentMethod.STRIPE,
    )
    assert not close_round(at.round.id, at.closes_at - timedelta(microseconds=1))
    assert notices() == {}
    assert close_round(at.round.id, at.closes_at)
    assert notices() == {
        at.eggs.seller_id: {at.eggs.lot_id: 60},
        at.ginger.seller_id: {at.ginger.lot_id: 4 + 7},
    }


def test_a_round_is_processed_once() -> None:
    at = fair()
    register(at)
    assert close_due_rounds(at.closes_at) == 1
    assert close_due_rounds(at.closes_at) == 0
    assert not close_round(at.round.id, at.closes_at)
    assert len(notices()) == 2
    assert db.session.scalar(select(func.count(Payment.id))) == 2


def test_a_round_is_closed_however_long_nobody_looked() -> None:
    at, other = fair(), fair()
    register(at)
    assert close_due_rounds(at.closes_at + timedelta(days=400)) == 2
    assert len(notices()) == 4
    db.session.expire_all()
    assert db.session.get_one(GroupOrder, other.group.id).state is GroupOrderState.CANCELLED
    assert db.session.get_one(Round, at.round.id).processed_at is not None


def test_a_purchase_that_read_the_clock_before_the_hour_comes_too_late_after_processing() -> None:
    at = fair()
    close_round(at.round.id, at.closes_at)
    with clock.frozen(at.closes_at - timedelta(seconds=1)), pytest.raises(OfferClosed):
        place(
            builders.buyer(),
            {at.ginger.id: 1},
            {at.ginger.id: Credited(at.round.credit_source_id)},
            PaymentMethod.STRIPE,
        )
    assert promised(at.ginger) == (0, 0)


def test_one_round_that_cannot_be_processed_keeps_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, other = fair(closes_in=timedelta(days=1)), fair(closes_in=timedelta(days=2))
    honest = supply.lock

    def breaks(ids: list[int]) -> None:
        if at.eggs.id in ids:
            raise RuntimeError("broken")
        honest(ids)

    monkeypatch.setattr(supply, "lock", breaks)
    assert close_due_rounds(other.closes_at) == 1
    assert set(notices()) == {other.eggs.seller_id, other.ginger.seller_id}
    db.session.expire_all()
    assert db.session.get_one(Round, at.round.id).processed_at is None


def test_two_workers_close_a_round_once(app: Flask) -> None:
    at = fair(PayMode.UNIT)
    register(at)
    round_id, hour = at.round.id, at.closes_at
    db.session.commit()
    at_once(app, *[lambda: close_due_rounds(hour)] * 3)
    assert close_due_rounds(hour) == 0
    assert len(notices()) == 2
    assert db.session.scalar(select(func.count(Payment.id))) == 1
    assert db.session.get_one(Round, round_id).processed_at is not None


def test_two_members_never_both_take_the_last_units(app: Flask) -> None:
    at = fair(eggs=40)
    group, eggs = at.group.id, at.eggs.id
    first, second = (member.id for member in at.members)
    db.session.commit()
    with pytest.RaisesGroup(OutOfStock):
        at_once(
            app,
            lambda: set_needs(group, first, {eggs: 30}),
            lambda: set_needs(group, second, {eggs: 30}),
        )
    assert promised(at.eggs) == (30, 30)


def swap_often(app: Flask, at: Fair) -> None:
    """Let two members swap eggs and ginger against each other, many times at once."""
    group, eggs, ginger = at.group.id, at.eggs.id, at.ginger.id
    first, second = (member.id for member in at.members)
    db.session.commit()

    def swap(account_id: int, one: int, other: int) -> None:
        for turn in range(40):
            set_needs(group, account_id, {one if turn % 2 else other: 10})

    at_once(app, lambda: swap(first, eggs, ginger), lambda: swap(second, ginger, eggs))


def test_members_who_swap_against_each_other_never_block_one_another(app: Flask) -> None:
    swap_often(app, fair())


def test_without_the_lock_they_would(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    at = fair()
    monkeypatch.setattr(supply, "lock", lambda ids: None)
    meet, met = threading.Barrier(2, timeout=PATIENCE_S), set[int]()
    honest = supply.release

    def release_then_wait(given_back: list[supply.GivenBack]) -> None:
        honest(given_back)
        if given_back and threading.get_ident() not in met:
            met.add(threading.get_ident())
            meet.wait()  # both hold what they gave back, and now want what the other holds

    monkeypatch.setattr(supply, "release", release_then_wait)
    with pytest.RaisesGroup(DeadlockDetected):
        swap_often(app, at)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(0, 12)),
        min_size=1,
        max_size=8,
    )
)
def test_a_group_orders_totals_are_its_members_lines(changes: list[tuple[int, int, int]]) -> None:
    at = fair(PayMode.UNIT, members=3, eggs=120)
    last: dict[int, dict[int, int]] = {}
    for who, eggs, ginger in changes:
        try:
            needs = set_needs(
                at.group.id, at.members[who].id, {at.eggs.id: eggs, at.ginger.id: ginger}
            )
        except OutOfStock:
            continue
        last[who] = dict(needs.units)
    group = group_order_by_public_id(at.group.public_id)
    seen = units.progress(group)
    by_offer = {need.item.offer.id: need.units for need in seen.needs}
    for offer in (at.eggs, at.ginger):
        wanted = sum(needs.get(offer.id, 0) for needs in last.values())
        assert by_offer[offer.id] == wanted
        assert promised(offer) == (wanted, wanted)
    orders = select(func.coalesce(func.sum(Order.total_fen), 0)).where(
        Order.group_order_id == group.id, Order.state == OrderState.REGISTERED
    )
    assert seen.total.fen == db.session.scalar(orders)
    assert seen.people == sum(1 for needs in last.values() if needs)
