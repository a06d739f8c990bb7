"""Money in whole fen."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import Money, apportion, apportion_next, parse_yuan, total

weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(lambda w: sum(w) > 0)


@given(st.integers(-(10**12), 10**12), weights)
def test_a_split_loses_nothing(fen: int, parts: list[int]) -> None:
    split = Money(fen).split(parts)
    assert total(split) == Money(fen)
    assert len(split) == len(parts)


@given(st.integers(0, 10**9), weights)
def test_a_part_is_never_a_whole_unit_away_from_its_fair_share(
    whole: int, parts: list[int]
) -> None:
    base = sum(parts)
    for part, weight in zip(apportion(whole, parts), parts, strict=True):
        assert abs(part * base - whole * weight) < base


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), weights)
def test_what_is_divided_in_parts_comes_out_as_what_is_divided_at_once(
    wholes: list[int], parts: list[int]
) -> None:
    got = [0] * len(parts)
    for n, whole in enumerate(wholes):
        more = apportion_next(sum(wholes[:n]), whole, parts)
        assert sum(more) == whole
        assert min(more) >= 0
        got = [earlier + part for earlier, part in zip(got, more, strict=True)]
    assert got == apportion_next(0, sum(wholes), parts)


@given(st.integers(0, 10**9), weights)
def test_who_has_more_weight_gets_no_less_and_nothing_comes_of_no_weight(
    whole: int, parts: list[int]
) -> None:
    pairs = sorted(zip(parts, apportion_next(0, whole, parts), strict=True))
    assert all(got == 0 for weight, got in pairs if weight == 0)
    assert all(less[1] <= more[1] for less, more in itertools.pairwise(pairs) if less[0] < more[0])


@given(st.integers(-(10**12), 10**12))
def test_what_is_printed_can_be_read_back(fen: int) -> None:
    assert parse_yuan(str(Money(abs(fen))) if abs(fen) < 10**12 else "0").fen in {abs(fen), 0}


def test_money_is_never_a_float() -> None:
    with pytest.raises(TypeError):
        Money(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(100) * 0.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        Money(True)


def test_a_negative_amount_has_a_true_minus_sign() -> None:
    assert str(Money(-300)) == "−¥3.00"
    assert str(Money(123450)) == "¥1,234.50"


@pytest.mark.parametrize("text", ["", "-3", "1.234", "1e5", "59元5", "¥", "1,23"])
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_yuan(text)


@pytest.mark.parametrize(
    ("text", "fen"), [("59", 5900), ("¥1,234.5", 123450), ("0.01 元", 1), ("１２", 1200)]
)
def test_amounts_are_read_as_people_type_them(text: str, fen: int) -> None:
    assert parse_yuan(text) == Money(fen)


def test_a_percentage_rounds_halves_away_from_zero() -> None:
    assert Money(50).percent(100) == Money(1)
    assert Money(-50).percent(100) == Money(-1)
    assert Money(49).percent(100) == Money(0)


def test_weights_that_are_all_zero_cannot_divide() -> None:
    with pytest.raises(ValueError, match="weights"):
        apportion(10, [0, 0])
