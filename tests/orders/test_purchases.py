"""What a unit bought in a year: the page, the workbook and the JSON hold the target's figures."""

import io
from datetime import timedelta

import pytest
from flask import Flask
from openpyxl import load_workbook

from kernel import clock
from kernel.db import transaction
from kernel.money import Money
from orders.model import PurchaseTarget
from orders.queries.targets import Year, of_year, target
from tests.orders.harvest_builders import PRICE_FEN, closed_round
from tests.orders.test_settlement import handed_over
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def with_target(unit_id: int, year: int) -> None:
    with transaction() as session:
        session.add(
            PurchaseTarget(unit_id=unit_id, year=year, budget_fen=9_600_000, basis_points=1500)
        )


def this_year() -> int:
    return clock.today().year


def test_a_product_of_a_round_is_one_purchase_of_what_was_allocated_to_all() -> None:
    closed = handed_over(60, 60, short=12)
    [one] = of_year(closed.unit.id, this_year()).purchases
    assert (one.units, one.price, one.total) == (108, Money(PRICE_FEN), Money(108 * PRICE_FEN))
    assert one.group_order == closed.group_order.public_id
    assert one.received_on == clock.today()
    assert one.seller_name_zh == closed.seller.name_zh
    assert one.places[-1] == closed.seller.county


def test_purchases_add_up_to_the_sums_of_the_target() -> None:
    closed = handed_over(60, 60, short=12)
    with_target(closed.unit.id, this_year())
    seen, goal = of_year(closed.unit.id, this_year()), target(closed.unit.id, clock.now())
    assert goal is not None
    assert (seen.completed, seen.committed) == (goal.completed, goal.committed)
    assert (seen.goal, seen.completed_bp) == (goal.goal, goal.completed_bp)


def test_what_is_paid_and_not_signed_for_is_on_its_way_and_what_is_not_paid_is_nothing() -> None:
    closed = closed_round(60, 40, paid=1)
    seen = of_year(closed.unit.id, this_year())
    assert [(one.units, one.received_on) for one in seen.purchases] == [(60, None)]
    assert (seen.committed, seen.completed) == (Money(60 * PRICE_FEN), Money(0))


def test_a_signature_belongs_to_the_year_that_it_has_in_beijing() -> None:
    new_year = clock.start_of_year(this_year() + 1)
    with clock.frozen(new_year - timedelta(hours=1)):
        closed = handed_over(60)
    signed = of_year(closed.unit.id, this_year())
    assert [one.received_on for one in signed.purchases] == [
        clock.local(new_year - timedelta(hours=1)).date()
    ]
    assert of_year(closed.unit.id, this_year() + 1) == Year(this_year() + 1, None, [])


def test_one_unit_does_not_see_what_another_bought(app: Flask) -> None:
    mine, other = handed_over(60), handed_over(40)
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(mine.coordinator.login)
    words = coordinator.page("/unit/purchases")
    assert mine.group_order.public_id in words
    assert other.group_order.public_id not in words


def test_the_workbook_holds_every_purchase_and_the_sums(app: Flask) -> None:
    closed = handed_over(60, 60, short=12)
    with_target(closed.unit.id, this_year())
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(closed.coordinator.login)
    answer = coordinator.get("/unit/purchases.xlsx")
    rows = list(load_workbook(io.BytesIO(answer.data)).worksheets[0].iter_rows(values_only=True))
    bought, received, ordered, goal, whose = rows[1:]
    assert bought[0] == clock.today().isoformat()
    assert bought[-3:] == (PRICE_FEN / 100, 108, 108 * PRICE_FEN / 100)
    assert (received[0], received[-1]) == ("已收货", 108 * PRICE_FEN / 100)
    assert (ordered[0], ordered[-1]) == ("已预订", 0)
    assert (goal[0], goal[-1]) == ("采购任务", 14_400)
    assert whose[:2] == ("采购单位", closed.unit.name_zh)


def test_a_year_that_is_none_is_refused_and_this_one_shown(app: Flask) -> None:
    closed = handed_over(60)
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(closed.coordinator.login)
    for typed in ("1999", "next", "9" * 30, "２０"):
        answer = coordinator.get(f"/unit/purchases?year={typed}")
        assert answer.status_code == 422
        assert f"选 {this_year() - 2} 到 {this_year()} 年里的一年。" in answer.text
        assert closed.group_order.public_id in answer.text
        assert coordinator.get(f"/unit/purchases.xlsx?year={typed}").status_code == 422
