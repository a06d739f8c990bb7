"""The report as an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from flask_babel import gettext as _
from flask_babel import pgettext
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from kernel.language import local
from kernel.sheets import write_money, write_text
from marketplace.report.periods import Period
from marketplace.report.queries import ChannelReport, Figures, Sold, by_day
from marketplace.report.words import channel_name

NAME_WIDTH, FIGURE_WIDTH = 34, 16


def workbook(period: Period, report: ChannelReport, sellers: Sequence[Sold]) -> bytes:
    """Return a workbook of four sheets: channels, their sources, sellers, days."""
    book = Workbook()
    book.remove(book.worksheets[0])
    _sheet(
        book,
        _("各渠道"),
        _("渠道"),
        [
            *((str(channel_name(one.kind)), one.figures) for one in report.channels),
            (_("合计"), report.total),
        ],
        {str(channel_name(one.kind)): one.assists for one in report.channels},
    )
    sources = [
        (f"{channel_name(channel.kind)} · {local(one)}", one.figures)
        for channel in report.channels
        for one in channel.sources
    ]
    _sheet(book, _("各来源"), _("来源"), [*sources, (_("合计"), report.total)])
    rows = [(local(one), one.figures) for one in sellers]
    _sheet(book, _("各供货方"), pgettext("one", "供货方"), [*rows, (_("合计"), report.total)])
    days = [(day.isoformat(), figures) for day, figures in by_day(period)]
    _sheet(book, _("每日"), _("日期"), [*days, (_("合计"), report.total)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(
    book: Workbook,
    title: str,
    first: str,
    rows: Iterable[tuple[str, Figures]],
    assists: dict[str, int] | None = None,
) -> None:
    sheet = book.create_sheet(title)
    assert isinstance(sheet, Worksheet)
    sheet.freeze_panes = "B2"
    sheet.column_dimensions["A"].width = NAME_WIDTH
    for column in "BCDEFG":
        sheet.column_dimensions[column].width = FIGURE_WIDTH
    heads = [first, _("订单"), _("已付款"), _("已退款"), _("净额"), _("已结算")]
    heads += [_("助攻，不合计")] if assists is not None else []
    for at, head in enumerate(heads, 1):
        write_text(sheet.cell(1, at, ""), head).font = Font(bold=True)
    for row, (name, one) in enumerate(rows, 2):
        write_text(sheet.cell(row, 1, ""), name)
        sheet.cell(row, 2, one.orders)
        amounts = (one.paid_fen, -one.refunded_fen, one.net_fen, one.settled_fen)
        for at, fen in enumerate(amounts, 3):
            write_money(sheet, row, at, fen)
        if assists is not None and name in assists:
            sheet.cell(row, len(heads), assists[name])
