"""What buyers are told when a harvest falls short."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db
from kernel.money import Money
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import Consignment, OrderLine
from orders.queries.shortage import shortages
from tests.orders.harvest_builders import PRICE_FEN, closed_round
from tests.orders.test_settlement import deliver, handed_over
from tests.visitors import Visitor

EGGS, GINGER = 1, 2


def line(product_id: int, quantity: int, allocated: int | None, price_fen: int = 150) -> OrderLine:
    return OrderLine(
        product_id=product_id, quantity=quantity, allocated=allocated, price_fen=price_fen
    )


def test_lines_of_one_product_fall_short_together_each_at_its_own_price() -> None:
    [short] = shortages(
        [line(EGGS, 30, 20), line(EGGS, 10, 8, 200), line(EGGS, 10, 10), line(EGGS, 5, None)]
    )
    assert (short.ordered, short.allocated) == (50, 38)
    assert short.money == Money(10 * 150 + 2 * 200)


def test_what_came_whole_or_is_not_allocated_yet_is_not_short() -> None:
    assert shortages([line(EGGS, 30, 30), line(GINGER, 5, None)]) == []


@pytest.mark.parametrize("short", [0, 12])
def test_whoever_signs_is_told_what_fell_short_and_what_it_costs(app: Flask, short: int) -> None:
    with app.app_context():
        closed = handed_over(60, 60, short=short)
        coordinator = Visitor(app, app.response_class)
        coordinator.enter(closed.coordinator.login)
        packed = db.session.scalars(select(Consignment.public_id)).one()
        told = re.findall(
            r"订了 (.+?)，分到 (.+?)，(.+?) 没付的", coordinator.page(f"/handover/{packed}")
        )
    money = str(Money(12 * PRICE_FEN))
    assert [(units[:3], got[:3], what) for units, got, what in told] == (
        [("120", "108", money)] if short else []
    )


def test_whoever_signs_is_told_of_those_who_got_nothing(app: Flask) -> None:
    with app.app_context():
        closed = closed_round(5, 1)
        enter_yield(closed.item.id, None, Harvested(5), account_id=None)
        allocate(closed.item.id, "first_come", account_id=None)
        deliver(closed)
        coordinator = Visitor(app, app.response_class)
        coordinator.enter(closed.coordinator.login)
        packed = db.session.scalars(select(Consignment.public_id)).one()
        told = re.findall(r"订了 (\d+).+?分到 (\d+)", coordinator.page(f"/handover/{packed}"))
    assert told == [("6", "5")]
