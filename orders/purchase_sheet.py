"""What a buying unit bought in a year, as an Excel workbook to be handed in."""

from __future__ import annotations

import io

from flask_babel import gettext as _
from flask_babel import pgettext
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from kernel.language import local, unit
from kernel.sheets import write_money, write_text
from orders.model import BuyingUnit
from orders.queries.targets import Purchase, Year

WIDTHS = (14, 24, 30, 26, 24, 22, 10, 14, 10, 16)
PRICE, UNITS, TOTAL = 8, 9, 10
"""Columns of figures, counted from 1."""


def workbook(bought: Year, buyer: BuyingUnit) -> bytes:
    """Return a workbook of one sheet: a row for each purchase, what they come to, and whose."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = _("%(year)s年采购台账", year=bought.year)
    sheet.freeze_panes = "A2"
    for at, (head, width) in enumerate(zip(_heads(), WIDTHS, strict=True), 1):
        write_text(sheet.cell(1, at, ""), head).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(at)].width = width
    for row, one in enumerate(bought.purchases, 2):
        _write(sheet, row, one)
    sums = [(_("已收货"), bought.completed), (_("已预订"), bought.committed)]
    sums += [(_("采购任务"), bought.goal)] if bought.goal else []
    for row, (name, amount) in enumerate(sums, len(bought.purchases) + 2):
        write_text(sheet.cell(row, 1, ""), name).font = Font(bold=True)
        write_money(sheet, row, TOTAL, amount.fen)
    whose = len(bought.purchases) + len(sums) + 2
    write_text(sheet.cell(whose, 1, ""), _("采购单位")).font = Font(bold=True)
    write_text(sheet.cell(whose, 2, ""), local(buyer))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _heads() -> list[str]:
    heads = [_("收货日期"), pgettext("one", "预订期"), pgettext("one", "供货方"), _("产地")]
    return [*heads, _("证书号"), _("货"), _("计量单位"), _("单价"), _("数量"), _("金额")]


def _write(sheet: Worksheet, row: int, one: Purchase) -> None:
    words = (
        one.received_on.isoformat() if one.received_on else _("还没收货"),
        local(one, "round_title"),
        local(one, "seller_name"),
        "".join(one.places),
        one.certificate_number,
        local(one),
        unit(one.unit_name),
    )
    for at, text in enumerate(words, 1):
        write_text(sheet.cell(row, at, ""), text)
    write_money(sheet, row, PRICE, one.price.fen)
    sheet.cell(row, UNITS, one.units)
    write_money(sheet, row, TOTAL, one.total.fen)
