"""Spreadsheets as people, programs and attackers send them, most of them wrong."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from kernel.sheets import MAX_UNPACKED_BYTES
from sellers.imports.words import COLUMNS
from tests.sellers.test_imports import RIGHT

HEADINGS = {column.key: column.heading for column in COLUMNS}
NOT_A_COUNT: tuple[Any, ...] = (
    None, "", "  ", "许多", -1, 0, "0", 1.5, 1e300, float("inf"), "1e3", "9" * 40, "1 2", True,
    "=1+1", date(2026, 1, 1), "x" * 30_000,
)  # fmt: skip
WRONG: dict[str, tuple[Any, ...]] = {
    "name_zh": (None, "  ", "橙" * 61, "橙" * 30_000),
    "name_en": ("o" * 121,),
    "category": (None, "石头", 5, True, "fruit" * 9_000),
    "unit_name": (None, "一个很长很长的销售单位"),
    "unit_g": NOT_A_COUNT,
    "mode": (None, "空中", 1.0),
    "offered": NOT_A_COUNT,
    "price_fen": (None, "便宜", -1, 0, "0.00", "1.005", "-5", 1e300, "¥", "五元"),
    "limit_per_buyer": ("许多", -1, 0, 2.5),
    "harvest_from": ("2026-02-30", "昨天", "0000-00-00", 45_000, "9" * 30),
}
"""Column → cells that say nothing that the column can keep."""
RIGHTLY_READ: dict[str, tuple[tuple[Any, Any], ...]] = {
    "offered": (
        (" 200 ", 200),
        ("１２３", 123),
        ("1,000", 1000),
        (200.0, 200),
        ("\u3000７\u3000", 7),
        ("\u202e12", 12),
    ),
    "unit_g": (("５０００", 5000), ("500 ", 500)),
    "price_fen": (("59.5", 5950), (" ¥59.50 ", 5950), (59, 5900), ("５９", 5900)),
    "name_zh": ((" 春橙 ", "春橙"), ("<b>春橙</b>", "<b>春橙</b>"), (5, "5")),
}
"""Column → cells that look odd, and what is kept of them."""


def saved(book: Workbook) -> bytes:
    """The bytes of a workbook."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet_of(*rows: dict[str, Any]) -> tuple[Workbook, Worksheet]:
    """A workbook with the right headings and these rows, by the columns' keys."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(list(HEADINGS.values()))
    for row in rows:
        sheet.append([row.get(key) for key in HEADINGS])
    return book, sheet


def right() -> dict[str, Any]:
    """A row that can be listed, by the columns' keys."""
    return {key: RIGHT.get(heading) for key, heading in HEADINGS.items()}


def merged() -> bytes:
    """Two rows that share their cells."""
    book, sheet = sheet_of(right(), {**right(), "offered": 7})
    sheet.merge_cells("A2:C3")
    return saved(book)


def formulas() -> bytes:
    """Nothing but formulas that nobody has calculated."""
    return saved(sheet_of(dict.fromkeys(HEADINGS, '=HYPERLINK("http://x",1)'))[0])


def hidden_first() -> bytes:
    """The first sheet is hidden and holds something else."""
    book, _ = sheet_of(right())
    secret = book.create_sheet("secret", 0)
    secret.append(["密码"])
    secret.sheet_state = "hidden"
    return saved(book)


def chart_only() -> bytes:
    """A workbook whose only sheet is a chart."""
    book = Workbook()
    book.create_chartsheet("图")
    book.remove(book.worksheets[0])
    return saved(book)


def empty_rows() -> bytes:
    """One row, a hundred thousand lines further down."""
    book, sheet = sheet_of()
    sheet.cell(100_000, 1, "春橙")
    return saved(book)


def repeated_headings() -> bytes:
    """Every column twice."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append([*HEADINGS.values(), *HEADINGS.values()])
    sheet.append([*right().values(), *dict.fromkeys(HEADINGS, "石头").values()])
    return saved(book)


def lying_zip() -> bytes:
    """A small file that unpacks to too much."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", b"0" * (MAX_UNPACKED_BYTES + 1))
    return out.getvalue()


def changed(old: bytes, new: bytes) -> Callable[[], bytes]:
    """A right workbook in whose parts something was replaced."""

    def make() -> bytes:
        out = io.BytesIO()
        whole = zipfile.ZipFile(io.BytesIO(saved(sheet_of(right())[0])))
        with whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
            kept = {name: whole.read(name) for name in whole.namelist()}
            assert any(old in content for content in kept.values()), old
            for name, content in kept.items():
                parts.writestr(name, content.replace(old, new))
        return out.getvalue()

    return make


WHOLE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not a zip": lambda: "名称,价格\n橙,59".encode(),
    "truncated": lambda: saved(sheet_of(right())[0])[:-200],
    "cut in the middle": lambda: saved(sheet_of(right())[0])[:900],
    "bomb": lying_zip,
    "merged": merged,
    "formulas": formulas,
    "hidden first sheet": hidden_first,
    "chart only": chart_only,
    "no sheets": changed(b"<sheet ", b"<shoot "),
    "bad dimension": changed(b'ref="A1', b'ref="ZZZZZZ99999999999'),
    "bad cell": changed(b'r="A2"', b'r="--"'),
    "huge number": changed(b"<v>5000</v>", b"<v>" + b"9" * 9_000 + b"</v>"),
    "not a number": changed(b"<v>5000</v>", b"<v>NaN</v>"),
    "bad style": changed(b's="', b's="999'),
    "bad string": changed(b'r="A2" t="inlineStr"', b'r="A2" t="s"'),
    "entities": changed(b"<worksheet", b"<!DOCTYPE x [<!ENTITY y 'z'>]><worksheet"),
    "far row": changed(b'<row r="2"', b'<row r="99999999999"'),
    "empty rows": empty_rows,
    "repeated headings": repeated_headings,
    "no headings": lambda: saved(Workbook()),
}
"""What is wrong with a file as a whole → the file."""
