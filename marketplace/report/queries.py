"""What was paid, refunded, kept and settled, by channel, seller, week and day.

Every figure is read through `orders.queries.sales.paid_lines`: one definition of a sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Date, Subquery, cast, func, literal_column, select, tuple_
from sqlalchemy.orm import aliased

from kernel.db import db
from kernel.identity import Organisation
from marketplace.report.periods import Period
from orders.model import CreditKind, CreditSource, LineAssist
from orders.queries.sales import paid_lines


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
    """One channel: its figures, what it assisted, and each of its sources."""

    kind: CreditKind
    figures: Figures
    assists: int
    sources: Sequence[Sold] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """All channels in their fixed order, and the whole."""

    channels: Sequence[Channel]
    total: Figures

    @property
    def across(self) -> int:
        """How many times an order is counted once more because its lines have other channels."""
        return sum(one.figures.orders for one in self.channels) - self.total.orders


def _lines(period: Period) -> Subquery:
    lines = paid_lines().subquery()
    within = select(lines).where(lines.c.paid_at >= period.begins, lines.c.paid_at < period.ends)
    return within.subquery("lines")


def _sums(lines: Subquery) -> list[Any]:
    return [
        func.count(lines.c.order_id.distinct()).label("orders"),
        func.count().label("lines"),
        *(
            func.coalesce(func.sum(lines.c[name]), 0).label(name)
            for name in ("quantity", "paid_fen", "refunded_fen", "settled_fen")
        ),
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
    """Return every channel, with its sources, and the whole: two statements."""
    lines = _lines(period)
    source = aliased(CreditSource)
    is_whole: Any = literal_column("CASE WHEN GROUPING(kind) = 1 THEN 1 ELSE 0 END").label(
        "is_whole"
    )
    rows = db.session.execute(
        select(
            source.kind,
            source.id.label("source_id"),
            source.code,
            source.title_zh,
            source.title_en,
            is_whole,
            *_sums(lines),
        )
        .join(source, source.id == lines.c.credit_source_id)
        .group_by(
            func.grouping_sets(
                tuple_(source.kind, source.id, source.code, source.title_zh, source.title_en),
                tuple_(source.kind),
                literal_column("()"),
            )
        )
        .order_by(literal_column("paid_fen").desc(), source.id)
    ).all()
    assists = _assists(lines)
    kinds = {row.kind: _figures(row) for row in rows if row.source_id is None and not row.is_whole}
    channels = [
        Channel(
            kind,
            kinds.get(kind, Figures()),
            assists.get(kind, 0),
            tuple(
                Sold(row.code, row.title_zh, row.title_en, _figures(row))
                for row in rows
                if row.source_id is not None and row.kind == kind
            ),
        )
        for kind in CreditKind
    ]
    total = next((_figures(row) for row in rows if row.is_whole), Figures())
    return ChannelReport(channels, total)


def _assists(lines: Subquery) -> dict[CreditKind, int]:
    rows = db.session.execute(
        select(CreditSource.kind, func.count())
        .join(LineAssist, LineAssist.credit_source_id == CreditSource.id)
        .join(lines, lines.c.line_id == LineAssist.line_id)
        .group_by(CreditSource.kind)
    )
    return {row[0]: row[1] for row in rows}


def net_by_week(period: Period) -> dict[CreditKind, list[int]]:
    """Return each channel's net fen for every week of the period, in order: one statement."""
    lines = _lines(period)
    at_home = func.timezone("Asia/Shanghai", lines.c.paid_at)
    week = cast(func.date_trunc("week", at_home), Date).label("week")
    rows = db.session.execute(
        select(
            CreditSource.kind, week, func.sum(lines.c.paid_fen - lines.c.refunded_fen).label("net")
        )
        .join(CreditSource, CreditSource.id == lines.c.credit_source_id)
        .group_by(CreditSource.kind, week)
    )
    net = {(row.kind, row.week): int(row.net) for row in rows}
    return {kind: [net.get((kind, week), 0) for week in period.weeks] for kind in CreditKind}


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


def whole(period: Period) -> Figures:
    """Return the figures of everything that was paid in the period: one statement."""
    return _figures(db.session.execute(select(*_sums(_lines(period)))).one())
