"""What was paid, refunded, kept and settled, by channel, seller, week and day.

Every figure is added up from daily sums (`marketplace.report.days`), which are those of the lines
as `orders.queries.sales` has them: one definition of a sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import Date, Subquery, case, cast, func, literal_column, select
from sqlalchemy.orm import aliased

from kernel.db import db
from kernel.identity import Organisation
from marketplace.report.days import DAY, KINDS, SELLER, SOURCE, daily, parts_of
from marketplace.report.periods import Period
from orders.model import CreditKind, CreditSource, Order, Refund, RefundState


@dataclass(frozen=True, slots=True)
class Figures:
    """Money in fen and counts of what was paid in a period."""

    orders: int = 0
    lines: int = 0
    units: int = 0
    paid_fen: int = 0
    refunded_fen: int = 0
    settled_fen: int = 0

    @property
    def net_fen(self) -> int:
        """Paid minus refunded."""
        return self.paid_fen - self.refunded_fen

    @property
    def refunded_share(self) -> int:
        """What share of the paid was refunded, in basis points rounded down; 0 of nothing."""
        return self.refunded_fen * 10_000 // self.paid_fen if self.paid_fen else 0


@dataclass(frozen=True, slots=True)
class Sold:
    """The figures of one thing that sold, or to which sold goods belong."""

    code: str
    name_zh: str
    name_en: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: figures, what it assisted, its sources, and net fen by week of the period."""

    kind: CreditKind
    figures: Figures
    assists: int
    sources: Sequence[Sold]
    net_by_week: Sequence[int]


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """All channels in their fixed order, and the whole."""

    channels: Sequence[Channel]
    total: Figures

    @property
    def across(self) -> int:
        """How many times an order is counted once more because its lines have other channels."""
        return sum(one.figures.orders for one in self.channels) - self.total.orders


def _period(period: Period, *wanted: str) -> Subquery:
    return daily(parts_of(period), *wanted).subquery("each")


def _sums(each: Subquery) -> list[Any]:
    return [
        func.coalesce(func.sum(each.c[name]), 0).label(name)
        for name in ("orders", "lines", "units", "paid_fen", "refunded_fen", "settled_fen")
    ]


def _figures(row: Any) -> Figures:
    return Figures(*(int(getattr(row, field.name)) for field in fields(Figures)))


def by_channel(period: Period) -> ChannelReport:
    """Return every channel, with its sources and weeks, and the whole: two statements."""
    each = _period(period, DAY, SOURCE, *KINDS)
    # Of a source only the whole is told, of a channel each week.
    week = case((each.c.of != SOURCE, cast(func.date_trunc("week", each.c.day), Date)))
    money = (
        select(
            each.c.of,
            each.c.key,
            week.label("week"),
            *_sums(each),
            func.sum(each.c.assists).label("assists"),
        )
        .group_by(each.c.of, each.c.key, literal_column("week"))
        .subquery("money")
    )
    source = aliased(CreditSource)
    rows = db.session.execute(
        select(money, source.kind, source.code, source.title_zh, source.title_en)
        .outerjoin(source, (money.c.of == SOURCE) & (source.id == money.c.key))
        .order_by(money.c.paid_fen.desc(), money.c.key)
    ).all()
    channels = [_channel(kind, rows, period) for kind in CreditKind]
    return ChannelReport(channels, _added_up([_figures(row) for row in rows if row.of == DAY]))


def _channel(kind: CreditKind, rows: Sequence[Any], period: Period) -> Channel:
    weeks = [row for row in rows if row.of == kind.value]
    net = {row.week: int(row.paid_fen - row.refunded_fen) for row in weeks}
    sources = tuple(
        Sold(row.code, row.title_zh, row.title_en, _figures(row))
        for row in rows
        if row.of == SOURCE and row.kind == kind
    )
    return Channel(
        kind,
        _added_up([_figures(row) for row in weeks]),
        sum(int(row.assists) for row in weeks),
        sources,
        [net.get(monday, 0) for monday in period.weeks],
    )


def by_seller(period: Period) -> list[Sold]:
    """Return what each seller sold, the largest first: two statements."""
    each = _period(period, SELLER)
    rows = db.session.execute(
        select(Organisation.public_id, Organisation.name_zh, Organisation.name_en, *_sums(each))
        .join(Organisation, Organisation.id == each.c.key)
        .group_by(Organisation.id)
        .order_by(literal_column("paid_fen").desc(), Organisation.id)
    )
    return [Sold(row.public_id, row.name_zh, row.name_en, _figures(row)) for row in rows]


def by_day(period: Period) -> list[tuple[date, Figures]]:
    """Return what was paid on each day on which something was, newest first: two statements."""
    each = _period(period, DAY)
    rows = db.session.execute(
        select(each.c.day, *_sums(each)).group_by(each.c.day).order_by(each.c.day.desc())
    )
    return [(row.day, _figures(row)) for row in rows]


def refunded_later(period: Period) -> int:
    """Return the fen of a period's refunds that were owed after it ended: one statement.

    By so much the same report, made when the period ended, told less.
    """
    fen = db.session.scalar(
        select(func.sum(Refund.amount_fen))
        .join(Refund.order)
        .where(
            Refund.created_at >= period.ends,
            Refund.line_id.is_not(None),
            Refund.state != RefundState.CUT,
            Order.paid_at >= period.begins,
            Order.paid_at < period.ends,
        )
    )
    return int(fen or 0)


def total_by_day(days: Sequence[tuple[date, Figures]]) -> Figures:
    """Add up the days. An order is paid on one of them, so that orders add up as well."""
    return _added_up([figures for _, figures in days])


def _added_up(parts: Sequence[Figures]) -> Figures:
    names = (field.name for field in fields(Figures))
    return Figures(*(sum(getattr(one, name) for one in parts) for name in names))
