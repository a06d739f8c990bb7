"""The report's sums are those of its lines, added up one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from kernel import clock
from kernel.db import transaction
from marketplace.check import days as check_days
from marketplace.check.law import examine
from marketplace.report import periods, queries, summing
from marketplace.report.queries import Figures
from orders.model import CreditKind, PaymentMethod
from orders.placing import place
from tests import builders

ORDERS, LINES = 5, 2
PERIOD = periods.between(date(2026, 3, 4), date(2026, 3, 31))  # from a Wednesday to a Tuesday
MONDAY = clock.start_of_day(date(2026, 3, 16))
BREATH = timedelta(microseconds=1)
MOMENTS = (
    *(PERIOD.begins - BREATH, PERIOD.begins, PERIOD.ends - BREATH, PERIOD.ends),
    *(MONDAY - BREATH, MONDAY, MONDAY + timedelta(hours=9)),
)
SOURCES = (
    *((CreditKind.SHOP, "shop"), (CreditKind.SHARE, "one"), (CreditKind.SHARE, "two")),
    (CreditKind.CABINET, "box"),
)


@dataclass(frozen=True)
class Line:
    """What a line is, as the test knows it."""

    paid_at: datetime | None
    order: int
    source: int
    seller: str
    cut: int
    refunded: tuple[int, ...]
    settled: int | None


FEN = st.integers(1, 400)
LINE = st.tuples(
    *(st.integers(0, len(SOURCES) - 1), st.sampled_from((0, 150)), st.lists(FEN, max_size=2)),
    st.none() | FEN,
)
ORDER = st.tuples(
    st.none() | st.sampled_from(MOMENTS), st.lists(LINE, min_size=LINES, max_size=LINES)
)
FACTS = st.lists(ORDER, min_size=ORDERS, max_size=ORDERS)
SOME_DAYS = st.sets(st.sampled_from(sorted({clock.local(at).date() for at in MOMENTS})))
SOURCE, CUT, BACK, SETTLED = range(4)
ASPECT = st.sampled_from((SOURCE, CUT, BACK, SETTLED))
"""What a line is, in the order of LINE."""
UNITS, PRICE_FEN = 2, 500


@pytest.fixture
def lines(app: Flask) -> list[tuple[int, int, int, str]]:
    """Return order, line, payment and seller of some lines, two to an order."""
    with app.app_context():
        offers = [builders.offer(price_fen=PRICE_FEN) for _ in range(LINES)]
        credited = builders.credited_to_shop(*offers)
        wanted = {one.id: UNITS for one in offers}
        for _ in range(ORDERS):
            place(builders.buyer(), wanted, credited, PaymentMethod.STRIPE)
        with transaction() as session:
            session.execute(
                text("INSERT INTO settlement (public_id, seller_id, state, total_fen, stated_at,"
                     " payout_reference) SELECT 's', min(id), 'stated', 0, now(), '' FROM seller")
            )  # fmt: skip
            rows = session.execute(
                text("SELECT l.order_id, l.id, s.payment_id, o.public_id FROM order_line l"
                     " JOIN payment_share s ON s.order_id = l.order_id"
                     " JOIN organisation o ON o.id = l.seller_id ORDER BY l.order_id, l.id")
            )  # fmt: skip
            return [(row[0], row[1], row[2], row[3]) for row in rows]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(facts=FACTS)
def test_the_sums_of_a_report_are_those_of_its_lines(
    app: Flask, lines: list[tuple[int, int, int, str]], facts: list[Any]
) -> None:
    with app.app_context():
        _assert_told(_written(lines, facts))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=FACTS, after=FACTS, summed=SOME_DAYS, only=st.none() | ASPECT)
def test_they_are_so_whatever_days_were_summed_and_changed_since(
    app: Flask,
    lines: list[tuple[int, int, int, str]],
    before: list[Any],
    after: list[Any],
    summed: set[date],
    only: int | None,
) -> None:
    if only is not None:  # nothing else tells of the change
        before = [(at, [_unsettled(one, only) for one in of]) for at, of in before]
        after = [
            (at, [_changed(*both, only) for both in zip(of, new, strict=True)])
            for (at, of), (_, new) in zip(before, after, strict=True)
        ]
    with app.app_context():
        known = _written(lines, before)
        for day in summed:
            assert summing.sum_day(day)
        _assert_told(known)
        _assert_told(_written(lines, after))
        for day in summed:
            assert summing.sum_day(day)
        _assert_told(_written(lines, after))
        [law] = check_days.LAWS
        assert examine([law])[0].holds


def _unsettled(line: Any, only: int) -> Any:
    """A line as it is before one of its aspects changes: a settlement written anew is a change."""
    return line if only == SETTLED else (*line[:SETTLED], None)


def _changed(line: Any, other: Any, only: int) -> Any:
    return (*line[:only], other[only], *line[only + 1 :])


def _assert_told(known: Sequence[Line]) -> None:
    """Hold every view of the report against the lines as the test knows them."""
    within = [one for one in known if one.paid_at and PERIOD.begins <= one.paid_at < PERIOD.ends]
    report = queries.by_channel(PERIOD)
    kind_of = [kind for kind, _ in SOURCES]
    assert report.total == _figures(within)
    by_kind = _by(within, lambda one: kind_of[one.source])
    assert {one.kind: one.figures for one in report.channels} == {
        kind: _figures(by_kind.get(kind, ())) for kind in CreditKind
    }
    said = {one.code: one.figures for channel in report.channels for one in channel.sources}
    assert said == _told(within, lambda one: SOURCES[one.source][1])
    for channel in report.channels:
        weeks = _told(by_kind.get(channel.kind, ()), lambda one: _monday(one.paid_at))
        nothing = Figures()
        net = [weeks.get(monday, nothing).net_fen for monday in PERIOD.weeks]
        assert channel.net_by_week == net
    sellers, days = queries.by_seller(PERIOD), queries.by_day(PERIOD)
    assert {one.code: one.figures for one in sellers} == _told(within, lambda one: one.seller)
    assert dict(days) == _told(within, lambda one: _day(one.paid_at))
    assert queries.total_by_day(days) == report.total


def _written(lines: Sequence[Any], facts: Sequence[Any]) -> list[Line]:
    """Let the lines in the database be as the facts say; return what they are."""
    sources = [builders.credit_source(*one).id for one in SOURCES]
    known = []
    with transaction() as session:
        session.execute(text("DELETE FROM refund"))
        session.execute(text("DELETE FROM settlement_line"))
        for number, (order, line, payment, seller) in enumerate(lines):
            paid_at, of_order = facts[number // LINES]
            source, cut, back, settled = of_order[number % LINES]
            known.append(Line(paid_at, order, source, seller, cut, tuple(back), settled))
            of = {"order": order, "line": line, "payment": payment}
            session.execute(
                text("UPDATE orders SET paid_at = :at WHERE id = :id"), {"at": paid_at, "id": order}
            )
            session.execute(
                text("UPDATE order_line SET credit_source_id = :source WHERE id = :id"),
                {"source": sources[source], "id": line},
            )
            rows = [("cut", cut)] * bool(cut) + [("debt", fen) for fen in back]
            for at, (state, fen) in enumerate(rows):
                session.execute(
                    text(
                        "INSERT INTO refund (public_id, payment_id, order_id, line_id, cause,"
                        " units, amount_fen, state, failure, reference, created_at) VALUES"
                        " (:id, :payment, :order, :line, :id, 0, :fen, :state, '', '', now())"
                    ),
                    {**of, "id": f"{line}-{at}", "fen": fen, "state": state},
                )
            if settled is not None:
                session.execute(
                    text("INSERT INTO settlement_line (settlement_id, line_id, amount_fen)"
                         " SELECT id, :line, :fen FROM settlement"),
                    {"line": line, "fen": settled},
                )  # fmt: skip
    return known


def _figures(lines: Sequence[Line]) -> Figures:
    return Figures(
        orders=len({one.order for one in lines}),
        lines=len(lines),
        units=UNITS * len(lines),
        paid_fen=sum(UNITS * PRICE_FEN - one.cut for one in lines),
        refunded_fen=sum(sum(one.refunded) for one in lines),
        settled_fen=sum(one.settled or 0 for one in lines),
    )


def _by(lines: Sequence[Line], key: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    parts: dict[Hashable, list[Line]] = defaultdict(list)
    for one in lines:
        parts[key(one)].append(one)
    return parts


def _told(lines: Sequence[Line], key: Callable[[Line], Any]) -> dict[Any, Figures]:
    return {name: _figures(of) for name, of in _by(lines, key).items()}


def _day(at: datetime | None) -> date:
    assert at is not None
    return clock.local(at).date()


def _monday(at: datetime | None) -> date:
    day = _day(at)
    return day - timedelta(days=day.weekday())
