"""The pages on which a clerk loads a spreadsheet."""

import io
from collections.abc import Iterator

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import func, select

from kernel.db import db
from sellers import jobs
from sellers.model import (
    Offer,
    OfferImport,
)
from tests import builders
from tests.sellers.test_imports import RIGHT, workbook
from tests.sellers.test_pages import clerk_of, send, signed_in


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_a_spreadsheet_is_looked_at_and_loaded_through_the_pages(app: Flask) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    sent = send(client, "/seller/import", file=(io.BytesIO(b"no sheet"), "a.xlsx"))
    assert sent.status_code == 422
    many = [{**RIGHT, "数量": i + 1} for i in range(60)]
    sent = send(client, "/seller/import", file=(io.BytesIO(workbook(*many)), "库存.xlsx"))
    at = sent.request.path
    progress = client.get(f"{at}/progress")
    etag = {"If-None-Match": progress.headers["ETag"]}
    assert client.get(f"{at}/progress", headers=etag).status_code == 304
    made = db.session.scalars(select(OfferImport)).one()
    jobs.read_spreadsheet(import_id=made.id)
    db.session.expire_all()
    moved = client.get(f"{at}/progress", headers=etag)
    assert (moved.status_code, moved.headers["X-Live"]) == (200, "done")
    assert "from=50" in client.get(at).get_data(as_text=True)
    assert send(client, at, f"{at}/load").status_code == 200
    jobs.load_spreadsheet(import_id=made.id)
    db.session.expire_all()
    assert "60" in client.get(at).get_data(as_text=True)
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 60
    assert client.get("/seller/import/template.xlsx").data[:2] == b"PK"


def test_a_spreadsheet_with_faults_shows_them_and_gives_them_as_a_workbook(app: Flask) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    wrong = [{**RIGHT, "产品名称": f"橙{i}", "数量": "许多"} for i in range(300)]
    sent = send(client, "/seller/import", file=(io.BytesIO(workbook(*wrong)), "a.xlsx"))
    made = db.session.scalars(select(OfferImport)).one()
    jobs.read_spreadsheet(import_id=made.id)
    db.session.expire_all()
    at = sent.request.path
    shown = client.get(at).get_data(as_text=True)
    assert "300" in shown
    assert shown.count("许多") == 50
    assert shown.count("的整数，不带单位") == 51  # the kind says once what the rows say
    last = client.get(f"{at}?from=250").get_data(as_text=True)
    assert last.count("许多") == 50
    assert f'href="{at}?from=200" rel="prev"' in last
    assert "第 6 页，最后一页" in last
    second = client.get(f"{at}?from=50").get_data(as_text=True)
    assert f'href="{at}" rel="prev"' in second
    assert f'href="{at}?from=100" rel="next"' in second
    for nowhere in ("300", "99999", "-5", "abc", "9" * 40):
        answer = client.get(f"{at}?from={nowhere}")
        assert (answer.status_code, "这一页翻不到了" in answer.text) == (422, True), nowhere
    assert client.get(f"{at}/faults.xlsx").data[:2] == b"PK"


def test_a_fault_of_a_whole_row_is_not_called_one_of_the_file_nor_an_empty_cell(app: Flask) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    rows = [RIGHT, RIGHT, {**RIGHT, "数量": "许多"}]
    at = send(client, "/seller/import", file=(io.BytesIO(workbook(*rows)), "a.xlsx")).request.path
    jobs.read_spreadsheet(import_id=db.session.scalars(select(OfferImport.id)).one())
    db.session.expire_all()
    shown = client.get(at).get_data(as_text=True)
    assert "整个文件" not in shown
    assert shown.count("整行") == 1
    assert shown.count(">空<") == 0


@pytest.mark.parametrize(("language", "heading"), [("zh-CN", "产品名称*"), ("en", "Product name*")])
def test_the_template_speaks_the_language_of_whoever_asks(
    app: Flask, language: str, heading: str
) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    asked = client.get("/seller/import/template.xlsx", headers={"Accept-Language": language})
    with asked:
        book = load_workbook(io.BytesIO(asked.data))
    assert book.worksheets[0]["A1"].value == heading
