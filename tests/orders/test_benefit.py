"""How an income reaches households."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import Money, total
from orders.benefit import Member, PlansExceedIncome, Sold, per_unit, shares

MEMBERS = [Member(1, 3, True), Member(2, 2, False), Member(3, 1, True)]


def paid(plans: dict[str, int], sold: list[Sold]) -> dict[tuple[int, str], int]:
    return {(one.household_id, one.kind): one.amount.fen for one in shares(plans, sold, MEMBERS)}


def test_delivery_pays_each_for_what_it_delivered_lot_by_lot() -> None:
    sold = [Sold(90, Money(90_000), {1: 60, 2: 40}), Sold(10, Money(500), {2: 10})]
    assert paid({"delivery": 10_000}, sold) == {(1, "delivery"): 54_000, (2, "delivery"): 36_500}


def test_what_the_seller_delivered_as_a_whole_stays_with_the_seller() -> None:
    assert paid({"delivery": 8_000}, [Sold(90, Money(90_000), {None: 90})]) == {}


def test_shares_go_by_weight_and_a_second_distribution_to_registered_households_only() -> None:
    sold = [Sold(10, Money(10_000))]
    assert paid({"shares": 6_000, "second": 400}, sold) == {
        (1, "second"): 300,
        (3, "second"): 100,
        (1, "shares"): 3_000,
        (2, "shares"): 2_000,
        (3, "shares"): 1_000,
    }


def test_plans_that_promise_more_than_the_income_are_refused() -> None:
    with pytest.raises(PlansExceedIncome):
        shares({"delivery": 9_000, "second": 1_001}, [], MEMBERS)


def test_a_household_is_told_what_delivery_pays_for_each_unit_and_nothing_else() -> None:
    plans = {"delivery": 8_000, "shares": 1_000, "second": 500}
    assert per_unit(plans, Money(1_950)) == Money(1_560)
    assert per_unit({"shares": 9_000}, Money(1_950)) == Money(0)


@given(
    lots=st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.dictionaries(st.integers(1, 3), st.integers(0, 999), max_size=3),
        ),
        max_size=4,
    ),
    delivery=st.integers(0, 5_000),
    by_shares=st.integers(0, 2_500),
    second=st.integers(0, 2_500),
)
def test_pools_never_come_to_more_than_the_income_and_are_divided_to_the_last_fen(
    lots: list[tuple[int, dict[int | None, int]]], delivery: int, by_shares: int, second: int
) -> None:
    plans = {"delivery": delivery, "shares": by_shares, "second": second}
    made = shares(plans, [Sold(10, Money(income), who) for income, who in lots], MEMBERS)
    income = sum(income for income, _ in lots)
    got = {kind: total(one.amount for one in made if one.kind == kind).fen for kind in plans}
    assert sum(got.values()) <= income
    reached = sum(income for income, who in lots if sum(who.values()))
    for kind, whole in (("delivery", reached), ("shares", income), ("second", income)):
        exact = whole * plans[kind] / 10_000
        assert abs(got[kind] - exact) < 1 + len(lots) * (kind == "delivery")


def test_two_halves_of_an_odd_sum_are_no_fen_more_than_the_sum() -> None:
    sold = [Sold(1, Money(5_901), {1: 1})]
    assert sum(paid({"shares": 5_000, "second": 5_000}, sold).values()) == 5_901
    assert sum(paid({"delivery": 5_000}, [Sold(1, Money(1), {1: 1})] * 3).values()) <= 2


@pytest.mark.parametrize("plan", ["delivery", "shares", "second"])
def test_many_small_settlements_favour_nobody(plan: str) -> None:
    members = [Member(number, 1, True) for number in (1, 2, 3)]
    who: dict[int | None, int] = dict.fromkeys((1, 2, 3), 10)
    units, fen = Counter[int](), Counter[int]()
    for n in range(30):
        sold = Sold(1, Money(100), who, units_before=n, income_before=Money(100 * n))
        for one in shares({plan: 10_000}, [sold], members):
            units[one.household_id] += one.units
            fen[one.household_id] += one.amount.fen
    assert fen == {1: 1_000, 2: 1_000, 3: 1_000}
    assert units == (who if plan == "delivery" else {1: 0, 2: 0, 3: 0})
