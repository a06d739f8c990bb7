"""Money that comes late beside an allocation, and beside who packs: nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel import clock
from kernel.db import db, transaction
from orders import lifecycle
from orders.actions import harvest, yields
from orders.actions.handover import pack
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    NoticeItem,
    Order,
    OrderState,
    Payment,
    PaymentShare,
)
from orders.payments.actions import (
    Captured,
    record_capture,
)
from tests.at_once import PATIENCE_S
from tests.laws import assert_laws_hold
from tests.locks import start_and_wait, waiting_for_locks
from tests.orders.harvest_builders import closed_round, pay
from tests.payment_sandbox import SandboxServer


def test_late_money_and_an_allocation_that_waited_for_the_same_order_both_end(
    app: Flask, shop: SandboxServer
) -> None:
    closed = closed_round(10, paid=0)
    enter_yield(closed.item.id, None, Harvested(10), account_id=None)
    [order] = closed.orders
    [payment] = db.session.scalars(select(Payment))
    order_id, item_id, public_id = order.id, closed.item.id, payment.public_id
    arrived = Captured(payment.amount_fen, clock.now(), "pi_late")
    db.session.rollback()
    works = (
        lambda: record_capture(public_id, arrived),
        lambda: allocate(item_id, "pro_rata", account_id=None),
    )
    given: list[object] = []

    def run(work: Callable[[], object]) -> None:
        with app.app_context():
            given.append(work())

    waiting = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    with transaction() as session:
        lifecycle.lock_order(session, order_id)
        for one in waiting:
            start_and_wait(one)
        assert lifecycle.lapse_due(clock.now() + timedelta(days=3)) == 1
    for one in waiting:
        one.join(PATIENCE_S)
    assert len(given) == len(works)
    db.session.expire_all()
    # Whoever waits at a row is served by chance: the money in time for the harvest, or too late.
    order = db.session.get_one(Order, order_id)
    ends = {(OrderState.CONFIRMED, 10), (OrderState.LAPSED, None)}
    assert (order.state, order.lines[0].allocated) in ends
    assert_laws_hold()


def test_packing_a_group_and_late_money_between_an_allocations_locks_wait_for_no_circle(
    app: Flask, shop: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = closed_round(10, 20, paid=0)
    late_id, paid_id = (order.id for order in closed.orders)
    pay(closed.orders[1])
    enter_yield(closed.item.id, None, Harvested(30), account_id=None)
    payment = db.session.scalars(
        select(Payment).join(Payment.shares).where(PaymentShare.order_id == late_id)
    ).one()
    public_id, arrived = payment.public_id, Captured(payment.amount_fen, clock.now(), "pi_late")
    seller_id, group_id = closed.seller.id, closed.group_order.id
    assert lifecycle.lapse_due(clock.now() + timedelta(days=3)) == 1
    ended: list[object] = []

    def beside(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            with app.app_context():
                ended.append(work())

        return threading.Thread(target=run, daemon=True)

    payer = beside(lambda: record_capture(public_id, arrived))
    packer = beside(lambda: pack(seller_id, group_id))
    honest = harvest.lock_item

    def lock_item(session: Session, item_id: int) -> NoticeItem:
        before = waiting_for_locks()
        payer.start()
        while payer.is_alive() and waiting_for_locks() == before:
            pass  # either it is through, or it waits for us
        start_and_wait(packer)
        return honest(session, item_id)

    monkeypatch.setattr(yields, "lock_item", lock_item)
    allocate(closed.item.id, "pro_rata", account_id=None)
    for one in (payer, packer):
        one.join(PATIENCE_S)
    assert len(ended) == 2
    db.session.expire_all()
    assert db.session.get_one(Order, late_id).state is OrderState.LAPSED
    assert db.session.get_one(Order, paid_id).lines[0].allocated == 20
    assert_laws_hold()
