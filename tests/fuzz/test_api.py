"""The API answers as its own document says, whatever it is sent and by whom.

FUZZ_SECONDS is the time to spend (90), FUZZ_SEED another place to begin.
"""

from __future__ import annotations

import os

from flask import Flask

from tests import town
from tests.fuzz.api import fuzz
from tests.fuzz.callers import meet
from tests.laws import assert_laws_hold

SECONDS = int(os.environ.get("FUZZ_SECONDS", "90"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))


def test_the_api_never_fails_and_answers_as_its_document_says(app: Flask) -> None:
    with app.app_context():
        callers = meet(app, town.build(2))
    found = list(fuzz(app, callers, seconds=SECONDS, seed=SEED))
    assert found == [], "\n\n".join(found)
    with app.app_context():
        assert_laws_hold()
