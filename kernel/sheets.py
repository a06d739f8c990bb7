"""Spreadsheets: which ones may be opened, and how text is written so that nothing runs it."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l

from kernel.errors import Invalid, Text

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MONEY_FORMAT = '"¥"#,##0.00'

MAX_PARTS = 500
MAX_UNPACKED_BYTES = 24 * 1024 * 1024
# XML of real tables packs to about a tenth, dull ones to a fortieth.
MAX_RATIO = 100
SMALL_BYTES = 1024 * 1024
OLD_EXCEL = b"\xd0\xcf\x11\xe0"

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
_DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)""")
_DEFINITIONS = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def write_text(cell: Cell, words: str) -> Cell:
    """Write text that a spreadsheet program shows and never runs, whatever it begins with."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # noqa: PLC0415  # few open a sheet

    kept = ILLEGAL_CHARACTERS_RE.sub("", words)
    cell.value = kept
    cell.data_type = "s"
    # Else it is a formula again as soon as somebody edits the cell.
    cell.quotePrefix = kept.startswith(_FORMULA_STARTS)
    return cell


def write_money(sheet: Worksheet, row: int, column: int, fen: int) -> None:
    """Write an amount that a spreadsheet program shows in yuan and adds up exactly."""
    sheet.cell(row, column, Decimal(fen).scaleb(-2)).number_format = MONEY_FORMAT


def _refusal(code: str, message: Text, field: str) -> Invalid:
    return Invalid(message, code=code, fields={field: message})


def check_workbook(data: bytes, *, most_bytes: int, field: str = "file") -> None:
    """Refuse what is no whole .xlsx, or unpacks to too much, before any of it is understood.

    Raises Invalid, naming `field`. After it, every part can be unpacked, holds no definitions
    of entities, and all of them together stay below MAX_UNPACKED_BYTES.
    """
    if not data:
        raise _refusal("file_empty", _l("这个文件是空的。选填好的表格再上传。"), field)
    if len(data) > most_bytes:
        said = _l(
            "文件太大，最多 %(most)s MB。删掉图片，或者分成几个文件。", most=most_bytes // 2**20
        )
        raise _refusal("file_too_large", said, field)
    if data.startswith(OLD_EXCEL):
        said = _l("这是旧格式 .xls。在 Excel 里另存为 .xlsx 再上传。")
        raise _refusal("old_excel", said, field)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            _check_sizes(book, len(data), field)
            _check_parts(book)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,  # packed in a way that zipfile does not know
        RuntimeError,  # locked with a password
    ) as problem:
        said = _l("这不是 Excel 表格。下载模板，填好后上传 .xlsx。")
        raise _refusal("not_a_spreadsheet", said, field) from problem


def _check_sizes(book: zipfile.ZipFile, packed: int, field: str) -> None:
    # A part unpacks to no more than it declares, so the sum bounds what is read.
    unpacked = sum(part.file_size for part in book.infolist())
    swollen = unpacked > max(SMALL_BYTES, packed * MAX_RATIO)
    if len(book.infolist()) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES or swollen:
        said = _l("表格展开后太大。只留要上架的内容，重新存一份。")
        raise _refusal("file_too_large", said, field)


def _check_parts(book: zipfile.ZipFile) -> None:
    """Unpack every part once. Raises ValueError for what Excel never writes."""
    names = book.namelist()
    if "xl/workbook.xml" not in names or len(set(names)) != len(names):
        raise ValueError("no workbook")
    for name in names:
        content = book.read(name)
        # Whatever its name, a part may be read as XML if it begins so.
        if content.lstrip(_BEFORE_XML)[:1] != b"<":
            continue
        declared = _DECLARED.search(content[:200])
        # In another encoding the search below would not see what the reader sees.
        if b"\0" in content[:4] or (declared and declared[1].lower() not in (b"utf-8", b"ascii")):
            raise ValueError("not UTF-8")
        if _DEFINITIONS.search(content):
            raise ValueError("definitions of entities")
