"""What devices report: each number once, in any order, however often."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from cabinets.actions import reports
from cabinets.actions.reports import Report, explain, receive
from cabinets.actions.trips import TripLine, restock
from cabinets.model import Cabinet, DeviceReport, Slot, SlotEvent, StockDifference
from cabinets.queries import Gap, gaps_of, state_of
from cabinets.stock import expected_of
from kernel import ledger
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.errors import Invalid, NotFound
from kernel.ledger import AccountKind
from orders.books import BOOK
from orders.model import Order, OrderLine
from tests.at_once import PATIENCE_S, at_once
from tests.cabinets.cabinet_builders import cabinet, lot, sale, set_offer, stocked
from tests.cabinets.cabinet_builders import operator as another_operator
from tests.laws import assert_laws_hold
from tests.statements import counting


def count(table: type) -> int:
    """Rows of a table."""
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def expected(number: int = 1) -> int:
    """Units that a slot of the one cabinet should hold."""
    db.session.expire_all()
    slot_id = db.session.scalars(select(Slot.id).where(Slot.number == number)).one()
    return expected_of([slot_id])[slot_id]


def differences() -> list[tuple[str, int]]:
    """Names and units of all differences."""
    rows = db.session.execute(
        select(StockDifference.name, StockDifference.units).order_by(
            StockDifference.name, StockDifference.units
        )
    )
    return [(name, units) for name, units in rows]


def takings() -> int:
    """What cabinets took, in fen, as the ledger has it."""
    return ledger.balance(BOOK, AccountKind.CASH_CLEARING).fen


def test_a_sale_is_recorded_at_the_slots_price_and_leaves_the_slot(operator: Viewer) -> None:
    stocked(operator, 5)
    assert receive("one-1", [sale(1, 2)]).accepted == [1]
    line = db.session.scalars(select(OrderLine)).one()
    assert (line.price_fen, line.quantity, line.from_slot) == (500, 2, True)
    assert line.credit.code == "one-1"
    assert (expected(), takings(), differences()) == (3, 1000, [])
    assert_laws_hold()


def test_a_repeat_changes_nothing(operator: Viewer) -> None:
    stocked(operator, 5)
    receive("one-1", [sale(1, 2), sale(2)])
    again = receive("one-1", [sale(2), sale(1, 2), sale(1, 2)])
    assert (again.accepted, again.repeated, again.conflicting) == ([], [1, 1, 2], [])
    assert (expected(), takings(), count(Order), count(DeviceReport)) == (2, 1500, 2, 2)


def test_a_batch_that_repeats_itself_counts_once(operator: Viewer) -> None:
    stocked(operator, 5)
    receipt = receive("one-1", [sale(1, 2), sale(1, 2)])
    assert (receipt.accepted, receipt.repeated) == ([1], [1])
    assert (expected(), count(Order)) == (3, 1)


def test_other_content_under_a_known_number_is_named_kept_and_has_no_effect(
    operator: Viewer,
) -> None:
    stocked(operator, 5)
    receive("one-1", [sale(1, 2)])
    assert receive("one-1", [sale(1, 3), sale(2)]).conflicting == [1]
    assert receive("one-1", [sale(1, 3), sale(2)]).conflicting == [1]
    assert (expected(), takings()) == (2, 1500)
    kept = db.session.scalars(select(DeviceReport).where(DeviceReport.conflicting)).one()
    assert kept.body == {"slot": 1, "units": 3}
    assert differences() == [("sequence_conflict", -3)]
    assert_laws_hold()


def test_the_devices_own_time_tells_two_sales_apart_and_nothing_else(operator: Viewer) -> None:
    stocked(operator, 5)
    receive("one-1", [sale(1, at="1970-01-01T00:00:00Z")])
    assert receive("one-1", [sale(1, at="2099-01-01T00:00:00Z")]).conflicting == [1]
    assert count(Order) == 1


def test_numbers_may_come_in_any_order_and_gaps_show(operator: Viewer) -> None:
    made = stocked(operator, 9)
    receive("one-1", [sale(9), sale(3)])
    receive("one-1", [sale(4)])
    assert gaps_of(made.id) == [Gap(1, 2), Gap(5, 8)]
    receive("one-1", [sale(n) for n in (8, 7, 6, 5, 2, 1)])
    assert gaps_of(made.id) == []
    assert expected() == 0


def test_a_sale_from_an_unknown_slot_is_a_difference(operator: Viewer) -> None:
    stocked(operator, 5)
    assert receive("one-1", [sale(1, 2, slot=77)]).accepted == [1]
    difference = db.session.scalars(select(StockDifference)).one()
    assert (difference.name, difference.units, difference.slot_id) == ("unknown_slot", -2, None)
    assert difference.report is not None
    assert difference.report.body["slot"] == 77
    assert (expected(), count(Order)) == (5, 0)


def test_a_sale_from_a_slot_that_sells_nothing_is_a_difference(operator: Viewer) -> None:
    stocked(operator, 5)
    receive("one-1", [sale(1, 1, slot=2)])
    assert differences() == [("no_offer", -1)]
    assert (expected(2), count(Order)) == (0, 0)


def test_a_sale_beyond_the_expected_stock_is_recorded_and_the_deficit_named(
    operator: Viewer,
) -> None:
    stocked(operator, 2)
    receive("one-1", [sale(1, 3)])
    receive("one-1", [sale(2, 2)])
    assert (expected(), takings(), count(Order)) == (-3, 2500, 2)
    assert differences() == [("deficit", -3)]
    assert_laws_hold()


def test_an_explained_deficit_stays_and_the_next_one_is_new(operator: Viewer) -> None:
    stocked(operator, 1)
    receive("one-1", [sale(1, 2)])
    known = db.session.scalars(select(StockDifference)).one()
    explain(operator, "one-1", known.public_id, "补货时少记了一个")
    receive("one-1", [sale(2, 1)])
    assert differences() == [("deficit", -1), ("deficit", -1)]


def test_an_explanation_needs_words_and_the_right_operator(operator: Viewer) -> None:
    stocked(operator, 1)
    receive("one-1", [sale(1, 2)])
    known = db.session.scalars(select(StockDifference)).one().public_id
    with pytest.raises(Invalid):
        explain(operator, "one-1", known, "  ")
    with pytest.raises(NotFound):
        explain(another_operator("operator-2"), "one-1", known, "不该我管")
    assert db.session.scalars(select(StockDifference)).one().explained_at is None


def test_a_later_price_is_for_later_reports_only(operator: Viewer) -> None:
    stocked(operator, 5)
    receive("one-1", [sale(1)])
    slot = db.session.scalars(select(Slot).where(Slot.number == 1)).one()
    assert slot.offer is not None
    set_offer(operator, "one-1", 1, slot.offer.lot.public_id, 800)
    receive("one-1", [sale(1), sale(2)])
    assert takings() == 500 + 800


def test_temperature_is_the_one_with_the_highest_number(operator: Viewer) -> None:
    cabinet(operator)
    receive("one-1", [Report(5, "temperature", {"tenths": 42}), Report(7, "heartbeat", {})])
    receive("one-1", [Report(4, "temperature", {"tenths": 99})])
    made = db.session.scalars(select(Cabinet)).one()
    assert made.temperature_tenths == 42
    assert made.last_seen_at is not None
    assert (count(Order), count(SlotEvent)) == (0, 0)


def test_a_cabinet_that_does_not_exist_takes_nothing() -> None:
    with pytest.raises(NotFound):
        receive("nowhere", [sale(1)])
    assert count(DeviceReport) == 0


BATCH = [sale(n, 1 + n % 2) for n in range(1, 9)]


def test_concurrent_repeats_of_a_batch_have_one_effect(app: Flask, operator: Viewer) -> None:
    stocked(operator, 10)
    at_once(app, *[lambda: receive("one-1", BATCH)] * 4)
    assert (count(DeviceReport), count(Order)) == (8, 8)
    assert (expected(), takings(), differences()) == (-2, 6000, [("deficit", -2)])
    assert_laws_hold()


def two_batches_at_once(app: Flask) -> tuple[int, list[Gap]]:
    """Take the halves of a batch together; return the highest number and what is missing."""
    at_once(app, lambda: receive("one-1", BATCH[:4]), lambda: receive("one-1", BATCH[4:]))
    db.session.expire_all()
    made = db.session.scalars(select(Cabinet)).one()
    return made.last_sequence, gaps_of(made.id)


def test_two_batches_at_once_leave_nothing_missing(app: Flask, operator: Viewer) -> None:
    stocked(operator, 10)
    assert two_batches_at_once(app) == (8, [])


def test_without_the_lock_one_of_two_batches_would_be_forgotten(
    app: Flask, operator: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: each counts on from what it read before the other was written."""
    stocked(operator, 10)
    both_read = threading.Barrier(2)

    def unlocked(session: Any, code: str) -> Cabinet:
        found: Cabinet = session.scalars(select(Cabinet).where(Cabinet.code == code)).one()
        both_read.wait(PATIENCE_S)
        return found

    monkeypatch.setattr(reports, "lock_cabinet", unlocked)
    assert two_batches_at_once(app) != (8, [])


SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FACTS: st.SearchStrategy[tuple[str, dict[str, int]]] = st.one_of(
    st.builds(
        lambda slot, units: ("sale", {"slot": slot, "units": units}),
        st.integers(1, 4),
        st.integers(1, 4),
    ),
    st.builds(lambda tenths: ("temperature", {"tenths": tenths}), st.integers(0, 99)),
    st.just(("heartbeat", {})),
)


def final_state() -> dict[str, Any]:
    """Everything that reports decide, without the keys that depend on who came first."""

    def rows(statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in db.session.execute(text(statement))]

    return {
        "reports": rows("SELECT sequence, body_hash FROM device_report ORDER BY 1, 2"),
        "slots": rows(
            "SELECT s.number, sum(e.units) FROM slot s JOIN slot_event e ON e.slot_id = s.id"
            " GROUP BY 1 ORDER BY 1"
        ),
        "orders": rows(
            "SELECT o.reference, o.total_fen, l.quantity FROM orders o"
            " JOIN order_line l ON l.order_id = o.id ORDER BY 1"
        ),
        "differences": rows(
            "SELECT d.name, s.number, d.units FROM stock_difference d"
            " LEFT JOIN slot s ON s.id = d.slot_id ORDER BY 1, 2, 3"
        ),
        "books": rows("SELECT amount_fen, count(*) FROM posting GROUP BY 1 ORDER BY 1"),
        "temperature": rows("SELECT temperature_tenths, last_sequence FROM cabinet"),
        "gaps": rows("SELECT first, last FROM report_gap ORDER BY 1"),
    }


def reported(batches: Sequence[Sequence[Report]]) -> dict[str, Any]:
    """Report `batches`, return the state after them, and take everything back."""
    with transaction() as session:
        nested = session.begin_nested()
        for batch in batches:
            receive("one-1", batch)
        session.flush()
        state = final_state()
        nested.rollback()
        session.expire_all()
    return state


@SETTINGS
@given(data=st.data(), facts=st.lists(FACTS, min_size=1, max_size=8))
def test_any_split_order_and_repetition_of_reports_gives_the_state_of_one_by_one(
    database: str, data: st.DataObject, facts: list[tuple[str, dict[str, int]]]
) -> None:
    if count(Cabinet) == 0:
        who = another_operator()
        stocked(who, 4)
        restock(who, "one-1", [TripLine(2, 3, lot().public_id, 300)])
    numbers = data.draw(
        st.lists(st.integers(1, 12), min_size=len(facts), max_size=len(facts), unique=True)
    )
    sent = [Report(n, *one) for n, one in zip(sorted(numbers), facts, strict=True)]
    repeats = data.draw(st.lists(st.sampled_from(sent), max_size=8))
    shuffled = data.draw(st.permutations([*sent, *repeats]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    edges = [0, *cuts, len(shuffled)]
    batches = [shuffled[a:b] for a, b in itertools.pairwise(edges)]
    assert reported(batches) == reported([[one] for one in sent])


GAPS_SEARCHED_FOR = text(
    """
    SELECT before + 1, sequence - 1 FROM (
        SELECT sequence, lag(sequence, 1, 0::bigint) OVER (ORDER BY sequence) AS before
        FROM device_report WHERE NOT conflicting
    ) AS known
    WHERE sequence > before + 1 ORDER BY 1
    """
)


def test_gaps_that_are_kept_are_those_that_a_search_finds(operator: Viewer) -> None:
    made = cabinet(operator)
    for batch in ([9], [3, 40], [4, 2], [41, 8, 10], [39, 20, 21], [1], [5, 6, 7]):
        receive("one-1", [Report(n, "heartbeat", {}) for n in batch])
        receive("one-1", [Report(batch[0], "door", {"open": True})])
        searched = [Gap(first, last) for first, last in db.session.execute(GAPS_SEARCHED_FOR)]
        assert gaps_of(made.id) == searched
        missing = sum(gap.last - gap.first + 1 for gap in searched)
        assert state_of(made).missing == missing
    assert gaps_of(made.id, most=1) == [Gap(11, 19)]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=5),
    st.sets(st.integers(0, 60)),
)
def test_taking_numbers_out_of_spans_leaves_the_others(
    steps: list[tuple[int, int]], numbers: set[int]
) -> None:
    spans, at = [], 0
    for apart, length in steps:
        spans.append((at + apart, at + apart + length))
        at = spans[-1][1] + 1
    inside = {n for first, last in spans for n in range(first, last + 1)}
    left = reports.without(spans, sorted(numbers))
    assert sorted(inside - numbers) == [n for a, b in left for n in range(a, b + 1)]


def test_a_batch_of_a_hundred_sales_takes_as_many_statements_as_one_of_two(
    operator: Viewer,
) -> None:
    stocked(operator, 0)
    receive("one-1", [sale(1, 2)])
    with counting() as few:
        receive("one-1", [sale(n) for n in (2, 3)])
    with counting() as many:
        receive("one-1", [sale(n) for n in range(4, 104)])
    assert len(many) == len(few) <= 20
    assert (count(Order), takings()) == (103, 500 * 104)
    assert_laws_hold()


def test_a_sale_that_comes_alone_and_in_turn_asks_for_nothing_else(operator: Viewer) -> None:
    stocked(operator, 5, slots=8)
    receive("one-1", [sale(1)])
    with counting() as sent:
        receive("one-1", [sale(2)])
    assert len(sent) == 17
    assert sum("UPDATE cabinet " in one for one in sent) == 1
    # What came before, and what is missing, is looked for only below the highest number.
    assert not any(
        "report_gap" in one or one.startswith("SELECT device_report.sequence") for one in sent
    )
