"""Policies that divide a yield among lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.allocation import POLICIES, equal, first_come, pro_rata

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
