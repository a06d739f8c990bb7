"""What was paid, refunded, kept and settled, by channel, seller, week and day.

Every figure is read through `orders.queries.sales`: one definition of a sale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    Date,
    DateTime,
    Select,
    Subquery,
    cast,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from kernel import clock
from kernel.db import db
from kernel.identity import Organisation
from marketplace.report.periods import Period
from orders.model import CreditKind, CreditSource, LineAssist
from orders.queries.sales import paid_lines_between


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


Orders = Counter[CreditKind | int | None]
"""How many orders a channel, a source (by its key), or the whole (None) has."""

ADDED = ("lines", "quantity", "paid_fen", "refunded_fen", "settled_fen")
"""The figures of lines, which add up over any rows."""


def _lines(period: Period) -> Subquery:
    return paid_lines_between(period.begins, period.ends).subquery("lines")


def _sums(lines: Subquery) -> list[Any]:
    return [func.count(lines.c.order_id.distinct()).label("orders"), *_added(lines)]


def _added(lines: Subquery) -> list[Any]:
    return [
        func.count().label("lines"),
        *(func.coalesce(func.sum(lines.c[name]), 0).label(name) for name in ADDED[1:]),
    ]


def _figures(row: Any) -> Figures:
    return Figures(
        row.orders,
        row.lines,
        int(row.quantity),
        int(row.paid_fen),
        int(row.refunded_fen),
        int(row.settled_fen),
    )


def by_channel(period: Period) -> ChannelReport:
    """Return every channel, with its sources and weeks, and the whole: three statements."""
    lines = _lines(period)
    # Before the figures: what is paid between the two has its source in these at least.
    together = db.session.execute(_orders_by_sources(lines)).all()
    rows = db.session.execute(_by_source_and_week(lines, period)).all()
    orders = _orders(together, {row.source_id: row.kind for row in rows})
    assists = _assists(lines)
    channels = [_channel(kind, rows, orders, assists.get(kind, 0), period) for kind in CreditKind]
    weeks = [row for row in rows if row.source_id is None]
    return ChannelReport(channels, _whole_of(weeks, orders[None]))


def _channel(
    kind: CreditKind, rows: Sequence[Any], orders: Orders, assists: int, period: Period
) -> Channel:
    weeks = [row for row in rows if row.kind == kind and row.source_id is None]
    net = {row.week: int(row.paid_fen - row.refunded_fen) for row in weeks}
    sources = tuple(
        Sold(row.code, row.title_zh, row.title_en, _whole_of([row], orders[row.source_id]))
        for row in rows
        if row.kind == kind and row.source_id is not None
    )
    by_week = [net.get(number, 0) for number in range(1, len(period.weeks) + 1)]
    return Channel(kind, _whole_of(weeks, orders[kind]), assists, sources, by_week)


def _whole_of(rows: Sequence[Any], orders: int) -> Figures:
    """Add up what is of different lines; orders are told, for one may be in several rows."""
    return Figures(orders, *(sum(int(getattr(row, name)) for row in rows) for name in ADDED))


def _by_source_and_week(lines: Subquery, period: Period) -> Select[Any]:
    """Select the money of every source, and that of every channel in every week, from 1 on.

    Orders are counted beside it, for only what needs no order of its lines is added up by
    several workers. A week is found among the moments at which they begin: to reckon in
    Shanghai's time for every line takes as long as adding up.
    """
    begins = [clock.start_of_day(monday) for monday in period.weeks]
    week = func.width_bucket(lines.c.paid_at, literal(begins, ARRAY(DateTime(timezone=True))))
    each = (
        select(lines.c.credit_source_id, week.label("week"), *_added(lines))
        .group_by(lines.c.credit_source_id, literal_column("week"))
        .subquery("each")
    )
    source = aliased(CreditSource)
    money = (
        select(
            source.kind,
            source.id.label("source_id"),
            each.c.week,
            *(func.sum(each.c[name]).label(name) for name in ADDED),
        )
        .join(source, source.id == each.c.credit_source_id)
        .group_by(
            func.grouping_sets(tuple_(source.kind, source.id), tuple_(source.kind, each.c.week))
        )
        .subquery("money")
    )
    return (
        select(money, source.code, source.title_zh, source.title_en)
        .outerjoin(source, source.id == money.c.source_id)
        .order_by(money.c.paid_fen.desc(), money.c.source_id)
    )


def _orders_by_sources(lines: Subquery) -> Select[Any]:
    """Count orders by the sources that their lines have together: few, for most have one."""
    sources = func.array_agg(lines.c.credit_source_id.distinct()).label("sources")
    each = select(sources).group_by(lines.c.order_id).subquery("each")
    return select(each.c.sources, func.count().label("orders")).group_by(each.c.sources)


def _orders(together: Sequence[Any], kinds: Mapping[int, CreditKind]) -> Orders:
    """Count the orders of every source, of every channel, and of all: of several once each."""
    orders: Orders = Counter()
    for row in together:
        for one in {None, *row.sources, *(kinds[source] for source in row.sources)}:
            orders[one] += row.orders
    return orders


def _assists(lines: Subquery) -> dict[CreditKind, int]:
    rows = db.session.execute(
        select(CreditSource.kind, func.count())
        .join(LineAssist, LineAssist.credit_source_id == CreditSource.id)
        .join(lines, lines.c.line_id == LineAssist.line_id)
        .group_by(CreditSource.kind)
    )
    return {row[0]: row[1] for row in rows}


def by_seller(period: Period) -> list[Sold]:
    """Return what each seller sold, the largest first: one statement."""
    lines = _lines(period)
    rows = db.session.execute(
        select(Organisation.public_id, Organisation.name_zh, Organisation.name_en, *_sums(lines))
        .join(Organisation, Organisation.id == lines.c.seller_id)
        .group_by(Organisation.id)
        .order_by(literal_column("paid_fen").desc(), Organisation.id)
    )
    return [Sold(row.public_id, row.name_zh, row.name_en, _figures(row)) for row in rows]


def by_day(period: Period) -> list[tuple[date, Figures]]:
    """Return what was paid on each day on which something was, the newest first."""
    lines = _lines(period)
    day = cast(func.timezone("Asia/Shanghai", lines.c.paid_at), Date).label("day")
    rows = db.session.execute(select(day, *_sums(lines)).group_by(day).order_by(day.desc()))
    return [(row.day, _figures(row)) for row in rows]


def total_by_day(days: Sequence[tuple[date, Figures]]) -> Figures:
    """Add up the days. An order is paid on one of them, so that its orders add up as well."""
    return _added_up([figures for _, figures in days])


def total_by_seller(period: Period, sellers: Sequence[Sold]) -> Figures:
    """Add up the sellers; an order of several sellers is counted once: one statement."""
    each = select(_lines(period).c.order_id).distinct().subquery("each")
    orders = db.session.execute(select(func.count()).select_from(each)).scalar_one()
    return replace(_added_up([one.figures for one in sellers]), orders=orders)


def _added_up(parts: Sequence[Figures]) -> Figures:
    names = (field.name for field in fields(Figures))
    return Figures(*(sum(getattr(one, name) for one in parts) for name in names))
