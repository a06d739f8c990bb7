"""Every form of every page, filled in well and badly, by everybody who is shown it.

FUZZ_SECONDS buys more fillings of each form than the four of a short run.
"""

from __future__ import annotations

import os

import pytest
from flask import Flask

from tests import town
from tests.fuzz.filling import collect, fill
from tests.laws import assert_laws_hold

FILLINGS = max(4, int(os.environ.get("FUZZ_SECONDS", "0")) // 8)
READS = frozenset({"GET", "HEAD", "OPTIONS"})
UNSHOWN = {
    "handover.send",
    "harvest.allocation",
    "harvest.withdraw",
    "household.enter",
    "livestream.start",
    "office.recipient",
    "orders.give_up",
    "planning.remove_offer",
    "restock.give_back",
    "safety.confirm",
    "safety.recovery",
    "sellers.import_load",
    "sellers.submit",
    "settlements.approve_payout",
    "settlements.approve_return",
    "settlements.propose_payout",
    "settlements.turn_down_return",
    "transfers.again",
    "transfers.taken_back",
}
"""Writes of pages that no page of the town shows a form for, each tested where it is made."""


def test_no_form_fails_and_each_says_what_is_wrong(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever shows a bearer token sends no cookie, so forms need no token against forgery.
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with app.app_context():
        people = town.build(2)
        forms = collect(app, people)
        writes = {
            rule.endpoint
            for rule in app.url_map.iter_rules()
            if (rule.methods or set()) - READS and not rule.rule.startswith(("/api/", "/webhooks/"))
        }
        assert writes - {endpoint for endpoint, _ in forms} <= UNSHOWN
        found = fill(app, people, forms, FILLINGS)
        assert found == [], "\n" + "\n".join(found)
        assert_laws_hold()
