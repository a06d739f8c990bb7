"""Quantities and weights as people type them."""

import pytest

from kernel.quantity import looks_mistyped, parse_jin, parse_units


@pytest.mark.parametrize(
    ("text", "grams"), [("118.5", 59250), ("0.01斤", 5), ("120 斤", 60000), ("１２０．５", 60250)]
)
def test_a_weight_in_jin_becomes_whole_grams(text: str, grams: int) -> None:
    assert parse_jin(text) == grams


@pytest.mark.parametrize("text", ["", "-1", "1.234", "12a", "1e3", "99999999"])
def test_what_is_not_a_weight_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="jin"):
        parse_jin(text)


@pytest.mark.parametrize(
    ("text", "units"), [("12", 12), ("１２", 12), ("1,200", 1200), ("1，200，000", 1_200_000)]
)
def test_units_are_read_as_people_write_them(text: str, units: int) -> None:
    assert parse_units(text) == units


@pytest.mark.parametrize(
    "text", ["", "0", "-3", "2.5", "1,5", "1,20", "12,", "1,2000", "1e3", "100000000"]
)
def test_units_are_whole_and_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_units(text)


def test_a_figure_five_times_off_is_asked_about() -> None:
    assert looks_mistyped(1185, 120)
    assert looks_mistyped(12, 120)
    assert not looks_mistyped(108, 120)
    assert not looks_mistyped(10, 0)
