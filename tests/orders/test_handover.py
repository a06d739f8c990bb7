"""Packing what was allocated, sending it, and signing for it."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import set_needs
from orders.actions.handover import pack, pack_order, parse_signature, receive, send, sign
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import (
    Consignment,
    ConsignmentLine,
    NoticeItem,
    Order,
    OrderState,
    PaymentMethod,
    PayMode,
)
from orders.placing import place
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair
from tests.orders.harvest_builders import Closed, closed_round, pay
from tests.visitors import Visitor

SIGNATURE = "M10 20L30 40L50 60L70 80M90 10L95 15"


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def allocated_round(*needs: int, yielded: int, paid: int | None = None) -> Closed:
    closed = closed_round(*needs, paid=paid)
    enter_yield(closed.item.id, None, Harvested(yielded, confirmed=True), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    return closed


def states(closed: Closed) -> list[str]:
    db.session.expire_all()
    return [db.session.get_one(Order, one.id).state.value for one in closed.orders]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M1 2",
        "M1 2L3 4",
        'M1 2L3 4L5 6L7 8"/><script>',
        "M1 2L3 4L5 6l7 8",
        "M1.5 2L3 4L5 6L7 8",
        "L1 2L3 4L5 6L7 8",
        "M1 2L3 4L5 6L7 88888",
        "M\uff11 \uff12L3 4L5 6L7 8",
        "M1 2" + "L3 4" * 6000,
    ],
)
def test_only_drawn_strokes_of_whole_numbers_are_a_signature(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_signature(text)
    assert refusal.value.code == "signature_unreadable"


def test_allocated_units_are_packed_sent_and_signed_for() -> None:
    closed = allocated_round(50, 30, yielded=72)
    packed = pack(closed.seller.id, closed.group_order.id)
    assert [line.quantity for line in packed.lines] == [45, 27]
    send(packed.id, "自己送", "SF123")
    assert states(closed) == ["confirmed", "confirmed"]
    signed = sign(packed.id, SIGNATURE, account_id=closed.coordinator.id)
    assert (signed.signature, signed.signed_by) == (SIGNATURE, closed.coordinator.id)
    assert states(closed) == ["handed", "handed"]
    assert db.session.get_one(Order, closed.orders[0].id).handed_at is not None


def test_nothing_is_packed_before_it_is_allocated_or_twice() -> None:
    closed = closed_round(50)
    with pytest.raises(Conflict) as refusal:
        pack(closed.seller.id, closed.group_order.id)
    assert refusal.value.code == "nothing_to_pack"
    enter_yield(closed.item.id, None, Harvested(50), account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    pack(closed.seller.id, closed.group_order.id)
    with pytest.raises(Conflict):
        pack(closed.seller.id, closed.group_order.id)
    assert len(db.session.scalars(select(Consignment)).all()) == 1


def test_who_has_not_paid_is_packed_only_after_paying() -> None:
    closed = allocated_round(50, 30, yielded=80, paid=1)
    first = pack(closed.seller.id, closed.group_order.id)
    assert [line.quantity for line in first.lines] == [50]
    pay(closed.orders[1])
    second = pack(closed.seller.id, closed.group_order.id)
    assert [line.quantity for line in second.lines] == [30]


def test_only_what_was_sent_is_signed_for_and_only_once() -> None:
    closed = allocated_round(50, yielded=50)
    packed = pack(closed.seller.id, closed.group_order.id)
    with pytest.raises(Conflict) as refusal:
        sign(packed.id, SIGNATURE, account_id=None)
    assert refusal.value.code == "not_sent"
    send(packed.id, "自己送")
    with pytest.raises(Conflict):
        send(packed.id, "别人送")
    sign(packed.id, SIGNATURE, account_id=None)
    with pytest.raises(Conflict) as again:
        sign(packed.id, "M1 1L2 2L3 3L4 4", account_id=None)
    assert again.value.code == "already_signed"
    kept = db.session.scalars(select(Consignment)).one()
    assert (kept.carrier, kept.signature) == ("自己送", SIGNATURE)


def test_an_order_from_two_sellers_is_handed_over_when_both_have_arrived() -> None:
    offers = [builders.offer(), builders.offer()]
    buyer = builders.buyer()
    placed = place(
        buyer,
        {one.id: 2 for one in offers},
        builders.credited_to_shop(*offers),
        PaymentMethod.CASH,
    )
    with transaction() as session:
        order = session.get_one(Order, placed.order_id)
        order.state = OrderState.CONFIRMED
    for number, offer in enumerate(offers):
        packed = pack_order(offer.seller_id, order.id)
        with pytest.raises(Conflict) as refusal:
            receive(order.id, account_id=None)
        assert refusal.value.code == "nothing_on_its_way"
        send(packed.id, "某快递", "SF1")
        receive(order.id, account_id=None)
        db.session.expire_all()
        expected = OrderState.HANDED if number else OrderState.CONFIRMED
        assert db.session.get_one(Order, order.id).state is expected
    assert len(db.session.scalars(select(ConsignmentLine)).all()) == 2


def test_an_order_is_handed_over_when_what_is_still_to_come_turns_out_to_be_nothing() -> None:
    f = fair(PayMode.MEMBERS, members=1)
    set_needs(f.group.id, f.members[0].id, {f.eggs.id: 10, f.ginger.id: 5})
    with clock.frozen(f.closes_at):
        assert close_due_rounds(clock.now()) == 1
    order = db.session.scalars(select(Order).where(Order.state == OrderState.DUE)).one()
    pay(order)
    items = {one.lot_id: one.id for one in db.session.scalars(select(NoticeItem))}
    enter_yield(items[f.eggs.lot_id], None, Harvested(10), account_id=None)
    allocate(items[f.eggs.lot_id], "pro_rata", account_id=None)
    packed = pack(f.eggs.seller_id, f.group.id)
    send(packed.id, "自己送")
    sign(packed.id, SIGNATURE, account_id=f.coordinator.id)
    db.session.expire_all()
    assert db.session.get_one(Order, order.id).state is OrderState.CONFIRMED

    nothing = Harvested(0, confirmed=True)
    enter_yield(items[f.ginger.lot_id], None, nothing, account_id=None)
    allocate(items[f.ginger.lot_id], "pro_rata", account_id=None)
    db.session.expire_all()
    handed = db.session.get_one(Order, order.id)
    assert handed.state is OrderState.HANDED
    assert handed.handed_at is not None
    assert_laws_hold()


def test_an_old_consignment_is_found_until_it_is_signed_for(app: Flask) -> None:
    closed = closed_round(60)
    with transaction() as session:
        of = {"seller_id": closed.seller.id, "group_order_id": closed.group_order.id}
        old = Consignment(**of)
        session.add(old)
        session.flush()
        at = clock.now()
        session.add_all(Consignment(**of, sent_at=at, signed_at=at) for _ in range(51))
    for account, path, link in (
        (closed.clerk, "/seller/consignments", f"/consignments/{old.public_id}"),
        (closed.coordinator, "/unit/arrivals", f"/handover/{old.public_id}"),
    ):
        page = Visitor(app, app.response_class)
        page.enter(account.login)
        first = page.page(path)
        assert f'{link}"' in first
        [further] = re.findall(rf'href="({path}\?cursor=[^"]+)"', first)
        assert page.page(further).count('<section class="sheet blk"') == 2
