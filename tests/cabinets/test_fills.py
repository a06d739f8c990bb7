"""What a slot held when its device sold from it, however late and disordered the reports come."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import BigInteger, cast, func, select

from cabinets.actions.reports import Report, explain, receive
from cabinets.actions.trips import CountLine, ReturnLine, TripLine, give_back, restock, take_stock
from cabinets.cli import _events
from cabinets.fills import fills_of
from cabinets.model import Slot, SlotFill, StockDifference
from cabinets.stock import expected_of
from kernel.access import Viewer
from kernel.db import db, transaction
from orders.model import Order, OrderLine
from sellers.actions import withdraw_offer
from sellers.model import Lot
from tests.cabinets.cabinet_builders import cabinet, lot, sale, set_offer
from tests.laws import assert_laws_hold


def seen(sequence: int, units: int) -> Report:
    """A report that the device saw the first slot filled."""
    return Report(sequence, "restock_seen", {"slot": 1, "units": units})


def fill(operator: Viewer, units: int, goods: Lot | None = None, price_fen: int = 500) -> None:
    """Put units into the first slot, of other goods if a lot is given."""
    name = goods.public_id if goods else None
    restock(operator, "one-1", [TripLine(1, units, name, price_fen if goods else None)])


def count_out(operator: Viewer, units: int) -> None:
    """Find nothing where so many units should be."""
    take_stock(operator, "one-1", [CountLine(1, units, 0, "missing")])


def sold() -> list[tuple[int, int, int]]:
    """Lot, price and units of what was recorded, in the order of the device's numbers."""
    lines = db.session.execute(
        select(OrderLine.lot_id, OrderLine.price_fen, OrderLine.quantity)
        .join(Order, Order.id == OrderLine.order_id)
        .order_by(cast(func.split_part(Order.reference, ":", 3), BigInteger))
    )
    return [(one.lot_id, one.price_fen, one.quantity) for one in lines]


def expected() -> int:
    """Units that the first slot should hold."""
    slot_id = db.session.scalars(select(Slot.id).where(Slot.number == 1)).one()
    return expected_of([slot_id])[slot_id]


def differences() -> list[tuple[str, int]]:
    """Names and units of all differences, by name."""
    rows = db.session.execute(
        select(StockDifference.name, func.sum(StockDifference.units))
        .group_by(StockDifference.name)
        .order_by(StockDifference.name)
    )
    return [(name, int(units)) for name, units in rows]


@pytest.fixture
def goods(operator: Viewer) -> tuple[Lot, Lot]:
    """Two sellers' goods; five of the first, at 5.00, stand in a slot and were seen as number 1."""
    cabinet(operator)
    first, second = lot(), lot()
    fill(operator, 5, first)
    receive("one-1", [seen(1, 5)])
    return first, second


LATE = [sale(n) for n in range(2, 7)]


@pytest.mark.parametrize(
    "batches",
    [
        [[seen(7, 8)], LATE],
        [LATE, [seen(7, 8)]],
        [[*LATE, seen(7, 8)]],
        [LATE[3:], [seen(7, 8), *LATE[:2]], LATE],
    ],
    ids=["seen first", "sold first", "together", "in pieces, repeated"],
)
def test_a_late_sale_is_of_what_the_slot_held_before_it_was_seen_filled_anew(
    operator: Viewer, goods: tuple[Lot, Lot], batches: Sequence[Sequence[Report]]
) -> None:
    first, second = goods
    count_out(operator, 5)
    fill(operator, 8, second, 9900)
    for batch in batches:
        receive("one-1", batch)
    receive("one-1", [sale(8, 2)])
    assert sold() == [(first.id, 500, 1)] * 5 + [(second.id, 9900, 2)]
    # What was counted out as missing was sold: the slot holds the new goods as they were filled.
    assert (expected(), differences()) == (6, [("late_sale", 5), ("missing", -5)])
    assert_laws_hold()


def test_a_sale_that_may_be_of_either_goods_waits_as_a_difference(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    first, second = goods
    give_back(operator, "one-1", [ReturnLine(1, 5)])
    fill(operator, 8, second, 9900)
    receive("one-1", [sale(2), sale(9, 2)])
    assert (sold(), expected(), differences()) == ([], 8, [("unplaced", -3)])
    assert_laws_hold()
    receive("one-1", [seen(5, 8)])
    assert sold() == [(first.id, 500, 1), (second.id, 9900, 2)]
    # Five were given back, and one of them had been sold.
    assert (expected(), differences()) == (6, [("deficit", -1)])
    assert_laws_hold()


def test_what_a_person_has_explained_is_not_recorded_any_more(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    count_out(operator, 5)
    fill(operator, 8, goods[1], 9900)
    receive("one-1", [sale(2)])
    name = select(StockDifference.public_id).where(StockDifference.name == "unplaced")
    explain(operator, "one-1", db.session.scalars(name).one(), "自己试机")
    receive("one-1", [seen(5, 8)])
    assert (sold(), expected()) == ([], 8)


def test_goods_that_the_device_saw_before_they_were_written_down(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    first, second = goods
    receive("one-1", [sale(2), seen(3, 8)])
    count_out(operator, 4)
    fill(operator, 8, second, 9900)
    receive("one-1", [sale(4)])
    assert sold() == [(first.id, 500, 1), (second.id, 9900, 1)]


@pytest.mark.parametrize("refill", [3, 8], ids=["other units", "the same units"])
def test_a_filling_with_the_same_goods_is_not_taken_for_the_change(
    operator: Viewer, goods: tuple[Lot, Lot], refill: int
) -> None:
    first, second = goods
    count_out(operator, 5)
    fill(operator, refill)
    count_out(operator, refill)
    fill(operator, 8, second, 9900)
    receive("one-1", [sale(2), seen(3, refill), sale(4), seen(5, 8), sale(6)])
    assert sold() == [(first.id, 500, 1)] * 2 + [(second.id, 9900, 1)]


@pytest.mark.parametrize(
    "batches",
    [
        [[seen(4, 5)], [sale(2), sale(3)]],
        [[sale(2), sale(3)], [seen(4, 5)]],
        [[sale(2), sale(3), seen(4, 5)]],
        [[sale(3)], [seen(4, 5), sale(2)], [sale(2), sale(3)]],
    ],
    ids=["seen first", "sold first", "together", "in pieces, repeated"],
)
def test_what_was_counted_out_before_its_sale_was_reported_leaves_the_same_goods_once(
    operator: Viewer, goods: tuple[Lot, Lot], batches: Sequence[Sequence[Report]]
) -> None:
    count_out(operator, 5)
    fill(operator, 5)
    for batch in batches:
        receive("one-1", batch)
    assert sold() == [(goods[0].id, 500, 1)] * 2
    assert (expected(), differences()) == (5, [("late_sale", 2), ("missing", -5)])
    receive("one-1", [sale(5)])
    assert expected() == 4
    assert_laws_hold()


def test_what_was_sold_before_fewer_were_put_in_is_no_deficit_of_those(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    count_out(operator, 5)
    fill(operator, 1)
    receive("one-1", [sale(2, 3), seen(4, 1)])
    assert (expected(), differences()) == (1, [("late_sale", 3), ("missing", -5)])
    receive("one-1", [sale(5, 2)])
    assert (expected(), differences()[0]) == (-1, ("deficit", -1))


@pytest.mark.parametrize(
    ("batches", "left"),
    [
        ([[sale(2, 3)], [seen(4, 1)]], []),
        ([[sale(3, 3)], [seen(4, 1), sale(2)]], []),
        ([[sale(2, 3), sale(5, 2)], [seen(4, 1)]], [("deficit", -1)]),
    ],
    ids=["seen later", "seen later with one more sale", "more was sold than that"],
)
def test_a_deficit_ends_once_the_device_says_that_it_was_sold_before_the_filling(
    operator: Viewer,
    goods: tuple[Lot, Lot],
    batches: Sequence[Sequence[Report]],
    left: list[tuple[str, int]],
) -> None:
    count_out(operator, 5)
    fill(operator, 1)
    receive("one-1", batches[0])
    assert differences()[0][0] == "deficit"
    receive("one-1", batches[1])
    assert [one for one in differences() if one[0] == "deficit"] == left
    assert expected() == 1 - 2 * len(left)
    assert_laws_hold()


def test_a_count_takes_nothing_twice_of_what_was_reported_before_it(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    receive("one-1", [sale(2)])
    take_stock(operator, "one-1", [CountLine(1, 4, 3, "damaged")])
    fill(operator, 2)
    receive("one-1", [seen(3, 2)])
    assert (expected(), differences()) == (5, [("damaged", -1)])
    fill(operator, 1)
    receive("one-1", [sale(4), seen(5, 1)])
    # Nobody counted between these two: what was sold is gone from what was put in.
    assert (expected(), differences()) == (5, [("damaged", -1)])


def test_filling_again_with_the_same_goods_leaves_no_doubt(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    fill(operator, 3)
    receive("one-1", [sale(9)])
    assert (sold(), differences()) == ([(goods[0].id, 500, 1)], [])


def test_the_same_goods_listed_anew_leave_no_doubt(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    slot = db.session.scalars(select(Slot).where(Slot.number == 1)).one()
    assert slot.offer_id is not None
    withdraw_offer(slot.offer_id)
    set_offer(operator, "one-1", 1, goods[0].public_id, 700)
    receive("one-1", [sale(2)])
    assert (sold(), differences()) == ([(goods[0].id, 700, 1)], [])


def test_a_late_sale_of_goods_that_were_listed_anew_after_their_count_is_no_deficit(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    first, second = goods
    count_out(operator, 5)
    slot = db.session.scalars(select(Slot).where(Slot.number == 1)).one()
    assert slot.offer_id is not None
    withdraw_offer(slot.offer_id)
    set_offer(operator, "one-1", 1, first.public_id, 700)
    fill(operator, 8, second, 9900)
    receive("one-1", [sale(2, 2), seen(7, 8)])
    assert (sold(), expected()) == ([(first.id, 700, 2)], 8)
    assert differences() == [("late_sale", 2), ("missing", -5)]
    assert_laws_hold()


def test_late_sales_beyond_what_was_counted_out_are_a_deficit(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    receive("one-1", [sale(2, 2)])
    count_out(operator, 3)
    fill(operator, 8, goods[1], 9900)
    receive("one-1", [sale(3, 4), seen(9, 8)])
    assert differences() == [("deficit", -1), ("late_sale", 3), ("missing", -3)]
    assert expected() == 8


def test_only_fills_that_numbers_may_still_fall_between_are_read(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    for n in range(2, 5):
        fill(operator, 1)
        receive("one-1", [seen(n, 1)])
    assert db.session.scalar(select(func.count()).select_from(SlotFill)) == 4
    with transaction() as session:
        slots = session.scalars(select(Slot.id).where(Slot.cabinet_id == cabinet_id()))
        [kept] = fills_of(session, slots.all(), 5).values()
    assert [one.since for one in kept] == [4]


def test_the_simulator_says_what_it_saw_before_it_sells(
    operator: Viewer, goods: tuple[Lot, Lot]
) -> None:
    count_out(operator, 5)
    fill(operator, 8, goods[1], 9900)
    told = _events(cabinet_id(), 2)
    assert [one["kind"] for one in told] == ["restock_seen", "sale", "sale"]
    keys = ("slot", "units")
    receive(
        "one-1", [Report(one["sequence"], one["kind"], {k: one[k] for k in keys}) for one in told]
    )
    assert {lot_id for lot_id, _, _ in sold()} == {goods[1].id}


def cabinet_id() -> int:
    """The one cabinet."""
    return db.session.scalars(select(Slot.cabinet_id).distinct()).one()
