"""Sites, slots, restocking, returns and stock-takes."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from cabinets.actions import operated
from cabinets.actions.sites import (
    CabinetFacts,
    SiteFacts,
    create_cabinet,
    create_site,
    new_device_key,
)
from cabinets.actions.trips import CountLine, ReturnLine, TripLine, give_back, restock, take_stock
from cabinets.model import Cabinet, Slot, SlotEvent, SlotEventKind, StockDifference
from cabinets.stock import expected_of
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.errors import Conflict, Denied, Invalid, NotFound, OfferClosed, OutOfStock, Refusal
from orders.model import CreditKind
from sellers.actions import withdraw_offer
from sellers.model import Lot, LotMode, Offer, Place
from tests import builders
from tests.cabinets.cabinet_builders import cabinet, lot, set_offer, staff, stocked
from tests.cabinets.cabinet_builders import operator as another_operator
from tests.laws import assert_laws_hold


def expected(code: str = "one-1", number: int = 1) -> int:
    """Units that a slot should hold."""
    db.session.expire_all()
    slot_id = db.session.scalars(
        select(Slot.id).join(Cabinet).where(Cabinet.code == code, Slot.number == number)
    ).one()
    return expected_of([slot_id])[slot_id]


def promised(lot_id: int) -> int:
    """Units that a lot promised, as the database has it."""
    db.session.expire_all()
    return db.session.get_one(Lot, lot_id).promised


def lot_of(code: str = "one-1", number: int = 1) -> Lot:
    """The lot that a slot sells."""
    slot = db.session.scalars(
        select(Slot).join(Cabinet).where(Cabinet.code == code, Slot.number == number)
    ).one()
    assert slot.offer is not None
    return slot.offer.lot


def events() -> int:
    """How many slot events there are."""
    return db.session.scalar(select(func.count()).select_from(SlotEvent)) or 0


def test_a_cabinet_has_slots_a_key_and_its_own_credit(operator: Viewer) -> None:
    made = cabinet(operator, slots=4)
    assert [slot.number for slot in made.slots] == [1, 2, 3, 4]
    assert made.credit.kind is CreditKind.CABINET
    assert len(made.device_key) > 30
    assert (
        operated(operator, "one-1").site.operator_id == operator.organisations(*operator.roles)[0]
    )


@pytest.mark.parametrize("code", ["A", "x", "-x1", "x y", "x" * 40, "单位"])
def test_a_code_that_cannot_stand_in_an_address_is_refused(operator: Viewer, code: str) -> None:
    with pytest.raises(Invalid):
        create_site(operator, SiteFacts(code=code, kind="office", name_zh="某处", city="重庆市"))


def test_a_code_is_given_once(operator: Viewer) -> None:
    site = cabinet(operator).site
    with pytest.raises(Invalid):
        create_cabinet(operator, site.code, CabinetFacts(code="one-1", slots=1, capacity=1))
    assert db.session.scalar(select(func.count()).select_from(Cabinet)) == 1


def test_staff_say_whose_site_it_is_and_operators_get_their_own(operator: Viewer) -> None:
    platform = staff()
    with pytest.raises(Denied):
        create_site(platform, SiteFacts(code="x-1", kind="office", name_zh="某处", city="重庆市"))
    with pytest.raises(NotFound):
        create_site(
            platform,
            SiteFacts(code="x-1", kind="office", name_zh="某处", city="重庆市", operator="nobody"),
        )


def test_another_operators_cabinet_does_not_exist(operator: Viewer) -> None:
    stocked(operator)
    other = another_operator("operator-2")
    with pytest.raises(NotFound):
        restock(other, "one-1", [TripLine(1, 1)])
    with pytest.raises(NotFound):
        new_device_key(other, "one-1")
    assert expected() == 5
    assert operated(staff(), "one-1").code == "one-1"


def test_a_slot_sells_a_lot_through_an_offer_of_its_own(operator: Viewer) -> None:
    cabinet(operator)
    goods = lot()
    offer = set_offer(operator, "one-1", 2, goods.public_id, 700)
    assert (offer.place, offer.quota, offer.price_fen) == (Place.SLOT, None, 700)
    assert offer.lot_id == goods.id


def test_a_new_price_keeps_the_offer_and_another_lot_ends_it(operator: Viewer) -> None:
    stocked(operator, 0)
    first = lot_of()
    offer = set_offer(operator, "one-1", 1, first.public_id, 650)
    assert offer.price_fen == 650
    second = set_offer(operator, "one-1", 1, lot().public_id, 800)
    assert second.id != offer.id
    assert db.session.get_one(Offer, offer.id).withdrawn_at is not None


def test_an_operator_sells_nothing_below_its_sellers_floor(operator: Viewer) -> None:
    cabinet(operator)
    asked = builders.offer(lot(), price_fen=1000, broadcast_floor_fen=500).lot
    set_offer(operator, "one-1", 1, asked.public_id, 500)
    for slot in (1, 2):
        with pytest.raises(Invalid) as refusal:
            restock(operator, "one-1", [TripLine(slot, 1, asked.public_id, 499)])
        assert (refusal.value.code, refusal.value.extra["slot"]) == ("price_too_low", slot)
        assert "¥5.00" in str(refusal.value.message)
    assert (offer_in(1), offer_in(2)) == (500, None)


def offer_in(slot: int) -> int | None:
    """What a slot of cabinet one-1 sells for, in fen; None if it sells nothing."""
    db.session.expire_all()
    return db.session.scalar(
        select(Offer.price_fen)
        .join(Slot, Slot.offer_id == Offer.id)
        .join(Cabinet)
        .where(Cabinet.code == "one-1", Slot.number == slot)
    )


def test_a_slot_that_holds_units_keeps_its_lot(operator: Viewer) -> None:
    stocked(operator, 2)
    before = lot_of().id
    with pytest.raises(Conflict) as refusal:
        set_offer(operator, "one-1", 1, lot().public_id, 800)
    assert refusal.value.code == "slot_not_empty"
    assert lot_of().id == before


def test_what_is_still_in_the_field_cannot_stand_in_a_slot(operator: Viewer) -> None:
    cabinet(operator)
    field = builders.lot(builders.product(builders.seller()), mode=LotMode.IN_FIELD)
    with pytest.raises(Conflict) as refusal:
        set_offer(operator, "one-1", 1, field.public_id, 800)
    assert refusal.value.code == "lot_in_field"
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 0


def test_restocking_moves_units_from_the_lot_once(operator: Viewer) -> None:
    stocked(operator, 4)
    assert restock(operator, "one-1", [TripLine(1, 3)]) == {1: 7}
    assert (expected(), promised(lot_of().id)) == (7, 7)
    assert lot_of().promised == 7
    offer = db.session.scalars(select(Offer)).one()
    assert offer.sold == 0
    assert_laws_hold()


def test_a_trip_chooses_what_empty_slots_sell(operator: Viewer) -> None:
    stocked(operator, 0)
    goods = lot()
    restock(operator, "one-1", [TripLine(1, 2), TripLine(2, 6, goods.public_id, 900)])
    assert (expected(number=1), expected(number=2)) == (2, 6)
    assert promised(goods.id) == 6
    assert_laws_hold()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([TripLine(1, 1), TripLine(1, 1)], "slot_repeated"),
        ([TripLine(1, 1), TripLine(99, 1)], "slot_not_found"),
        ([TripLine(1, 1), TripLine(2, 1)], "slot_without_offer"),
        ([TripLine(1, 6)], "slot_full"),
        ([TripLine(1, 0)], "units_out_of_bounds"),
        ([], "nothing_entered"),
        ([TripLine(1, 1), TripLine(2, 1, "no-such-lot", 100)], "not_found"),
    ],
)
def test_a_refused_trip_moves_nothing(operator: Viewer, lines: list[TripLine], code: str) -> None:
    stocked(operator, 5)
    before = events()
    with pytest.raises(Refusal) as refusal:
        restock(operator, "one-1", lines)
    assert refusal.value.code == code
    assert (expected(), promised(lot_of().id), events()) == (5, 5, before)


def test_a_trip_takes_no_more_than_the_lot_has(operator: Viewer) -> None:
    cabinet(operator)
    goods = lot(offered=5)
    lines = [TripLine(1, 3, goods.public_id, 100), TripLine(2, 3, goods.public_id, 100)]
    with pytest.raises(OutOfStock) as refusal:
        restock(operator, "one-1", lines)
    assert refusal.value.extra == {"lot_id": goods.public_id, "left": 5}
    assert (promised(goods.id), events()) == (0, 0)


def test_a_withdrawn_offer_is_not_restocked(operator: Viewer) -> None:
    stocked(operator, 2)
    withdraw_offer(db.session.scalars(select(Offer.id)).one())
    with pytest.raises(OfferClosed):
        restock(operator, "one-1", [TripLine(1, 1)])
    assert (expected(), promised(lot_of().id)) == (2, 2)


def test_a_return_gives_units_back_to_the_lot(operator: Viewer) -> None:
    stocked(operator, 5)
    assert give_back(operator, "one-1", [ReturnLine(1, 2)]) == {1: 3}
    assert (expected(), promised(lot_of().id)) == (3, 3)
    assert_laws_hold()


def test_a_return_cannot_give_back_what_is_not_there(operator: Viewer) -> None:
    stocked(operator, 3)
    with pytest.raises(Conflict) as refusal:
        give_back(operator, "one-1", [ReturnLine(1, 4)])
    assert refusal.value.extra == {"slot": 1, "most": 3}
    assert (expected(), promised(lot_of().id)) == (3, 3)


def test_found_units_never_give_a_lot_back_more_than_it_gave(operator: Viewer) -> None:
    stocked(operator, 3)
    take_stock(operator, "one-1", [CountLine(1, 3, 6, "found")])
    with pytest.raises(Conflict):
        give_back(operator, "one-1", [ReturnLine(1, 4)])
    assert (expected(), promised(lot_of().id)) == (6, 3)


def test_a_stock_take_writes_the_difference_with_its_reason(operator: Viewer) -> None:
    stocked(operator, 5)
    assert take_stock(operator, "one-1", [CountLine(1, 5, 3, "damaged")]) == {1: -2}
    [count] = db.session.scalars(
        select(SlotEvent).where(SlotEvent.kind == SlotEventKind.COUNT)
    ).all()
    assert (count.units, count.reason) == (-2, "damaged")
    difference = db.session.scalars(select(StockDifference)).one()
    assert (difference.name, difference.units) == ("damaged", -2)
    assert difference.explained_at is not None
    assert (expected(), promised(lot_of().id)) == (3, 5)
    assert_laws_hold()


def test_a_count_that_agrees_is_written_down_without_a_difference(operator: Viewer) -> None:
    stocked(operator, 5)
    assert take_stock(operator, "one-1", [CountLine(1, 5, 5)]) == {1: 0}
    assert db.session.scalar(select(func.count()).select_from(StockDifference)) == 0
    assert events() == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (CountLine(1, 5, 4), "reason_needed"),
        (CountLine(1, 5, 4, "because"), "reason_needed"),
        (CountLine(1, 4, 4), "stock_moved"),
        (CountLine(1, 5, -1, "missing"), "count_out_of_bounds"),
        (CountLine(1, 5, 11, "found"), "count_out_of_bounds"),
        (CountLine(1, 5, 6, "damaged"), "reason_contradicts"),
        (CountLine(1, 5, 4, "found"), "reason_contradicts"),
    ],
)
def test_a_refused_count_changes_nothing(operator: Viewer, line: CountLine, code: str) -> None:
    stocked(operator, 5)
    with pytest.raises(Refusal) as refusal:
        take_stock(operator, "one-1", [line])
    assert refusal.value.code == code
    assert (expected(), events()) == (5, 1)


def test_a_new_key_takes_the_place_of_the_old_one(operator: Viewer) -> None:
    old = cabinet(operator).device_key
    new = new_device_key(operator, "one-1")
    assert new != old
    with transaction():
        assert operated(operator, "one-1").device_key == new
