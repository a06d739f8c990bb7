"""What a coordinator reads of an order that is closed, and of the year's target."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account
from kernel.money import Money
from orders.actions.group_orders import set_needs
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.lifecycle import lapse_due
from orders.model import GroupOrder, Order, OrderState, PurchaseTarget, Round
from orders.queries.outcomes import outcomes
from orders.queries.targets import target
from orders.queries.units import history, to_pay
from tests.orders.fairs import fair
from tests.orders.harvest_builders import PRICE_FEN, closed_round, pay
from tests.orders.test_settlement import handed_over
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def test_what_was_asked_for_came_was_refunded_and_paid_stand_apart() -> None:
    closed = handed_over(60, 60, short=12)
    seen = outcomes([closed.group_order.id])[closed.group_order.id]
    assert (seen.asked, seen.came) == (Money(120 * PRICE_FEN), Money(108 * PRICE_FEN))
    assert (seen.refunded, seen.paid) == (Money(12 * PRICE_FEN), Money(108 * PRICE_FEN))


def test_before_anything_is_allocated_nothing_came_and_only_what_was_paid_is_paid() -> None:
    closed = closed_round(60, 40, paid=1)
    seen = outcomes([closed.group_order.id])[closed.group_order.id]
    assert (seen.asked, seen.came) == (Money(100 * PRICE_FEN), None)
    assert (seen.refunded, seen.paid) == (Money(0), Money(60 * PRICE_FEN))


def test_what_was_paid_too_late_and_went_back_is_not_paid() -> None:
    closed = closed_round(60, 40, paid=1)
    assert closed.group_order.pay_by is not None
    assert lapse_due(closed.group_order.pay_by) == 1
    enter_yield(closed.item.id, None, Harvested(60), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    pay(closed.orders[1])
    seen = outcomes([closed.group_order.id])[closed.group_order.id]
    assert (seen.refunded, seen.paid) == (Money(0), Money(60 * PRICE_FEN))


def test_what_is_still_to_come_at_new_year_in_beijing_stays_committed() -> None:
    new_year = clock.start_of_year(clock.today().year + 1)
    with clock.frozen(new_year - timedelta(minutes=30)):
        closed = closed_round(60)
    with transaction() as session:
        for year in (clock.local(new_year).year - 1, clock.local(new_year).year):
            session.add(
                PurchaseTarget(
                    unit_id=closed.unit.id, year=year, budget_fen=9_600_000, basis_points=1500
                )
            )
    for at in (new_year - timedelta(minutes=1), new_year):
        seen = target(closed.unit.id, at)
        assert seen is not None
        assert (seen.completed, seen.committed) == (Money(0), Money(60 * PRICE_FEN))


def test_the_pages_of_a_closed_order_tell_it_and_speak_no_more_of_registering(app: Flask) -> None:
    closed = handed_over(60, 60, short=12)
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(closed.coordinator.login)
    sums = [str(Money(units * PRICE_FEN)) for units in (120, 108, 12)]
    for path in ("/unit/orders", f"/unit/orders/{closed.group_order.public_id}"):
        words = re.sub(r"<[^>]+>|\s", "", coordinator.page(path))
        assert all(money in words for money in sums)
        for gone in ("没登记", "正好满箱", "要买的", "刚刚登记"):
            assert gone not in words


def test_what_was_signed_for_counts_as_completed_while_the_rest_of_its_order_is_coming() -> None:
    closed = handed_over(60, 60, short=12)
    with transaction() as session:
        year = clock.today().year
        session.add(
            PurchaseTarget(
                unit_id=closed.unit.id, year=year, budget_fen=9_600_000, basis_points=1500
            )
        )
        # As an order is of which another seller's part has not been signed for.
        session.execute(update(Order).values(state=OrderState.CONFIRMED))
    seen = target(closed.unit.id, clock.now())
    assert seen is not None
    assert (seen.completed, seen.committed) == (Money(108 * PRICE_FEN), Money(0))


def test_the_coordinator_reads_who_has_not_paid_and_that_the_link_is_closed(app: Flask) -> None:
    closed = closed_round(60, 40, paid=1)
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(closed.coordinator.login)
    words = re.sub(r"<[^>]+>|\s", "", coordinator.page("/unit/payment"))
    assert "还没付的办公室0001" in words
    assert "办公室0000" not in words
    share = coordinator.page(f"/unit/orders/{closed.group_order.public_id}/share")
    assert "登记已经截止" in share
    assert "/qr.svg" not in share
    assert "就能登记" not in share


def test_an_orders_history_is_told_in_the_readers_language(app: Flask) -> None:
    handed_over(60, 60, short=12)
    order = db.session.scalars(select(Order).order_by(Order.id).limit(1)).one()
    [line] = order.lines
    number, kept, units = order.number, line.allocation_facts, line.allocated
    member = Visitor(app, app.response_class)
    member.enter(db.session.get_one(Account, order.account_id).login)
    told = {"en": rf"60 \S+ ordered · {units} \S+ allocated", "zh": r"订了 60 \S+，分到"}
    for language, words in told.items():
        page = member.get(f"/orders/{number}", headers={"Accept-Language": language}).text
        assert re.search(words, re.sub(r"<[^>]+>", "", page)), language
        assert kept not in page


def test_an_order_that_is_registered_leads_back_to_its_needs(app: Flask) -> None:
    at = fair()
    number = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30}).number
    member = Visitor(app, app.response_class)
    member.enter(at.members[0].login)
    assert f'href="/needs/{at.group.public_id}"' in member.page(f"/orders/{number}")


def test_the_list_to_hand_out_by_says_what_came_and_beside_it_what_was_ordered(app: Flask) -> None:
    closed = handed_over(60, 60, short=12)
    coordinator = Visitor(app, app.response_class)
    coordinator.enter(closed.coordinator.login)
    page = coordinator.page(f"/unit/orders/{closed.group_order.public_id}/print")
    words = re.sub(r"<[^>]+>|\s", "", page)
    came = [line.allocated for order in closed.orders for line in order.lines]
    assert sum(units or 0 for units in came) == 108
    assert all(f"{units}箱（订了60箱）" in words for units in came)
    assert "108箱（订了120箱）" in words
    assert words.count(str(Money(108 * PRICE_FEN))) == 2


def test_what_is_unpaid_stands_before_newer_orders_that_are_paid() -> None:

    older, newer = closed_round(6, paid=0), closed_round(6)

    with transaction() as session:
        session.execute(
            update(GroupOrder)
            .where(GroupOrder.id == newer.group_order.id)
            .values(unit_id=older.unit.id)
        )
        session.execute(
            update(Round)
            .where(Round.id == older.round.id)
            .values(closes_at=Round.closes_at - timedelta(minutes=1))
        )
    assert [one.group.id for one in history(older.unit.id)] == [
        newer.group_order.id, older.group_order.id,
    ]  # fmt: skip
    assert [one.group.id for one in to_pay(older.unit.id)] == [
        older.group_order.id, newer.group_order.id,
    ]  # fmt: skip
