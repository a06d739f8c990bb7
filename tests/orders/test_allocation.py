"""Policies that divide a yield among lines."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.allocation import (
    BY_TIME,
    POLICIES,
    Needed,
    divide,
    equal,
    first_come,
    kept,
    pro_rata,
)

ORDERED = st.lists(st.integers(0, 500), max_size=30)
SUPPLY = st.integers(0, 10_000)


@pytest.mark.parametrize("name", POLICIES)
@given(supply=SUPPLY, ordered=ORDERED)
def test_what_is_allocated_and_what_is_left_over_is_what_was_yielded(
    name: str, supply: int, ordered: list[int]
) -> None:
    given_out = POLICIES[name](supply, ordered)
    assert len(given_out) == len(ordered)
    assert sum(given_out) == min(supply, sum(ordered))


@pytest.mark.parametrize("name", POLICIES)
@given(supply=SUPPLY, ordered=ORDERED)
def test_nobody_gets_more_than_they_ordered_nor_less_than_nothing(
    name: str, supply: int, ordered: list[int]
) -> None:
    assert all(
        0 <= got <= wanted
        for got, wanted in zip(POLICIES[name](supply, ordered), ordered, strict=True)
    )


@pytest.mark.parametrize("name", POLICIES)
@given(supply=SUPPLY, ordered=ORDERED)
def test_the_same_yield_is_always_divided_in_the_same_way(
    name: str, supply: int, ordered: list[int]
) -> None:
    assert POLICIES[name](supply, ordered) == POLICIES[name](supply, list(ordered))


@given(supply=SUPPLY, ordered=ORDERED)
def test_pro_rata_is_within_one_unit_of_the_exact_share(supply: int, ordered: list[int]) -> None:
    whole = sum(ordered)
    supply = min(supply, whole)
    for got, wanted in zip(pro_rata(supply, ordered), ordered, strict=True):
        assert abs(got * whole - wanted * supply) < max(whole, 1)


@given(supply=SUPPLY, ordered=ORDERED)
def test_equal_shares_differ_by_one_unit_unless_a_line_is_full(
    supply: int, ordered: list[int]
) -> None:
    given_out = equal(supply, ordered)
    most = max(given_out, default=0)
    for got, wanted in zip(given_out, ordered, strict=True):
        assert got == wanted or got >= most - 1


def test_ten_percent_short_takes_ten_percent_from_each() -> None:
    assert pro_rata(90, [50, 30, 20]) == [45, 27, 18]


def test_the_oldest_line_is_filled_first() -> None:
    assert first_come(60, [50, 30, 20]) == [50, 10, 0]


def test_equal_gives_the_small_line_all_it_wants() -> None:
    assert equal(60, [50, 30, 5]) == [28, 27, 5]


START = datetime(2026, 11, 1, tzinfo=UTC)


@given(changes=st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_a_changed_need_keeps_the_time_of_every_unit_that_it_keeps(changes: list[int]) -> None:
    needed: list[Needed] = []
    stack: list[datetime] = []  # since when each unit is needed, unit by unit
    for hour, units in enumerate(changes):
        at = START + timedelta(hours=hour)
        needed = kept(needed, units, at)
        stack = stack[:units] + [at] * (units - len(stack))
        assert [one.since for one in needed for _ in range(one.units)] == stack
        assert needed == sorted(needed)


@pytest.mark.parametrize("name", POLICIES)
@given(
    supply=st.integers(0, 300),
    lines=st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), max_size=4), max_size=8
    ),
)
def test_however_old_its_units_are_no_line_gets_more_than_it_ordered(
    name: str, supply: int, lines: list[list[tuple[int, int]]]
) -> None:
    needed = [[Needed(START + timedelta(hours=at), n) for at, n in sorted(one)] for one in lines]
    ordered = [sum(n for _, n in one) for one in lines]
    given_out = divide(name, supply, needed)
    assert sum(given_out) == min(supply, sum(ordered))
    assert all(0 <= got <= most for got, most in zip(given_out, ordered, strict=True))
    if name not in BY_TIME:
        assert given_out == POLICIES[name](supply, ordered)


def test_only_the_added_units_stand_behind_who_came_in_between() -> None:
    first, second = START, START + timedelta(hours=1)
    grown = kept([Needed(first, 50)], 60, START + timedelta(hours=2))
    assert divide("first_come", 75, [grown, [Needed(second, 30)]]) == [50, 25]
    assert divide("first_come", 85, [grown, [Needed(second, 30)]]) == [55, 30]
    lowered = kept(grown, 40, START + timedelta(hours=3))
    assert divide("first_come", 60, [lowered, [Needed(second, 30)]]) == [40, 20]
