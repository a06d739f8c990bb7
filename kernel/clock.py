"""The one clock. Stored in UTC, shown in Asia/Shanghai, frozen in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l

from kernel.errors import Invalid

SHANGHAI = ZoneInfo("Asia/Shanghai")
YEARS = range(2000, 2200)
"""The years that people may type; far outside, moving between zones has no answer."""

_frozen: datetime | None = None


def now() -> datetime:
    """Return the present moment, in UTC and with its zone."""
    return _frozen or datetime.now(UTC)


def local(moment: datetime) -> datetime:
    """Return `moment` on the clocks of Shanghai."""
    return moment.astimezone(SHANGHAI)


def today() -> date:
    """Return the date in Shanghai."""
    return local(now()).date()


def check_years(**typed: date | None) -> None:
    """Refuse dates and moments that nobody can mean. Raises Invalid."""
    far = [name for name, day in typed.items() if day is not None and day.year not in YEARS]
    if far:
        raise Invalid(fields=dict.fromkeys(far, _l("年份要在 2000 到 2199 之间。")))


def at_local(day: date, hour: int, minute: int = 0) -> datetime:
    """Return the moment when clocks in Shanghai show `hour:minute` on `day`, in UTC."""
    return datetime.combine(day, time(hour, minute), SHANGHAI).astimezone(UTC)


def start_of_day(day: date) -> datetime:
    """Return midnight in Shanghai at the start of `day`, in UTC."""
    return at_local(day, 0)


def start_of_year(year: int) -> datetime:
    """Return the first moment of `year` in Shanghai, in UTC."""
    return start_of_day(date(year, 1, 1))


@contextmanager
def frozen(moment: datetime) -> Iterator[None]:
    """Hold the clock at `moment` (process-wide). For tests and for replaying a history."""
    global _frozen
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    before, _frozen = _frozen, moment.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Hold the clock at now plus `by`."""
    with frozen(now() + by):
        yield
