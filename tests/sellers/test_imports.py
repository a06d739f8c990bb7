"""Stock from a spreadsheet: every fault said, all loaded or nothing."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid
from kernel.sheets import MAX_UNPACKED_BYTES
from sellers import jobs
from sellers.imports import actions, writing
from sellers.imports.reading import check_file, grouped, read_workbook
from sellers.imports.words import COLUMNS, FAULTS, MAX_ROWS, say
from sellers.model import (
    ImportState,
    Lot,
    LotMode,
    Offer,
    OfferImport,
    Product,
    Seller,
    SellerState,
)
from sellers.queries import shelf
from tests import builders

RIGHT = {
    "产品名称": "玫瑰香橙",
    "分类": "水果",
    "销售单位": "箱",
    "每份重量（克）": 5000,
    "现货或在地": "现货",
    "数量": 200,
    "单价（元）": 59.5,
}


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def workbook(*rows: dict[str, Any], headings: list[str] | None = None) -> bytes:
    """A filled-in spreadsheet."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    columns = headings or [column.heading for column in COLUMNS]
    sheet.append(columns)
    for row in rows:
        sheet.append([row.get(heading) for heading in columns])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def taken(seller: Seller, data: bytes) -> OfferImport:
    """An import that has been read."""
    made = jobs.upload(seller.id, builders.account().id, data, "../../库存.xlsx")
    jobs.read_spreadsheet(import_id=made.id)
    return again(made)


def again(made: OfferImport) -> OfferImport:
    """The import as the database has it."""
    db.session.expire_all()
    return db.session.get_one(OfferImport, made.id)


def nothing_listed() -> bool:
    """Whether no product, lot or offer exists."""
    return not any(
        db.session.scalar(select(func.count()).select_from(t)) for t in (Product, Lot, Offer)
    )


def faults_of(**cells: Any) -> list[tuple[str, str]]:
    """(column, fault) of a spreadsheet of one row."""
    _, faults = read_workbook(workbook({**RIGHT, **cells}), clock.today())
    assert all(say(fault) for fault in faults)
    return [(fault["column"], fault["fault"]) for fault in faults]


@pytest.mark.parametrize("heading", ["产品名称", "数量", "每人限购", "卖到哪天"])
@pytest.mark.parametrize("cell", ["=1+1", "#REF!", "#N/A"])
def test_a_formula_without_a_result_is_told_and_never_read_as_an_empty_cell(
    heading: str, cell: str
) -> None:
    assert faults_of(**{heading: cell}) == [(heading, "formula")]


def test_a_formula_counts_with_its_result() -> None:
    book = io.BytesIO()
    data = workbook({**RIGHT, "每人限购": "=1+1"})
    with zipfile.ZipFile(io.BytesIO(data)) as made, zipfile.ZipFile(book, "w") as kept:
        for name in made.namelist():
            kept.writestr(name, made.read(name).replace(b"<v />", b"<v>2</v>"))
    rows, faults = read_workbook(book.getvalue(), clock.today())
    assert (rows[0]["limit_per_buyer"], faults) == (2, [])


def test_right_rows_wait_for_a_look_and_are_then_all_on_sale() -> None:
    seller = builders.seller()
    field = {**RIGHT, "现货或在地": "在地", "采收开始": "2099-12-01", "采收结束": "2099/12/8"}
    eggs = {**RIGHT, "产品名称": "土鸡蛋", "分类": "蛋", "销售单位": "枚", "每份重量（克）": "50"}
    made = taken(seller, workbook(RIGHT, field, eggs))
    assert made.state is ImportState.PREVIEW
    assert (made.rows_total, made.faults, made.file_name) == (3, [], "库存.xlsx")
    assert nothing_listed()
    jobs.load(made.id)
    jobs.load_spreadsheet(import_id=made.id)
    made = again(made)
    assert (made.state, made.rows_done) == (ImportState.DONE, 3)
    assert [(c.name_zh, c.price_fen, c.left) for c in shelf().items] == [
        ("土鸡蛋", 5950, 200),
        ("玫瑰香橙", 5950, 200),
        ("玫瑰香橙", 5950, 200),
    ]
    assert db.session.scalar(select(func.count()).select_from(Product)) == 2
    assert {lot.mode for lot in db.session.scalars(select(Lot))} == set(LotMode)


def test_a_row_says_how_low_a_broadcast_may_go_or_leaves_it_empty() -> None:
    seller = builders.seller()
    floors: tuple[dict[str, float], ...] = (
        {"直播最低价（元）": 45},
        {"直播最低价（元）": 59.5},
        {},
    )
    rows = [{**RIGHT, "数量": n, **floor} for n, floor in enumerate(floors, start=1)]
    made = taken(seller, workbook(*rows))
    jobs.load(made.id)
    jobs.load_spreadsheet(import_id=made.id)
    kept = select(Offer.broadcast_floor_fen).order_by(Offer.id)
    assert db.session.scalars(kept).all() == [4500, 5950, None]


def test_a_job_that_runs_again_lists_nothing_twice() -> None:
    made = taken(builders.seller(), workbook(RIGHT))
    jobs.load(made.id)
    for _ in range(3):
        jobs.read_spreadsheet(import_id=made.id)
        jobs.load_spreadsheet(import_id=made.id)
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1
    with pytest.raises(Conflict):
        jobs.load(made.id)


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"产品名称": None}, ("产品名称", "needed")),
        ({"产品名称": "橙" * 61}, ("产品名称", "too_long")),
        ({"分类": "橙子"}, ("分类", "category")),
        ({"数量": "两百"}, ("数量", "whole")),
        ({"数量": 1.5}, ("数量", "whole")),
        ({"数量": -3}, ("数量", "whole")),
        ({"数量": 10_000_001}, ("数量", "whole")),
        ({"每份重量（克）": "5kg"}, ("每份重量（克）", "whole")),
        ({"单价（元）": "免费"}, ("单价（元）", "price")),
        ({"单价（元）": 0}, ("单价（元）", "price")),
        ({"单价（元）": 1.234}, ("单价（元）", "price")),
        ({"直播最低价（元）": 0}, ("直播最低价（元）", "price")),
        ({"直播最低价（元）": 59.51}, ("直播最低价（元）", "floor")),
        ({"现货或在地": "有"}, ("现货或在地", "mode")),
        ({"现货或在地": "在地"}, ("采收开始", "window_needed")),
        ({"采收开始": "下个月"}, ("采收开始", "date")),
        ({"卖到哪天": "20261201000-1-1"}, ("卖到哪天", "date")),
        (
            {"现货或在地": "在地", "采收开始": "2099-12-08", "采收结束": "2099-12-01"},
            ("采收结束", "window_order"),
        ),
        ({"卖到哪天": "2020-01-01"}, ("卖到哪天", "past")),
    ],
)
def test_a_wrong_cell_is_named_with_what_to_write(
    cells: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert faults_of(**cells) == [fault]


def test_one_wrong_row_of_many_loads_nothing() -> None:
    made = taken(builders.seller(), workbook(RIGHT, {**RIGHT, "数量": "很多"}))
    assert made.state is ImportState.FAILED
    [fault] = made.faults
    assert (fault["line"], fault["column"], fault["value"]) == (3, "数量", "很多")
    with pytest.raises(Conflict):
        jobs.load(made.id)
    jobs.load_spreadsheet(import_id=made.id)
    assert nothing_listed()


def test_a_row_that_repeats_another_is_named() -> None:
    _, faults = read_workbook(workbook(RIGHT, RIGHT), clock.today())
    assert [(fault["line"], fault["fault"]) for fault in faults] == [(3, "repeated")]


def test_hundreds_of_wrong_rows_are_counted_by_kind_and_can_be_downloaded() -> None:
    wrong = [{**RIGHT, "产品名称": f"橙 {i}", "数量": "=1+1"} for i in range(300)]
    made = taken(builders.seller(), workbook(*wrong, headings=[c.heading for c in COLUMNS]))
    assert len(made.faults) == 300
    assert grouped(made.faults) == [(made.faults[0], 300)]
    book = load_workbook(
        io.BytesIO(writing.fault_list(made.faults, ["行", "列", "内容", "怎么改"]))
    )
    assert book.worksheets[0].max_row == 301


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_what_looks_like_a_formula_is_written_as_text(start: str) -> None:
    fault = {"line": 2, "column": "数量", "value": f"{start}1+1", "fault": "needed"}
    book = load_workbook(io.BytesIO(writing.fault_list([fault], ["行", "列", "内容", "怎么改"])))
    cell = book.worksheets[0]["C2"]
    assert (cell.value, cell.data_type) == (f"{start}1+1", "s")


@pytest.mark.parametrize("english", [False, True])
def test_the_template_can_be_filled_in_and_uploaded_as_it_is(english: bool) -> None:
    book = load_workbook(io.BytesIO(writing.template(english=english)))
    sheet, notes = book.worksheets
    headings = [str(cell.value).rstrip("*") for cell in sheet[1]]
    assert headings == [c.heading_en if english else c.heading for c in COLUMNS]
    assert notes.max_row > len(COLUMNS)
    sheet.append([c.example_en if english else c.example for c in COLUMNS])
    out = io.BytesIO()
    book.save(out)
    [row], faults = read_workbook(out.getvalue(), clock.today())
    assert faults == []
    kept = (row["name_zh"], row["category"], row["mode"], row["offered"], row["price_fen"])
    assert kept == ("玫瑰香橙", "fruit", "in_hand", 200, 5900)


def test_an_english_file_is_read_and_told_in_its_own_words() -> None:
    right = {c.heading_en: c.example_en for c in COLUMNS}
    field = {"In hand or in the field": "IN THE FIELD", "Category": "dried goods"}
    wrong = [
        {**right, "Quantity": "many"},
        {**right, "Category": "Oranges"},
        {**right, **field},
        {**right, "In hand or in the field": "soon"},
    ]
    headings = [c.heading_en for c in COLUMNS]
    rows, faults = read_workbook(workbook(*wrong, headings=headings), clock.today())
    assert rows == []
    assert [(fault["column"], fault["fault"]) for fault in faults] == [
        ("Quantity", "whole"),
        ("Category", "category"),
        ("Harvest from", "window_needed"),
        ("In hand or in the field", "mode"),
    ]
    assert "Dried goods" in say(faults[1])
    [short] = read_workbook(workbook(right, headings=["product NAME"]), clock.today())[1]
    assert "Price (yuan)" in say(short)


def test_both_languages_in_one_file_are_understood() -> None:
    headings = [c.heading_en if n % 2 else c.heading for n, c in enumerate(COLUMNS)]
    mixed = dict(zip(headings, (c.example for c in COLUMNS), strict=True))
    [row], faults = read_workbook(workbook(mixed, headings=headings), clock.today())
    assert (row["category"], faults) == ("fruit", [])


def test_a_sheet_without_the_headings_or_without_rows_says_so() -> None:
    today = clock.today()
    [fault] = read_workbook(workbook(RIGHT, headings=["产品名称"]), today)[1]
    assert "单价（元）" in say(fault)
    assert read_workbook(workbook(), today)[1][0]["fault"] == "no_rows"
    many = [{**RIGHT, "数量": i + 1} for i in range(MAX_ROWS + 1)]
    assert read_workbook(workbook(*many), today)[1][0]["fault"] == "too_many_rows"


def bomb() -> bytes:
    """A small file that unpacks to too much."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", b"0" * (MAX_UNPACKED_BYTES + 1))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\xd0\xcf\x11\xe0 old", "old_excel"),
        ("名称,价格\n橙,59".encode(), "not_a_spreadsheet"),
        (b"PK\x03\x04 broken", "not_a_spreadsheet"),
        (b"0" * (5 * 1024 * 1024 + 1), "file_too_large"),
        (bomb(), "file_too_large"),
    ],
    # Named: a workbook's bytes tell the time, and every worker must find the same tests.
    ids=["empty", "old", "text", "broken", "big", "bomb"],
)
def test_what_is_no_spreadsheet_of_ours_is_refused_at_once(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        jobs.upload(builders.seller().id, builders.account().id, data, "a.xlsx")
    assert refusal.value.code == code
    assert db.session.scalar(select(func.count()).select_from(OfferImport)) == 0


def test_a_damaged_workbook_fails_with_words() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("xl/workbook.xml", "<broken")
    check_file(out.getvalue())
    made = taken(builders.seller(), out.getvalue())
    assert made.state is ImportState.FAILED
    assert made.faults[0]["fault"] == "unreadable"


def test_a_seller_returned_meanwhile_loads_nothing() -> None:
    seller = builders.seller()
    rows = [{**RIGHT, "数量": i + 1} for i in range(60)]
    made = taken(seller, workbook(*rows))
    jobs.load(made.id)
    with transaction() as session:
        session.get_one(Seller, seller.id).state = SellerState.RETURNED
    jobs.load_spreadsheet(import_id=made.id)
    made = again(made)
    assert (made.state, made.rows_done) == (ImportState.FAILED, 0)
    assert "认证" in say(made.faults[0])
    assert nothing_listed()


def test_a_fault_halfway_leaves_nothing_on_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    made = taken(builders.seller(), workbook(*[{**RIGHT, "数量": i + 1} for i in range(60)]))
    jobs.load(made.id)
    tell = actions._tell
    seen: list[int] = []

    def told_and_lost(import_id: int, done: int) -> None:
        tell(import_id, done)
        with db.engine.connect() as beside:  # somebody who polls, on a connection of their own
            of_it = select(OfferImport.rows_done).where(OfferImport.id == import_id)
            seen.append(beside.scalar(of_it) or 0)
        raise ConnectionError("the power went")

    monkeypatch.setattr(actions, "_tell", told_and_lost)
    with pytest.raises(ConnectionError):
        jobs.load_spreadsheet(import_id=made.id)
    assert seen == [50]
    assert nothing_listed()
    monkeypatch.setattr(actions, "_tell", tell)
    jobs.load_spreadsheet(import_id=made.id)
    assert again(made).state is ImportState.DONE
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 60


def test_every_fault_has_words() -> None:
    fills = {"most": 1, "least": 1, "example": 1, "known": "", "line": 2, "missing": "", "why": ""}
    assert all(say({"fault": fault, "with": fills}) for fault in FAULTS)


def test_a_number_out_of_range_is_told_its_range_with_commas() -> None:
    fault = {"fault": "whole", "with": {"least": 1, "most": 10_000_000, "example": 5000}}
    assert say(fault) == "要写 1 到 10,000,000 的整数，不带单位，如 5000。"


def test_a_day_beyond_the_calendar_is_named() -> None:
    heading = next(column.heading for column in COLUMNS if column.key == "closes_on")
    assert faults_of(**{heading: "9999-12-31"}) == [("卖到哪天", "years")]
