"""Random histories of a whole market: laws of stock and payments after each step, all at the end.

`make test` tells a few, the same ones each time; `make histories` tells new ones for some
minutes. A history that breaks a law is printed step by step, and shortened; to tell it again,
put the printed `@reproduce_failure(...)` on `Market`, or the printed steps into a test.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text

from sellers.supply import releasing
from tests.histories.market import Market, seen

MINUTES = float(os.environ.get("HISTORIES_MINUTES", "0"))
"""How long new histories are told; 0: only the short form."""

COMMON = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    database=None,
    report_multiple_bugs=False,
)
SHORT = settings(
    COMMON, max_examples=9, stateful_step_count=25, derandomize=True, phases=[Phase.generate]
)
LONG = settings(COMMON, max_examples=8, stateful_step_count=50)


@pytest.fixture
def market(app: Flask, database: str) -> Iterator[type[Market]]:
    """The machine, on this test's application and database."""

    class Told(Market):
        def __init__(self) -> None:
            super().__init__(app, database)

    with app.app_context():
        yield Told


def test_no_history_breaks_a_law(market: type[Market]) -> None:
    run_state_machine_as_test(market, settings=SHORT)
    until = time.monotonic() + MINUTES * 60
    while time.monotonic() < until:
        run_state_machine_as_test(market, settings=LONG)
    # A machine whose every step is refused would prove nothing; nor one that is never refused.
    assert seen["out_of_stock"]


def test_a_fault_in_the_stock_rule_is_found(
    market: type[Market], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: units that are given back to their lot and not to their offer."""
    forgets = text("SELECT count(*) FROM unnest(:offers, :units)").bindparams(
        *releasing._RELEASE_OFFERS._bindparams.values()
    )
    monkeypatch.setattr(releasing, "_RELEASE_OFFERS", forgets)
    with pytest.raises(AssertionError, match="offer-sold"):
        run_state_machine_as_test(market, settings=SHORT)
