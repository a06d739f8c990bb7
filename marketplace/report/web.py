"""The channel report as a page and as an Excel file."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow
from kernel.db import snapshot
from kernel.errors import Invalid
from kernel.identity import Role
from kernel.sheets import MEDIA_TYPE
from marketplace.filters import short_day, yuan
from marketplace.office.queries import sample_transactions
from marketplace.office.words import ACCOUNTS, MOVEMENTS
from marketplace.report import periods, queries
from marketplace.report.agreement import agrees
from marketplace.report.periods import Period
from marketplace.report.queries import ChannelReport
from marketplace.report.words import channel_key, channel_name
from orders.model import CreditKind

blueprint = Blueprint("report", __name__, url_prefix="/report")

READERS = (Role.STAFF, Role.AUDITOR, Role.ADMIN)
VIEWS = ("channel", "seller", "day")


def _day(name: str) -> date | None:
    typed = request.args.get(name, "").strip()
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError as problem:
        raise Invalid(fields={name: _("填日期，例如 2026-03-31。")}) from problem


def asked_period() -> Period:
    """Return the period in the address. Raises Invalid."""
    return periods.chosen(
        request.args.get("period"), _day("from"), _day("to"), clock.today(), periods.QUARTER
    )


def _address(period: Period, **more: str) -> dict[str, Any]:
    """Return what an address needs to show the same period again."""
    if period.name == periods.CUSTOM:
        return {"from": period.first.isoformat(), "to": period.last.isoformat(), **more}
    return {"period": period.name, **more}


@blueprint.get("/channels")
@allow(*READERS)
def channels() -> ResponseReturnValue:
    """Sales of a period by channel, by seller or by day, held against the ledger."""
    refusal: Invalid | None = None
    try:
        period = asked_period()
    except Invalid as wrong:
        refusal, period = wrong, periods.named(periods.QUARTER, clock.today())
    view = request.args.get("by", "channel")
    with snapshot():
        page = _page(period, view if view in VIEWS else "channel", refusal)
    return page, (refusal.status if refusal else 200)


def _page(period: Period, view: str, refusal: Invalid | None) -> str:
    """Return the page; the caller lets all its figures be of one moment."""
    report = queries.by_channel(period) if view == "channel" else None
    sellers = queries.by_seller(period) if view == "seller" else ()
    days = queries.by_day(period) if view != "channel" else ()
    total = report.total if report else queries.total_by_day(days)
    return render_template(
        "report/channels.html",
        period=period,
        view=view,
        total=total,
        report=report,
        sellers=sellers,
        days=days,
        chart=_chart(period, report) if report else None,
        agrees=agrees(period, total),
        later_fen=queries.refunded_later(period),
        samples=sample_transactions(period.begins, period.ends),
        period_names=periods.NAMES,
        movements=MOVEMENTS,
        accounts=ACCOUNTS,
        channel_name=channel_name,
        channel_key=channel_key,
        address=lambda **more: url_for("report.channels", **_address(period, **more)),
        excel=url_for("report.channels_excel", **_address(period)),
        refusal=refusal,
    )


def _chart(period: Period, report: ChannelReport) -> dict[str, Any]:
    """Return the data of the chart, with its finding in words."""
    net = {one.kind: list(one.net_by_week) for one in report.channels}
    weeks = [short_day(week) for week in period.weeks]
    peaks = [
        _(
            "%(channel)s最多的一周是 %(week)s 起的一周，%(money)s",
            channel=channel_name(kind),
            week=weeks[fens.index(max(fens))],
            money=yuan(max(fens)),
        )
        for kind, fens in net.items()
        if max(fens) > 0
    ]
    finding = str(_("；")).join(peaks) or _("这段时间没有付款。")
    return {
        "finding": _("各渠道每周净额。%(finding)s。数字见下表。", finding=finding.rstrip("。.")),
        "data": {
            "labels": weeks,
            "series": [
                {"key": channel_key(kind), "name": str(channel_name(kind)), "fen": net[kind]}
                for kind in CreditKind
            ],
        },
    }


@blueprint.get("/channels.xlsx")
@allow(*READERS)
def channels_excel() -> ResponseReturnValue:
    """The same figures as a workbook."""
    period = asked_period()
    from marketplace.report import sheet  # noqa: PLC0415  # few open a sheet

    with snapshot():
        content = sheet.workbook(period, queries.by_channel(period), queries.by_seller(period))
    name = f"xiangji-channels-{period.first}-{period.last}.xlsx"
    answer = Response(content, mimetype=MEDIA_TYPE)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
