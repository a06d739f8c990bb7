"""Law 4 of days that were summed: their sums are those of the lines."""

from __future__ import annotations

from sqlalchemy import except_, func, select, union_all
from sqlalchemy.orm import Session

from marketplace.check.law import Law
from marketplace.report.agreement import booked
from marketplace.report.days import FIGURES, parts_of, reckoned, spans_of
from marketplace.report.model import DaySum, SummedDay
from marketplace.report.periods import Period


def sums_are_those_of_lines(session: Session) -> tuple[int, list[str]]:
    """Reckon every summed day anew, and name those that differ. A changed day does not count."""
    first, last = session.execute(select(func.min(SummedDay.day), func.max(SummedDay.day))).one()
    parts = parts_of(Period("", first, last)) if first is not None else None
    if parts is None or not parts.days:
        return 0, []
    spans = spans_of(parts.days)
    sums = [DaySum.of, DaySum.day, DaySum.key, *(getattr(DaySum, name) for name in FIGURES)]
    stored = select(*sums).where(DaySum.day.in_(parts.days))
    anew = reckoned(spans)
    differs = union_all(except_(stored, anew), except_(anew, stored)).subquery()
    faults = [
        f"{row.day}: the sum of {row.of} {row.key} is not that of its lines"
        for row in session.execute(
            select(differs.c.day, differs.c.of, differs.c.key).distinct().order_by(differs.c.day)
        )
    ]
    if booked(spans) != parts.booked:
        faults.append(f"the ledger no longer says {parts.booked} of the summed days")
    return len(parts.days), faults


LAWS: tuple[Law, ...] = (
    Law(
        "day-sums", "the sums of a day that is over are those of its lines", sums_are_those_of_lines
    ),
)
