"""What an operator reads of a cabinet, in English with counted nouns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

from cabinets.queries import CabinetState
from cabinets.words import alarms

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, ["1 report in conflict", "1 difference to explain", "1 report missing"]),
        (
            1200,
            ["1,200 reports in conflict", "1,200 differences to explain", "1,200 reports missing"],
        ),
    ],
)
def test_alarms_count_in_english(app: Flask, number: int, words: list[str]) -> None:
    state = CabinetState("one-1", [], NOON, None, number, number, number)
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert [one.text for one in alarms(state, NOON)] == words
