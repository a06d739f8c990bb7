"""The channel report as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from kernel import clock
from kernel.access import allow
from kernel.db import snapshot
from kernel.identity import Role
from marketplace.report import periods, queries
from marketplace.report.agreement import agrees
from marketplace.report.queries import Channel, Figures, Sold
from marketplace.report.schemas import ReportOut, ReportQuery

blueprint = Blueprint(
    "reports_api", __name__, url_prefix="/api/v1/reports", description="Totals by channel"
)


@blueprint.route("/channels")
@allow(Role.STAFF, Role.AUDITOR, Role.ADMIN)
@blueprint.arguments(ReportQuery, location="query", unknown=RAISE)
@blueprint.response(200, ReportOut)
def channels(asked: dict[str, Any]) -> dict[str, Any]:
    """Totals of a period by channel and credit, held against the ledger."""
    period = periods.chosen(asked["period"], asked["first"], asked["last"], clock.today())
    with snapshot():
        report = queries.by_channel(period)
        agreed = agrees(period, report.total)
        later_fen = queries.refunded_later(period)
    return {
        "first": period.first,
        "last": period.last,
        "as_of": clock.now(),
        "agrees_with_ledger": agreed,
        "refunded_later_fen": later_fen,
        "total": _figures(report.total),
        "channels": [_channel(one) for one in report.channels],
    }


def _figures(one: Figures) -> dict[str, Any]:
    return {**asdict(one), "net_fen": one.net_fen}


def _channel(one: Channel) -> dict[str, Any]:
    return {
        "channel": one.kind.value,
        "assists": one.assists,
        "credits": [_credit(source) for source in one.sources],
        **_figures(one.figures),
    }


def _credit(one: Sold) -> dict[str, Any]:
    return {
        "code": one.code,
        "title_zh": one.name_zh,
        "title_en": one.name_en,
        **_figures(one.figures),
    }
