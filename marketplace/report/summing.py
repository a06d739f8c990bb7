"""Sums the days that are over: which are due, and how one is summed while others change it."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import delete, func, insert, select, text

from kernel import clock
from kernel.db import db, transaction
from marketplace.report.agreement import booked
from marketplace.report.days import FIGURES, reckoned
from marketplace.report.model import ChangedDay, DaySum, SummedDay

SUMMED_AT_ONCE = 400
LOCK = 1901
"""The class of the advisory locks on days; their number is the day's from 2000 on."""
FIRST = date(2000, 1, 1)


def due(today: date) -> list[date]:
    """Return days before `today` that are not summed, or were changed since: the newest first."""
    rows = db.session.execute(_DUE, {"today": today, "most": SUMMED_AT_ONCE})
    return [row.day for row in rows]


_DUE = text(
    """
    SELECT day FROM (
        SELECT CAST(generate_series(
            (SELECT CAST(min(paid_at) AT TIME ZONE 'Asia/Shanghai' AS date) FROM orders),
            CAST(:today AS date) - 1, interval '1 day'
        ) AS date) AS day
    ) past
    WHERE NOT EXISTS (SELECT FROM summed_day s WHERE s.day = past.day)
        OR EXISTS (SELECT FROM changed_day c WHERE c.day = past.day)
    ORDER BY day DESC LIMIT :most
    """
)


def sum_day(day: date) -> bool:
    """Sum a day that is over, anew if it was; False while somebody is changing it."""
    spans = [(clock.start_of_day(day), clock.start_of_day(day + timedelta(days=1)))]
    with transaction() as session:
        # Alone with the day: who changes it shares this lock, and what they did is read below.
        alone = select(func.pg_try_advisory_xact_lock(LOCK, (day - FIRST).days))
        if not session.scalar(alone):
            return False
        for table in (ChangedDay, DaySum, SummedDay):
            session.execute(delete(table).where(table.day == day))
        session.execute(insert(DaySum).from_select(["of", "day", "key", *FIGURES], reckoned(spans)))
        said = booked(spans)
        session.add(
            SummedDay(
                day=day,
                booked_paid_fen=said.paid_fen,
                booked_refunded_fen=said.refunded_fen,
                settlements_wrong=said.settlements_wrong,
            )
        )
    return True
