"""Two who enter or divide a yield at once."""

import threading
from typing import Any
from unittest import mock

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from kernel.db import db
from kernel.errors import Conflict
from kernel.identity import Role
from orders.actions import yields
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    AllocationRun,
    NoticeItem,
    PayMode,
    Refund,
)
from orders.payments.refunds import refund_line
from orders.queries.notices import item_view
from tests import builders
from tests.at_once import PATIENCE_S, at_once
from tests.laws import assert_laws_hold
from tests.locks import start_and_wait
from tests.orders.fairs import fair, official
from tests.orders.harvest_builders import closed_round, harvest
from tests.orders.test_yields import allocated, entries


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def test_two_allocations_at_once_make_one_run_and_one_refund_each(app: Flask) -> None:
    closed = closed_round(50, 30)
    harvest(closed, 72)
    item_id = closed.item.id
    with pytest.RaisesGroup(Conflict, Conflict) as refused:
        at_once(app, *[lambda: allocate(item_id, "pro_rata", account_id=None)] * 3)
    assert {getattr(one, "code", one) for one in refused.value.exceptions} == {"already_allocated"}
    assert db.session.scalar(select(func.count()).select_from(AllocationRun)) == 1
    assert db.session.scalar(select(func.count()).select_from(Refund)) == 2
    assert allocated() == [45, 27]


def test_without_the_lock_two_allocations_collide_in_the_database(app: Flask) -> None:
    """The control: the unique run is the last defence, the lock is what makes it polite."""
    closed = closed_round(50, 30)
    harvest(closed, 72)
    item_id = closed.item.id
    both_read = threading.Barrier(2)

    def unlocked(session: object, wanted: int) -> NoticeItem:
        item = db.session.get_one(NoticeItem, wanted)
        both_read.wait(PATIENCE_S)
        return item

    with (
        mock.patch.object(yields, "lock_item", unlocked),
        mock.patch.object(yields, "_lock_orders"),
        pytest.RaisesGroup(IntegrityError),
    ):
        at_once(app, *[lambda: allocate(item_id, "pro_rata", account_id=None)] * 2)


def test_two_sellers_who_allocate_at_once_wait_for_units_payments_in_one_order(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = fair(PayMode.UNIT)
    unit = builders.buying_unit()
    leader = builders.account(Role.COORDINATOR, unit.organisation)
    second = open_group_order(leader.id, unit.id, at.round.id, PayMode.UNIT)
    others = [official(unit) for _ in range(2)]
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 60})
    set_needs(second.id, others[0].id, {at.eggs.id: 60})
    # Of the ginger the other unit is the first: one seller would begin with what the other ends.
    set_needs(second.id, others[1].id, {at.ginger.id: 10})
    set_needs(at.group.id, at.members[1].id, {at.ginger.id: 10})
    close_due_rounds(at.closes_at)
    items = {one.lot_id: one.id for one in db.session.scalars(select(NoticeItem))}
    eggs, ginger = items[at.eggs.lot_id], items[at.ginger.lot_id]
    enter_yield(eggs, None, Harvested(60), account_id=None)
    enter_yield(ginger, None, Harvested(10), account_id=None)
    raised = list[Exception]()

    def allocate_ginger() -> None:
        with app.app_context():
            try:
                allocate(ginger, "pro_rata", account_id=None)
            except Exception as error:  # what it was is for the test to judge
                raised.append(error)

    other = threading.Thread(target=allocate_ginger, daemon=True)

    def refund(*asked: Any) -> Any:
        done = refund_line(*asked)
        if threading.current_thread() is threading.main_thread() and other.ident is None:
            start_and_wait(other)
        return done

    monkeypatch.setattr(yields, "refund_line", refund)
    allocate(eggs, "pro_rata", account_id=None)
    other.join(PATIENCE_S)
    assert raised == []
    assert allocated() == [30, 30, 5, 5]
    assert_laws_hold()


def test_of_two_who_enter_the_same_yield_the_later_one_stands(app: Flask) -> None:
    closed = closed_round(50)
    item_id = closed.item.id
    enter_yield(item_id, None, Harvested(40), account_id=None)
    item_view(db.session.get_one(NoticeItem, item_id))  # as a page does before it acts
    other = threading.Thread(target=_enter_elsewhere, args=(app, item_id, 50))
    other.start()
    other.join()
    enter_yield(item_id, None, Harvested(40), account_id=None)
    assert entries() == [(None, 40, None)]


def _enter_elsewhere(app: Flask, item_id: int, units: int) -> None:
    with app.app_context():
        enter_yield(item_id, None, Harvested(units), account_id=None)
