"""Bad spreadsheets: never a fault, nothing half loaded, every wrong cell named."""

from __future__ import annotations

import io
from contextvars import Context
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.identity import Role
from kernel.tokens import issue_token
from sellers import jobs
from sellers.imports.reading import read_workbook
from sellers.model import ImportState, Lot, Offer, OfferImport, Product
from tests import builders
from tests.fuzz.workbooks import HEADINGS, RIGHTLY_READ, WHOLE, WRONG, right, saved, sheet_of
from tests.laws import assert_laws_hold
from tests.sellers.test_imports import RIGHT

QUIET = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
odd_cells = st.sampled_from(sorted(RIGHTLY_READ)).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from(RIGHTLY_READ[key]))
)


@QUIET
@given(st.lists(st.dictionaries(*[st.sampled_from(sorted(WRONG))] * 2, max_size=3), max_size=8))
def test_every_wrong_cell_is_named_and_every_other_row_is_read(
    plans: list[dict[str, str]],
) -> None:
    rows, wrong = [], {}
    for line, plan in enumerate(plans, start=2):
        cells = {key: WRONG[key][len(other + key) % len(WRONG[key])] for key, other in plan.items()}
        rows.append({**right(), "offered": 100 + line, **cells})
        wrong[line] = {HEADINGS[key] for key in cells}
    read, faults = read_workbook(saved(sheet_of(*rows)[0]), clock.today())
    if not rows:
        assert [fault["fault"] for fault in faults] == ["no_rows"]
        return
    named: dict[int, set[str]] = {}
    for fault in faults:
        named.setdefault(fault["line"], set()).add(fault["column"])
    assert named == {line: keys for line, keys in wrong.items() if keys}
    assert [row["line"] for row in read] == [line for line, keys in wrong.items() if not keys]


@QUIET
@given(odd_cells)
def test_an_odd_cell_is_kept_as_it_was_meant(cell: tuple[str, tuple[Any, Any]]) -> None:
    key, (written, meant) = cell
    [row], faults = read_workbook(saved(sheet_of({**right(), key: written})[0]), clock.today())
    assert (row[key], faults) == (meant, [])


def counted() -> list[int]:
    """How many products, lots and offers there are."""
    return [
        db.session.scalar(select(func.count()).select_from(t)) or 0 for t in (Product, Lot, Offer)
    ]


def uploaded(app: Flask, token: str, data: bytes) -> Any:
    """What the API says to an upload."""
    answer = Context().run(
        app.test_client(use_cookies=False).post,
        "/api/v1/sellers/mine/imports",
        data={"file": (io.BytesIO(data), "stock.xlsx")},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code in (202, 422), answer.text
    return answer


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_a_bad_workbook_is_refused_in_words_and_lists_nothing(app: Flask, kind: str) -> None:
    with app.app_context():
        clerk = builders.account(Role.CLERK, builders.seller().organisation)
        answer = uploaded(app, issue_token(clerk), WHOLE[kind]())
        if answer.status_code == 422:
            assert set(answer.get_json()["fields"]) == {"file"}
        for made in db.session.scalars(select(OfferImport)).all():
            jobs.read_spreadsheet(import_id=made.id)
            db.session.refresh(made)
            assert made.state in (ImportState.PREVIEW, ImportState.FAILED)
            assert made.faults or made.rows[0]["name_zh"] == RIGHT["产品名称"], kind
        assert counted() == [0, 0, 0]
        assert_laws_hold()


def test_three_hundred_wrong_rows_are_all_named_and_none_is_loaded(app: Flask) -> None:
    rows = [{**right(), "offered": "许多", "price_fen": -1} for _ in range(300)]
    with app.app_context():
        clerk = builders.account(Role.CLERK, builders.seller().organisation)
        uploaded(app, issue_token(clerk), saved(sheet_of(right(), *rows)[0]))
        made = db.session.scalars(select(OfferImport)).one()
        jobs.read_spreadsheet(import_id=made.id)
        db.session.refresh(made)
        named = {(fault["line"], fault["column"]) for fault in made.faults}
        assert named == {
            (line, HEADINGS[key]) for line in range(3, 303) for key in ("offered", "price_fen")
        }
        assert counted() == [0, 0, 0]
