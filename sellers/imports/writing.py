"""Workbooks that we write: the template to fill in, and the list of what is wrong."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from kernel.sheets import write_text
from sellers.imports.reading import Fault
from sellers.imports.words import CATEGORIES, COLUMNS, MAX_ROWS, MODES, choices, say

_ADVICE = f"从“上架”表第 2 行开始填，一行一个批次，最多 {MAX_ROWS} 行。"
_ADVICE_EN = f"Fill in from row 2 of “Stock”, one lot a row, at most {MAX_ROWS} rows."


def _write(cell: Cell, value: Any) -> None:
    if isinstance(value, str):
        write_text(cell, value)
    else:
        cell.value = value


def _line(sheet: Worksheet, number: int, values: Iterable[Any]) -> None:
    for at, value in enumerate(values, start=1):
        cell = sheet.cell(number, at)
        if isinstance(cell, Cell):  # a merged cell takes no value; there is none here
            _write(cell, value)


def _head(sheet: Worksheet, headings: list[str], width: int = 18) -> None:
    _line(sheet, 1, headings)
    for at, cell in enumerate(sheet[1], start=1):
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="1D6B48")
        sheet.column_dimensions[get_column_letter(at)].width = width
    sheet.freeze_panes = "A2"


def template(*, english: bool = False) -> bytes:
    """Return the workbook to fill in: headings with lists to pick from, and a sheet of notes."""
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook opens on a worksheet")
    sheet.title = "Stock" if english else "上架"
    _head(sheet, [c.headed(english=english) + ("*" if c.needed else "") for c in COLUMNS])
    for key, names in (("category", CATEGORIES), ("mode", MODES)):
        letter = get_column_letter([c.key for c in COLUMNS].index(key) + 1)
        offered = ",".join(choices(names, english=english))
        listed = DataValidation(type="list", formula1=f'"{offered}"', allow_blank=True)
        sheet.add_data_validation(listed)
        listed.add(f"{letter}2:{letter}{MAX_ROWS + 1}")
    notes = book.create_sheet("How to fill in" if english else "填写说明")
    _head(notes, ["Column", "What", "Example"] if english else ["列", "怎么填", "例子"], width=44)
    for number, c in enumerate(COLUMNS, start=2):
        what, example = (c.limit_en, c.example_en) if english else (c.limit, c.example)
        _line(notes, number, [c.headed(english=english), what, example])
    _line(notes, len(COLUMNS) + 3, [_ADVICE_EN if english else _ADVICE])
    return _saved(book)


def fault_list(faults: Iterable[Fault], headings: list[str]) -> bytes:
    """Return a workbook that lists `faults` under `headings` (line, column, value, advice)."""
    book = Workbook()
    sheet = book.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook opens on a worksheet")
    _head(sheet, headings, width=28)
    for number, fault in enumerate(faults, start=2):
        _line(sheet, number, [fault["line"], fault["column"], fault["value"], say(fault)])
    return _saved(book)


def _saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
