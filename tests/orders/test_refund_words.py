"""What a buyer reads of money that goes back: how much, for what, why, and to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db
from kernel.identity import Account, Role
from orders.actions.handover import pack, send
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import Order, Payment, PayMode, Refund
from orders.payments.actions import confirm_transfer
from orders.payments.refunds import repay_debt
from tests import builders
from tests.orders.harvest_builders import Closed, closed_round
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def words(app: Flask, account_id: int | None, path: str, language: str = "zh") -> str:
    """What an account reads at `path`, without markup and blanks."""
    reader = Visitor(app, app.response_class)
    reader.enter(db.session.get_one(Account, account_id).login)
    page = reader.get(path, headers={"Accept-Language": language}).text
    main = re.search(r"<main.*</main>", page, re.DOTALL)
    assert main is not None
    return re.sub(r"<[^>]+>|\s|\u2060", "", main[0])


def fall_short(closed: Closed, came: int) -> None:
    """Let so many boxes come, for who ordered first."""
    enter_yield(closed.item.id, None, Harvested(came, confirmed=True), account_id=None)
    allocate(closed.item.id, "first_come", account_id=None)


def unit_paid(*needs: int) -> Closed:
    """A closed round that the unit has paid for by one transfer."""
    closed = closed_round(*needs, pay_mode=PayMode.UNIT)
    payment = db.session.scalars(select(Payment.public_id)).one()
    confirm_transfer(payment, builders.account(Role.STAFF).id)
    return closed


def page_of(order: Order) -> str:
    return f"/orders/{order.number}"


def test_an_orders_history_says_what_was_refunded_and_why(app: Flask) -> None:
    closed = closed_round(5, 3)
    fall_short(closed, 6)
    order = closed.orders[1]
    read = words(app, order.account_id, page_of(order))
    assert "¥94.00·春橙2箱·收成不够" in read
    assert "春橙2箱，收成不够，正在退¥94.00。" in read
    assert "shortharvest" in words(app, order.account_id, page_of(order), "en").lower()


def test_a_member_whose_unit_paid_is_promised_no_money(app: Flask) -> None:
    closed = unit_paid(5, 3)
    fall_short(closed, 6)
    order = closed.orders[1]
    read = words(app, order.account_id, page_of(order))
    assert "¥94.00退给单位。" in read
    assert "转账退给你" not in read


def test_an_order_that_the_unit_has_not_paid_yet_is_not_called_paid(app: Flask) -> None:
    closed = closed_round(5, pay_mode=PayMode.UNIT)
    [order] = closed.orders
    for path in (page_of(order), "/orders"):
        read = words(app, order.account_id, path)
        assert ("单位付款" in read, "已付款" in read) == (True, False)
    payment = db.session.scalars(select(Payment.public_id)).one()
    confirm_transfer(payment, builders.account(Role.STAFF).id)
    assert "已付款" in words(app, order.account_id, "/orders")


def test_a_member_who_got_nothing_is_not_told_that_nothing_was_ordered(app: Flask) -> None:
    closed = unit_paid(5, 3)
    fall_short(closed, 5)
    read = words(app, closed.orders[1].account_id, f"/needs/{closed.group_order.public_id}")
    assert "你没有订" not in read
    assert "没有收成，这一单取消了" in read
    assert "订了3箱，分到0箱，¥141.00单位没付的不用付，付了的退给单位。" in read


def test_the_coordinator_of_a_unit_that_paid_reads_so_and_what_comes_back(app: Flask) -> None:
    closed = closed_round(5, 3, pay_mode=PayMode.UNIT)
    coordinator, desk = closed.coordinator.id, f"/unit/orders/{closed.group_order.public_id}"
    due = words(app, coordinator, desk)
    assert ("去付款" in due, "前转¥376.00。" in due) == (True, True)
    assert "付了款" not in words(app, coordinator, "/unit/purchases")
    payment = db.session.scalars(select(Payment.public_id)).one()
    staff = builders.account(Role.STAFF).id
    confirm_transfer(payment, staff)
    fall_short(closed, 6)
    paid = words(app, coordinator, desk)
    assert ("去付款" in paid, "单位的转账到账了，¥376.00。" in paid) == (False, True)
    assert "要退给单位¥94.00。" in words(app, coordinator, "/unit/payment")
    repay_debt(db.session.scalars(select(Refund.public_id)).one(), staff, "BANK-7")
    read = words(app, coordinator, "/unit/payment")
    assert ("要退给单位" in read, "退给单位¥94.00了。" in read) == (False, True)


def test_a_unit_for_which_nothing_came_before_it_paid_has_not_paid(app: Flask) -> None:
    closed = closed_round(5, pay_mode=PayMode.UNIT)
    fall_short(closed, 0)
    read = words(app, closed.coordinator.id, "/unit/payment")
    assert ("付清了" in read, "不用付了" in read) == (False, True)


def test_who_signs_for_a_unit_that_paid_reads_that_the_unit_gets_it_back(app: Flask) -> None:
    closed = unit_paid(5, 3)
    fall_short(closed, 6)
    packed = pack(closed.seller.id, closed.group_order.id)
    send(packed.id, "自己送")
    read = words(app, closed.coordinator.id, f"/handover/{packed.public_id}")
    assert "付了的退给单位。" in read
    assert "原路退回" not in read
