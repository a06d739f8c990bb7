"""Daily sums of what was paid: kept of days that are over, reckoned from the lines of all others.

The database itself notes every change of a day that was summed (triggers of migration 0019): a
late payment, a refund, a settlement. From then on the day is read from its lines again, until it
is summed anew. So a report is always that of the lines, whichever days are summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Date,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from kernel import clock
from kernel.db import db
from marketplace.report.model import ChangedDay, DaySum, SummedDay
from marketplace.report.periods import Period
from orders.model import CreditKind, CreditSource, LineAssist, Order
from orders.queries.sales import paid_lines, paid_lines_between

DAY, SOURCE, SELLER = "day", "source", "seller"
"""Of what a sum may be: the whole day (key 0), a credit source, a seller (by their keys)."""
KINDS = tuple(kind.value for kind in CreditKind)
"""... or a channel (key 0). An order counts once in each: an order is paid on one day."""
ALL = (DAY, SOURCE, SELLER, *KINDS)
FIGURES = ("orders", "lines", "units", "paid_fen", "refunded_fen", "settled_fen", "assists")
FEW_DAYS = 31
"""Up to so many days, lines look for their refunds; of more, all refunds are summed once."""

Span = tuple[datetime, datetime]
"""From a moment until before another one."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger says of some days, and how many of their settlements it says otherwise."""

    paid_fen: int
    refunded_fen: int
    settlements_wrong: int


@dataclass(frozen=True, slots=True)
class Parts:
    """A period in two parts: days whose sums hold, and the spans of all others."""

    days: Sequence[date]
    spans: Sequence[Span]
    booked: Booked
    """What the ledger says of the summed days."""


def parts_of(period: Period) -> Parts:
    """Return which days of a period are summed: one statement."""
    rows = db.session.execute(
        select(SummedDay)
        .where(
            SummedDay.day.between(period.first, period.last),
            SummedDay.day.not_in(select(ChangedDay.day)),
        )
        .with_only_columns(
            SummedDay.day,
            SummedDay.booked_paid_fen,
            SummedDay.booked_refunded_fen,
            SummedDay.settlements_wrong,
        )
        .order_by(SummedDay.day)
    ).all()
    summed = {row.day for row in rows}
    return Parts(
        [row.day for row in rows],
        spans_of(day for day in period.days if day not in summed),
        Booked(
            sum(row.booked_paid_fen for row in rows),
            sum(row.booked_refunded_fen for row in rows),
            sum(row.settlements_wrong for row in rows),
        ),
    )


def spans_of(days: Iterable[date]) -> list[Span]:
    """Return the spans of some days, the oldest first; days in a row are one."""
    spans: list[Span] = []
    for day in days:
        begins, ends = clock.start_of_day(day), clock.start_of_day(day + timedelta(days=1))
        if spans and spans[-1][1] == begins:
            begins = spans.pop()[0]
        spans.append((begins, ends))
    return spans


def daily(parts: Parts, *wanted: str) -> CompoundSelect[Any]:
    """Select the daily sums of a period: of, day, key and FIGURES; some days come in two rows."""
    kept = select(*(getattr(DaySum, name) for name in ("of", "day", "key", *FIGURES))).where(
        DaySum.of.in_(wanted), DaySum.day.in_(parts.days)
    )
    return union_all(kept, *(_reckoned(parts.spans, wanted) if parts.spans else ()))


def _lines(spans: Sequence[Span]) -> Select[Any]:
    within = or_(*(and_(Order.paid_at >= begins, Order.paid_at < ends) for begins, ends in spans))
    days = sum((ends - begins).days for begins, ends in spans)
    if days <= FEW_DAYS:
        return paid_lines().where(within)
    return paid_lines_between(spans[0][0], spans[-1][1]).where(within)


def _reckoned(spans: Sequence[Span], wanted: Iterable[str]) -> list[Select[Any]]:
    """Select daily sums from the lines themselves: a part for each kind of sum."""
    each = _lines(spans).subquery("each")
    day = cast(func.timezone("Asia/Shanghai", each.c.paid_at), Date).label("day")
    lines = select(each, day).cte("lines")
    sums = [
        func.count(lines.c.order_id.distinct()).label("orders"),
        func.count().label("lines"),
        *(
            cast(func.sum(lines.c[name]), BigInteger).label(label)
            for name, label in (
                *(("quantity", "units"), ("paid_fen", "paid_fen")),
                *(("refunded_fen", "refunded_fen"), ("settled_fen", "settled_fen")),
            )
        ),
        literal(0).label("assists"),
    ]
    whole = literal(0).label("key")
    made = {
        DAY: select(literal(DAY).label("of"), lines.c.day, whole, *sums).group_by(lines.c.day),
        **{
            of: select(literal(of).label("of"), lines.c.day, key.label("key"), *sums).group_by(
                lines.c.day, key
            )
            for of, key in ((SOURCE, lines.c.credit_source_id), (SELLER, lines.c.seller_id))
        },
    }
    selected = [made[of] for of in made if of in set(wanted)]
    if set(KINDS) & set(wanted):
        kind = cast(CreditSource.kind, String).label("of")
        none = [literal(0).label(name) for name in FIGURES[:-1]]
        selected += [
            select(kind, lines.c.day, whole, *sums)
            .join(CreditSource, CreditSource.id == lines.c.credit_source_id)
            .group_by(kind, lines.c.day),
            select(kind, lines.c.day, whole, *none, func.count().label("assists"))
            .select_from(LineAssist)
            .join(lines, lines.c.line_id == LineAssist.line_id)
            .join(CreditSource, CreditSource.id == LineAssist.credit_source_id)
            .group_by(kind, lines.c.day),
        ]
    return selected


def reckoned(spans: Sequence[Span]) -> Select[Any]:
    """Select every daily sum of some spans from their lines, a row for each."""
    each = union_all(*_reckoned(spans, ALL)).subquery("each")
    key = [each.c[name] for name in ("of", "day", "key")]
    added = [cast(func.sum(each.c[name]), BigInteger).label(name) for name in FIGURES]
    return select(*key, *added).group_by(*key)
