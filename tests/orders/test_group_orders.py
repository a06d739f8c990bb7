"""Group orders: one for each unit and round, filled by its members' needs only."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound, OfferClosed, OutOfStock
from kernel.identity import Role
from kernel.money import MAX_FEN, Money
from orders import placing
from orders.actions.closing import close_due_rounds, close_group_order
from orders.actions.group_orders import (
    GroupOrderClosed,
    NotAMember,
    RoundClosed,
    open_group_order,
    set_needs,
)
from orders.actions.rounds import add_offer, create_round, set_leg
from orders.lifecycle import cancel
from orders.model import GroupOrder, GroupOrderState, Order, OrderLine, OrderState, PayMode
from orders.queries.mine import orders_of
from orders.queries.rounds import items_of
from orders.queries.units import progress
from sellers.actions import OfferTerms, change_offer, return_to_seller, withdraw_offer
from sellers.model import LotMode
from tests import builders
from tests.orders.fairs import fair, official, plan, promised


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def live_orders() -> list[tuple[int | None, int]]:
    """(account, total) of every registered need."""
    rows = db.session.execute(
        select(Order.account_id, Order.total_fen)
        .where(Order.state == OrderState.REGISTERED)
        .order_by(Order.id)
    )
    return [(row.account_id, row.total_fen) for row in rows]


def test_a_unit_opens_one_group_order_in_a_round() -> None:
    at = fair()
    with pytest.raises(Conflict) as refusal:
        open_group_order(at.coordinator.id, at.unit.id, at.round.id, PayMode.UNIT)
    assert refusal.value.code == "group_order_exists"
    assert refusal.value.extra["group_order_id"] == at.group.public_id
    assert db.session.scalar(select(func.count(GroupOrder.id))) == 1


def test_a_round_that_is_not_open_takes_no_group_order() -> None:
    coming = create_round(plan(opens_at=clock.now() + timedelta(hours=1)))
    unit = builders.buying_unit()
    with pytest.raises(RoundClosed):
        open_group_order(builders.account().id, unit.id, coming.id, PayMode.UNIT)
    assert db.session.scalar(select(func.count(GroupOrder.id))) == 0


def test_a_member_registers_what_it_needs_and_stock_is_promised() -> None:
    at = fair()
    needs = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30, at.ginger.id: 2})
    assert needs.total == Money(30 * 150 + 2 * 900)
    assert live_orders() == [(at.members[0].id, 6300)]
    assert promised(at.eggs) == (30, 30)
    lines = db.session.scalars(select(OrderLine).order_by(OrderLine.offer_id)).all()
    assert {line.credit_source_id for line in lines} == {at.round.credit_source_id}


def test_a_change_replaces_all_that_was_needed_before() -> None:
    at = fair()
    member = at.members[0].id
    set_needs(at.group.id, member, {at.eggs.id: 30, at.ginger.id: 2})
    needs = set_needs(at.group.id, member, {at.eggs.id: 10})
    assert needs.units == {at.eggs.id: 10}
    assert live_orders() == [(member, 1500)]
    assert promised(at.eggs) == (10, 10)
    assert promised(at.ginger) == (0, 0)


def test_the_same_needs_again_change_nothing() -> None:
    at = fair()
    first = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    again = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30, at.ginger.id: 0})
    assert again == first
    assert db.session.scalar(select(func.count(Order.id))) == 1


def test_no_needs_cancel_what_was_registered() -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    needs = set_needs(at.group.id, at.members[0].id, {})
    assert needs.number is None
    assert live_orders() == []
    assert promised(at.eggs) == (0, 0)


def test_a_member_keeps_its_needs_when_new_ones_are_refused() -> None:
    at = fair(eggs=50)
    member = at.members[0].id
    before = set_needs(at.group.id, member, {at.eggs.id: 40, at.ginger.id: 1})
    with pytest.raises(OutOfStock) as refusal:
        set_needs(at.group.id, member, {at.eggs.id: 51})
    assert refusal.value.extra["left"] == 50, "what the member gives back is left for it"
    assert set_needs(at.group.id, member, {at.eggs.id: 40, at.ginger.id: 1}) == before
    assert promised(at.eggs) == (40, 40)
    assert promised(at.ginger) == (1, 1)


def test_all_of_the_last_units_can_be_kept_and_more_of_another_added() -> None:
    at = fair(eggs=40)
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 40})
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 40, at.ginger.id: 3})
    assert promised(at.eggs) == (40, 40)
    assert promised(at.ginger) == (3, 3)


def test_only_active_members_of_the_unit_register() -> None:
    at = fair()
    stranger = builders.account()
    with pytest.raises(NotAMember):
        set_needs(at.group.id, stranger.id, {at.eggs.id: 30})
    assert live_orders() == []
    assert promised(at.eggs) == (0, 0)


def test_an_offer_outside_the_round_cannot_be_needed() -> None:
    at = fair()
    elsewhere = builders.offer()
    with pytest.raises(NotFound):
        set_needs(at.group.id, at.members[0].id, {elsewhere.id: 1})
    assert promised(elsewhere) == (0, 0)


def test_needs_below_what_can_be_paid_online_are_refused_where_members_pay() -> None:
    at = fair()
    with pytest.raises(Invalid) as refusal:
        set_needs(at.group.id, at.members[0].id, {at.eggs.id: 2})
    assert refusal.value.code == "amount_too_small"
    assert promised(at.eggs) == (0, 0)
    by_unit = fair(PayMode.UNIT)
    assert set_needs(by_unit.group.id, by_unit.members[0].id, {by_unit.eggs.id: 2}).number


def test_registration_ends_at_the_very_second_of_the_cut_off() -> None:
    at = fair()
    with clock.frozen(at.closes_at - timedelta(microseconds=1)):
        set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    with clock.frozen(at.closes_at), pytest.raises(RoundClosed):
        set_needs(at.group.id, at.members[1].id, {at.eggs.id: 30})
    with clock.frozen(at.closes_at), pytest.raises(RoundClosed):
        set_needs(at.group.id, at.members[0].id, {})
    assert promised(at.eggs) == (30, 30)


def test_a_seller_cut_off_earlier_keeps_its_lines_while_others_still_change() -> None:
    at = fair()
    member = at.members[0].id
    early = clock.now() + timedelta(hours=1)
    set_leg(at.round.id, at.eggs.seller_id, early)
    set_needs(at.group.id, member, {at.eggs.id: 30, at.ginger.id: 2})
    with clock.frozen(early):
        with pytest.raises(OfferClosed):
            set_needs(at.group.id, member, {at.eggs.id: 29, at.ginger.id: 2})
        changed = set_needs(at.group.id, member, {at.eggs.id: 30, at.ginger.id: 5})
        assert changed.total == Money(30 * 150 + 5 * 900)
        assert promised(at.ginger) == (5, 5)
        left = set_needs(at.group.id, member, {at.eggs.id: 30})
    assert left.units == {at.eggs.id: 30}
    assert live_orders() == [(member, 4500)]
    assert promised(at.eggs) == (30, 30)
    assert promised(at.ginger) == (0, 0)


def test_an_offer_its_seller_withdraws_is_cut_off_then_and_what_was_ordered_stands() -> None:
    at = fair()
    member = at.members[0].id
    set_needs(at.group.id, member, {at.eggs.id: 30, at.ginger.id: 2})
    withdraw_offer(at.eggs.id)
    withdraw_offer(at.ginger.id)
    with pytest.raises(OfferClosed):
        set_needs(at.group.id, member, {at.eggs.id: 31, at.ginger.id: 2})
    assert {item.offer.id for item in items_of(at.round.id)} == {at.eggs.id, at.ginger.id}
    assert progress(at.group).total == Money(30 * 150 + 2 * 900)
    assert promised(at.eggs) == (30, 30)


def test_an_offer_withdrawn_before_anybody_ordered_it_is_out_of_the_round() -> None:
    at = fair()
    withdraw_offer(at.eggs.id)
    with pytest.raises(OfferClosed):
        set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    assert [item.offer.id for item in items_of(at.round.id)] == [at.ginger.id]


def test_a_closed_group_order_takes_no_change() -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    with transaction() as session:
        session.get_one(GroupOrder, at.group.id).state = GroupOrderState.CLOSED
    with pytest.raises(GroupOrderClosed):
        set_needs(at.group.id, at.members[0].id, {at.eggs.id: 60})
    assert promised(at.eggs) == (30, 30)


def test_needs_are_cancelled_from_the_orders_page_only_until_the_cut_off() -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    order = db.session.scalars(select(Order)).one()
    with clock.frozen(at.closes_at), pytest.raises(Conflict) as refusal:
        cancel(order)
    assert refusal.value.code == "too_late_to_cancel"
    assert promised(at.eggs) == (30, 30)
    with clock.frozen(at.closes_at - timedelta(seconds=1)):
        cancel(db.session.scalars(select(Order)).one())
    assert promised(at.eggs) == (0, 0)


def test_my_orders_leave_out_what_a_change_of_needs_replaced() -> None:
    at = fair()
    member = at.members[0]
    for eggs in (30, 60, 90):
        set_needs(at.group.id, member.id, {at.eggs.id: eggs})
    who = Viewer(account_id=member.id, visitor="")
    assert [one.total_fen for one in orders_of(who, cursor=None, page_size=9).items] == [13_500]
    set_needs(at.group.id, member.id, {})
    [given_up] = orders_of(who, cursor=None, page_size=9).items
    assert (given_up.state, given_up.total_fen) == (OrderState.CANCELLED, 13_500)


def test_an_unpaid_order_may_be_cancelled_while_the_round_is_open() -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    close_group_order(at.group.id)
    cancel(db.session.scalars(select(Order)).one())
    assert db.session.scalars(select(Order.state)).one() is OrderState.CANCELLED
    assert promised(at.eggs) == (0, 0)


def test_what_a_member_does_not_change_keeps_the_price_at_which_it_was_registered() -> None:
    f = fair(members=1)
    set_needs(f.group.id, f.members[0].id, {f.eggs.id: 10, f.ginger.id: 5})
    change_offer(f.eggs.id, OfferTerms(price_fen=300))
    needs = set_needs(f.group.id, f.members[0].id, {f.eggs.id: 10, f.ginger.id: 6})
    assert needs.total == Money(10 * 150 + 6 * 900)
    assert (promised(f.eggs), promised(f.ginger)) == ((10, 10), (6, 6))
    needs = set_needs(f.group.id, f.members[0].id, {f.eggs.id: 11, f.ginger.id: 6})
    assert needs.total == Money(11 * 300 + 6 * 900)


def test_a_seller_that_was_returned_keeps_no_member_from_changing_the_rest() -> None:
    f = fair(members=1)
    set_needs(f.group.id, f.members[0].id, {f.eggs.id: 10, f.ginger.id: 5})
    return_to_seller(f.eggs.seller_id, builders.account(Role.STAFF).id, "证书过期")
    needs = set_needs(f.group.id, f.members[0].id, {f.eggs.id: 10, f.ginger.id: 6})
    assert needs.units == {f.eggs.id: 10, f.ginger.id: 6}


@pytest.mark.parametrize("pay_mode", list(PayMode))
def test_a_need_that_nobody_can_pay_is_refused_and_keeps_no_round_from_closing(
    pay_mode: PayMode,
) -> None:
    made = create_round(plan(timedelta(hours=1)))
    lot = builders.lot(builders.product(builders.seller()), 10_000_000, LotMode.IN_FIELD)
    offer = add_offer(made.id, lot.id, MAX_FEN)
    unit = builders.buying_unit()
    lead = builders.account(Role.COORDINATOR, unit.organisation)
    group = open_group_order(lead.id, unit.id, made.id, pay_mode)
    with pytest.raises(Invalid) as refusal:
        set_needs(group.id, official(unit).id, {offer.id: 900_000})
    assert refusal.value.code == "amount_too_large"
    with clock.frozen(made.closes_at):
        assert close_due_rounds(clock.now()) == 1


def test_what_a_member_keeps_counts_with_what_it_adds_against_the_most_that_one_may_need() -> None:
    f = fair(PayMode.UNIT, eggs=10_000_000, ginger=1_000_000)
    member = f.members[0].id
    set_needs(f.group.id, member, {f.eggs.id: 6_600_000})
    with pytest.raises(Invalid) as refusal:
        set_needs(f.group.id, member, {f.eggs.id: 6_600_000, f.ginger.id: 100_000})
    assert refusal.value.code == "amount_too_large"
    assert live_orders() == [(member, 990_000_000)]
    assert (promised(f.eggs), promised(f.ginger)) == ((6_600_000,) * 2, (0, 0))


def test_what_a_member_keeps_counts_with_what_it_adds_against_the_lines_of_one_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f = fair()
    member = f.members[0].id
    set_needs(f.group.id, member, {f.eggs.id: 10})
    monkeypatch.setattr(placing, "MAX_LINES", 1)
    with pytest.raises(Invalid) as refusal:
        set_needs(f.group.id, member, {f.eggs.id: 10, f.ginger.id: 1})
    assert refusal.value.code == "lines_out_of_bounds"
    assert live_orders() == [(member, 1500)]
