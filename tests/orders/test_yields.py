"""Entering a yield, and dividing it among the lines exactly once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.errors import Conflict, Invalid
from kernel.identity import Account
from kernel.ledger import AccountKind, balance
from kernel.quantity import parse_jin
from orders import books
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import set_needs
from orders.actions.harvest import answer, propose, split
from orders.actions.rounds import set_leg
from orders.actions.yields import Harvested, allocate, enter_yield, withdraw_yield
from orders.lifecycle import cancel, lapse_due
from orders.model import (
    AllocationRun,
    HouseholdQuota,
    NoticeItem,
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentShare,
    PaymentState,
    PayMode,
    QuotaState,
    Refund,
    RefundState,
    YieldEntry,
)
from orders.payments.captures import Captured, record_capture
from orders.queries.harvest import preview
from orders.queries.notices import item_view
from sellers.model import Lot, Offer
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair
from tests.orders.harvest_builders import PRICE_FEN, closed_round, harvest


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def entries() -> list[tuple[int | None, int, int | None]]:
    db.session.expire_all()
    rows = db.session.scalars(select(YieldEntry).order_by(YieldEntry.household_id))
    return [(one.household_id, one.quantity, one.weight_g) for one in rows]


def allocated() -> list[int | None]:
    db.session.expire_all()
    return list(db.session.scalars(select(OrderLine.allocated).order_by(OrderLine.id)))


def test_a_household_delivers_units_and_weight_and_is_marked_as_delivered() -> None:
    closed = closed_round(60)
    split(closed.item.id, propose(closed.item, closed.households))
    first = closed.households[0]
    enter_yield(
        closed.item.id,
        first.id,
        Harvested(28, parse_jin("281.5")),
        account_id=closed.steward.id,
        by_proxy=True,
    )
    assert entries() == [(first.id, 28, 140_750)]
    quota = db.session.scalars(select(HouseholdQuota).order_by(HouseholdQuota.id)).first()
    assert quota is not None
    assert quota.state is QuotaState.DELIVERED


def test_a_figure_five_times_off_is_kept_only_when_it_is_confirmed() -> None:
    closed = closed_round(100)
    for wrong in (500, 20, 0):
        with pytest.raises(Conflict) as refusal:
            enter_yield(closed.item.id, None, Harvested(wrong), account_id=None)
        assert refusal.value.code == "looks_mistyped"
    assert entries() == []
    enter_yield(closed.item.id, None, Harvested(20, confirmed=True), account_id=None)
    assert entries() == [(None, 20, None)]


def test_a_weight_five_times_off_is_asked_about_too() -> None:
    closed = closed_round(100)
    with pytest.raises(Conflict) as refusal:
        enter_yield(closed.item.id, None, Harvested(90, 45_000), account_id=None)
    assert refusal.value.code == "looks_mistyped"
    assert entries() == []


def test_a_yield_is_corrected_and_withdrawn_until_it_is_allocated() -> None:
    closed = closed_round(100)
    harvest(closed, 80)
    harvest(closed, 90)
    assert entries() == [(None, 90, None)]
    withdraw_yield(closed.item.id, None)
    assert entries() == []
    harvest(closed, 90)
    allocate(closed.item.id, "pro_rata", account_id=None)
    changes: list[Callable[[], None]] = [
        lambda: harvest(closed, 95),
        lambda: withdraw_yield(closed.item.id, None),
    ]
    for change in changes:
        with pytest.raises(Conflict) as refusal:
            change()
        assert refusal.value.code == "already_allocated"
    assert entries() == [(None, 90, None)]


def test_the_whole_and_its_parts_are_not_counted_twice() -> None:
    closed = closed_round(60)
    split(closed.item.id, propose(closed.item, closed.households))
    harvest(closed, 60)
    with pytest.raises(Conflict) as refusal:
        enter_yield(closed.item.id, closed.households[0].id, Harvested(30), account_id=None)
    assert refusal.value.code == "yield_counted_twice"
    assert entries() == [(None, 60, None)]


def test_a_household_without_a_share_of_the_item_enters_nothing() -> None:
    closed = closed_round(60)
    with pytest.raises(Conflict) as refusal:
        enter_yield(closed.item.id, closed.households[0].id, Harvested(30), account_id=None)
    assert refusal.value.code == "no_quota"
    assert entries() == []


def test_ten_percent_short_takes_ten_percent_from_each_and_refunds_it_once() -> None:
    closed = closed_round(50, 30, 20)
    harvest(closed, 90)
    run = allocate(closed.item.id, "pro_rata", account_id=closed.clerk.id)
    assert (run.yielded, run.allocated, run.left_over) == (90, 90, 0)
    assert allocated() == [45, 27, 18]
    refunds = db.session.scalars(select(Refund).order_by(Refund.line_id)).all()
    assert [(one.units, one.amount_fen, one.cause) for one in refunds] == [
        (units, units * PRICE_FEN, f"short:{run.public_id}") for units in (5, 3, 2)
    ]
    paid_back = 10 * PRICE_FEN
    assert balance(books.BOOK, AccountKind.REFUNDS_OWED).fen == -paid_back
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == -90 * PRICE_FEN
    lot = db.session.get_one(Lot, closed.lot.id)
    assert (lot.yielded, lot.promised, lot.offered) == (90, 90, 990)
    assert db.session.get_one(Offer, closed.offer.id).sold == 90
    assert list(db.session.scalars(select(OrderLine.released).order_by(OrderLine.id))) == [5, 3, 2]


def test_what_is_left_over_is_named_and_nobody_gets_more_than_they_ordered() -> None:
    closed = closed_round(50, 30)
    harvest(closed, 95)
    run = allocate(closed.item.id, "pro_rata", account_id=None)
    assert (run.yielded, run.allocated, run.left_over) == (95, 80, 15)
    assert allocated() == [50, 30]
    assert db.session.scalars(select(Refund)).all() == []


def test_a_member_who_has_not_paid_owes_less() -> None:
    closed = closed_round(50, 50, paid=1)
    harvest(closed, 90)
    allocate(closed.item.id, "pro_rata", account_id=None)
    paid, due = db.session.scalars(select(Payment).order_by(Payment.id)).all()
    assert (paid.refunded_fen, paid.amount_fen) == (5 * PRICE_FEN, 50 * PRICE_FEN)
    assert (due.state, due.amount_fen) == (PaymentState.DUE, 45 * PRICE_FEN)
    states = db.session.scalars(select(Refund.state).order_by(Refund.id)).all()
    assert states == [RefundState.PENDING, RefundState.CUT]


def test_after_the_round_closed_an_unpaid_order_only_lapses_and_the_allocation_skips_it() -> None:
    closed = closed_round(50, 30, paid=1)
    unpaid = closed.orders[1]
    with pytest.raises(Conflict) as refusal:
        cancel(unpaid)
    assert refusal.value.code == "too_late_to_cancel"
    db.session.expire_all()
    assert db.session.get_one(Order, unpaid.id).state is OrderState.DUE
    assert db.session.get_one(Offer, closed.offer.id).sold == 80
    assert closed.group_order.pay_by is not None
    assert lapse_due(closed.group_order.pay_by) == 1
    harvest(closed, 72)
    run = allocate(closed.item.id, "pro_rata", account_id=None)
    # Nine tenths grew; who never paid is skipped, so that the other goes short of nothing.
    assert (run.allocated, run.left_over) == (50, 22)
    assert allocated() == [50, None]
    assert db.session.scalars(select(Refund)).all() == []


def test_a_unit_that_pays_by_transfer_owes_less() -> None:
    closed = closed_round(50, 50, pay_mode=PayMode.UNIT)
    harvest(closed, 90)
    allocate(closed.item.id, "pro_rata", account_id=None)
    payment = db.session.scalars(select(Payment)).one()
    assert payment.amount_fen == 90 * PRICE_FEN
    owner = books.owner_of(closed.unit.id)
    assert balance(books.BOOK, AccountKind.RECEIVABLE, owner).fen == 90 * PRICE_FEN


def test_an_order_that_gets_nothing_ends_and_all_of_it_is_paid_back() -> None:
    closed = closed_round(50, 1)
    harvest(closed, 25)
    allocate(closed.item.id, "first_come", account_id=None)
    db.session.expire_all()
    states = [db.session.get_one(Order, one.id).state for one in closed.orders]
    assert states == [OrderState.CONFIRMED, OrderState.CANCELLED]
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == -25 * PRICE_FEN


def test_nothing_is_allocated_before_a_yield_is_entered_or_by_an_unknown_policy() -> None:
    closed = closed_round(50)
    with pytest.raises(Conflict) as refusal:
        allocate(closed.item.id, "pro_rata", account_id=None)
    assert refusal.value.code == "no_yield"
    harvest(closed, 45)
    with pytest.raises(Invalid):
        allocate(closed.item.id, "by_beauty", account_id=None)
    assert allocated() == [None]
    assert db.session.scalars(select(AllocationRun)).all() == []


def test_a_second_allocation_is_refused_and_refunds_nothing_more() -> None:
    closed = closed_round(50, 30)
    harvest(closed, 72)
    allocate(closed.item.id, "pro_rata", account_id=None)
    with pytest.raises(Conflict) as refusal:
        allocate(closed.item.id, "pro_rata", account_id=None)
    assert refusal.value.code == "already_allocated"
    assert db.session.scalar(select(func.sum(Refund.units))) == 8


def test_who_comes_first_keeps_the_time_of_the_units_that_are_still_needed() -> None:
    at = fair(PayMode.UNIT, members=2)
    first, second = at.members
    hours = timedelta(hours=1)

    def need(member: Account, eggs: int, ginger: int, later: int) -> None:
        with clock.moved(later * hours):
            set_needs(at.group.id, member.id, {at.eggs.id: eggs, at.ginger.id: ginger})

    need(first, 50, 10, 0)
    need(second, 40, 10, 1)
    need(first, 60, 8, 2)
    with clock.moved(3 * hours):
        set_leg(at.round.id, at.ginger.seller_id, clock.now())
    need(second, 45, 10, 4)
    close_due_rounds(at.closes_at)
    got: dict[int, list[int | None]] = {}
    for offer, grown in ((at.eggs, 92), (at.ginger, 9)):
        item = db.session.scalars(select(NoticeItem).where(NoticeItem.lot_id == offer.lot_id)).one()
        enter_yield(item.id, None, Harvested(grown), account_id=None)
        assert preview(item_view(item), "first_come").gets == grown
        allocate(item.id, "first_come", account_id=None)
        by_order = select(OrderLine.allocated).join(Order).order_by(Order.account_id)
        standing = by_order.where(OrderLine.offer_id == offer.id, Order.paid_at.is_(None))
        got[offer.id] = list(
            db.session.scalars(standing.where(Order.state == OrderState.CONFIRMED))
        )
    # Eggs: 50 and 40 were first, then the 10 added by the first. Ginger: 8, then what is left.
    assert got == {at.eggs.id: [52, 40], at.ginger.id: [8, 1]}
    assert_laws_hold()


def test_a_withdrawn_yield_leaves_the_task_as_it_was() -> None:
    closed = closed_round(50)
    split(closed.item.id, propose(closed.item, closed.households))
    asked, willing = closed.households[:2]
    quotas = {q.household_id: q.id for q in db.session.scalars(select(HouseholdQuota))}
    answer(quotas[willing.id], accept=True, account_id=None, by_proxy=False)
    for one in (asked, willing):
        enter_yield(closed.item.id, one.id, Harvested(20, confirmed=True), account_id=None)
        withdraw_yield(closed.item.id, one.id)
    db.session.expire_all()
    states = {q.household_id: q.state for q in db.session.scalars(select(HouseholdQuota))}
    assert (states[asked.id], states[willing.id]) == (QuotaState.OFFERED, QuotaState.ACCEPTED)


def test_who_paid_too_little_keeps_no_harvest_from_being_divided() -> None:
    closed = closed_round(50, 30, paid=1)
    [due] = db.session.scalars(
        select(Payment).join(PaymentShare).where(PaymentShare.order_id == closed.orders[1].id)
    )
    record_capture(due.public_id, Captured(due.amount_fen - 1, clock.now(), "pi_less"))
    harvest(closed, 40)
    assert allocate(closed.item.id, "pro_rata", account_id=None).allocated == 40
    assert lapse_due(clock.now() + timedelta(days=30)) == 1
    assert_laws_hold()
