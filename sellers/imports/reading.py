"""A workbook becomes rows and faults. Pure: no database, no clock."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any

from kernel import clock
from kernel.money import MAX_FEN, Money, parse_yuan
from kernel.quantity import MAX_UNITS, parse_units
from kernel.sheets import check_workbook
from kernel.text import cleaned
from sellers.actions.stock import MAX_UNIT_G
from sellers.imports.words import (
    CATEGORIES,
    COLUMNS,
    MAX_BYTES,
    MAX_ROWS,
    MODES,
    Column,
    choices,
    key_of,
    meant,
)

MAX_FAULTS = 2_000
SHOWN_VALUE = 40

Fault = dict[str, Any]
Row = dict[str, Any]


_NO_RESULT = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"})
"""What a spreadsheet program writes where a formula failed."""


class Formula(str):
    """A formula whose result is not in the file: nobody opened it since it was written."""

    __slots__ = ()


def check_file(data: bytes) -> None:
    """Refuse what is no spreadsheet of ours, before anything of it is read. Raises Invalid."""
    check_workbook(data, most_bytes=MAX_BYTES)


def read_workbook(data: bytes, today: date) -> tuple[list[Row], list[Fault]]:
    """Return the rows of the first sheet that are right, and every fault of the others.

    At most 2,000 faults are returned. `today` decides which days have passed.
    """
    try:
        lines = _cells(data, results=True)
    except MemoryError:
        raise
    except Exception:
        # openpyxl has no error of its own for most kinds of damage.
        return [], [_fault(0, None, "", "unreadable")]
    return read_lines(_with_formulas(data, lines), today)


def _cells(data: bytes, *, results: bool) -> list[tuple[Any, ...]]:
    """Return the lines of the first sheet; of a formula its result, or what it says."""
    from openpyxl import load_workbook  # noqa: PLC0415  # few open a sheet

    book = load_workbook(io.BytesIO(data), read_only=True, data_only=results)
    sheet = book.worksheets[0]
    return list(sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=40, values_only=True))


def _with_formulas(data: bytes, lines: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return `lines` with a Formula in each cell that has one without a result."""
    try:
        written = _cells(data, results=False)
    except MemoryError:
        raise
    except Exception:
        # Their results were read: what the formulas say adds nothing but a better word.
        return lines
    return [
        tuple(
            Formula(getattr(said, "text", said)) if value is None and said is not None else value
            for value, said in zip(line, formulas, strict=False)
        )
        for line, formulas in zip(lines, written, strict=True)
    ]


def read_lines(lines: list[tuple[Any, ...]], today: date) -> tuple[list[Row], list[Fault]]:
    """Return rows and faults of lines of cells, the first of which holds the headings.

    Headings and choices may be Chinese or English; faults name a column as the file does.
    """
    headings = [_text(cell).rstrip("*＊ ") for cell in lines[0]] if lines else []
    keys = [key_of(heading) for heading in headings]
    english = not {column.heading_en.casefold() for column in COLUMNS}.isdisjoint(
        heading.casefold() for heading in headings
    )
    between = ", " if english else "、"
    shown = {column.key: column.headed(english=english) for column in COLUMNS}
    shown |= {key: heading for key, heading in zip(keys, headings, strict=True) if key}
    missing = [shown[c.key] for c in COLUMNS if c.needed and c.key not in keys]
    if missing:
        return [], [_fault(1, None, "", "headings", missing=between.join(missing))]
    filled = [(n, line) for n, line in enumerate(lines[1:], start=2) if any(map(_text, line))]
    if not filled:
        return [], [_fault(1, None, "", "no_rows")]
    if len(filled) > MAX_ROWS or filled[-1][0] > MAX_ROWS + 1:
        return [], [_fault(filled[-1][0], None, "", "too_many_rows", most=MAX_ROWS)]
    rows: list[Row] = []
    faults: list[Fault] = []
    seen: dict[tuple[Any, ...], int] = {}
    for number, line in filled:
        cells = {key: cell for key, cell in zip(keys, line, strict=False) if key}
        row, wrong = _read_row(number, cells, today)
        same_as = seen.setdefault(tuple(row.values()), number) if not wrong else number
        if same_as != number:
            wrong = [_fault(number, None, "", "repeated", line=same_as)]
        faults += wrong
        if not wrong:
            rows.append({"line": number, **row})
    known = between.join(choices(CATEGORIES, english=english))
    return rows, [_as_filed(fault, shown, known) for fault in faults[:MAX_FAULTS]]


def _as_filed(fault: Fault, shown: dict[str, str], known: str) -> Fault:
    """Return a fault in the words of its file: the column's heading, the categories known."""
    with_ = fault["with"] | ({"known": known} if fault["fault"] == "category" else {})
    return {**fault, "column": shown.get(fault["column"], ""), "with": with_}


def _read_row(number: int, cells: dict[str, Any], today: date) -> tuple[Row, list[Fault]]:
    row: Row = {}
    faults: list[Fault] = []
    for column in COLUMNS:
        value, problem = _read_cell(column, cells.get(column.key))
        row[column.key] = value
        if problem:
            what, with_ = problem
            faults.append(_fault(number, column.key, cells.get(column.key), what, **with_))
    if not faults:
        faults = list(_check_row(number, row, today))
    return row, faults


Problem = tuple[str, dict[str, Any]]


def _read_cell(column: Column, cell: Any) -> tuple[Any, Problem | None]:
    """Return the value that a row keeps, and what is wrong with the cell."""
    text = _text(cell)
    if isinstance(cell, Formula) or text in _NO_RESULT:
        return None, ("formula", {})
    if not text:
        return ("" if column.most else None), (("needed", {}) if column.needed else None)
    if column.most:
        return text, (("too_long", {"most": column.most}) if len(text) > column.most else None)
    reader = _READERS[column.key]
    return reader(text, cell)


def _category(text: str, cell: Any) -> tuple[Any, Problem | None]:
    category = meant(text, CATEGORIES)
    return (str(category), None) if category else (None, ("category", {}))


def _mode(text: str, cell: Any) -> tuple[Any, Problem | None]:
    mode = meant(text, MODES)
    return (str(mode), None) if mode else (None, ("mode", {}))


def _units(most: int, example: int) -> Callable[[str, Any], tuple[Any, Problem | None]]:
    def read(text: str, cell: Any) -> tuple[Any, Problem | None]:
        try:
            return parse_units(text, most=most), None
        except ValueError:
            return None, ("whole", {"least": 1, "most": most, "example": example})

    return read


def _price(text: str, cell: Any) -> tuple[Any, Problem | None]:
    try:
        fen = parse_yuan(text).fen
    except ValueError:
        return None, ("price", {})
    return (fen, None) if 0 < fen <= MAX_FEN else (None, ("price", {}))


def _day(text: str, cell: Any) -> tuple[Any, Problem | None]:
    if isinstance(cell, datetime):
        return _in_years(cell.date())
    cleaned = text.replace("/", "-").replace(".", "-").replace("年", "-").replace("月", "-")
    parts = cleaned.removesuffix("日").split("-")
    try:
        year, month, day = (int(part) for part in parts)
        return _in_years(date(year, month, day))
    except (ValueError, OverflowError):
        return None, ("date", {})


def _in_years(day: date) -> tuple[Any, Problem | None]:
    if day.year not in clock.YEARS:
        return None, ("years", {"least": clock.YEARS[0], "most": clock.YEARS[-1]})
    return day.isoformat(), None


_READERS: dict[str, Callable[[str, Any], tuple[Any, Problem | None]]] = {
    "category": _category,
    "mode": _mode,
    "unit_g": _units(MAX_UNIT_G, 5000),
    "offered": _units(MAX_UNITS, 200),
    "limit_per_buyer": _units(MAX_UNITS, 5),
    "price_fen": _price,
    "broadcast_floor_fen": _price,
    "harvest_from": _day,
    "harvest_to": _day,
    "closes_on": _day,
}


def _check_row(number: int, row: Row, today: date) -> Iterator[Fault]:
    """Yield what is wrong between a row's cells; each cell alone is right by now."""
    floor = row["broadcast_floor_fen"]
    if floor is not None and floor > row["price_fen"]:
        yield _fault(number, "broadcast_floor_fen", str(Money(floor)), "floor")
    first, last = row["harvest_from"], row["harvest_to"]
    if row["mode"] == "in_field":
        if not first or not last:
            key = "harvest_to" if first else "harvest_from"
            yield _fault(number, key, "", "window_needed")
        elif last < first:
            yield _fault(number, "harvest_to", last, "window_order")
        elif last < today.isoformat():
            yield _fault(number, "harvest_to", last, "past")
    if row["closes_on"] and row["closes_on"] < today.isoformat():
        yield _fault(number, "closes_on", row["closes_on"], "past")


def _text(cell: Any) -> str:
    """Return a cell as a person reads it: 5000 for 5000.0, nothing for an empty one."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(round(cell, 6))
    # PostgreSQL keeps no NUL in text, and nobody types one.
    return cleaned(str(cell))


def _fault(line: int, key: str | None, cell: Any, what: str, /, **with_: Any) -> Fault:
    return {
        "line": line,
        "column": key or "",
        "value": _text(cell)[:SHOWN_VALUE],
        "fault": what,
        "with": with_,
    }


def grouped(faults: Iterable[Fault]) -> list[tuple[Fault, int]]:
    """Return (the first, how many) of each kind of fault in a column, the most frequent first."""
    kinds: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        kinds.setdefault((fault["column"], fault["fault"]), []).append(fault)
    ordered = sorted(kinds.values(), key=len, reverse=True)
    return [(alike[0], len(alike)) for alike in ordered]
