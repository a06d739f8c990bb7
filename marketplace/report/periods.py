"""Which days a report covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask_babel import lazy_gettext as _l

from kernel import clock
from kernel.errors import Invalid

WEEK, MONTH, QUARTER, CUSTOM = "week", "month", "quarter", "custom"
NAMES = {WEEK: _l("本周"), MONTH: _l("本月"), QUARTER: _l("近三个月")}
MOST_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in Shanghai, from the first to the last, both counted."""

    name: str
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """The first moment of the period."""
        return clock.start_of_day(self.first)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return clock.start_of_day(self.last + timedelta(days=1))

    @property
    def days(self) -> list[date]:
        """Every day of the period."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def weeks(self) -> list[date]:
        """The Monday of every week that the period touches."""
        monday = self.first - timedelta(days=self.first.weekday())
        return [monday + timedelta(days=n) for n in range(0, (self.last - monday).days + 1, 7)]


def named(name: str, today: date) -> Period:
    """Return this week, this month, or three months with this one, each up to `today`."""
    if name == WEEK:
        return Period(name, today - timedelta(days=today.weekday()), today)
    if name == MONTH:
        return Period(name, today.replace(day=1), today)
    months = today.year * 12 + today.month - 3
    return Period(QUARTER, date(months // 12, months % 12 + 1, 1), today)


def between(first: date, last: date) -> Period:
    """Return a period of one's own choice. Raises Invalid when it ends before it begins."""
    clock.check_years(**{"from": first, "to": last})
    if last < first:
        raise Invalid(fields={"to": _l("结束不能早于开始。")})
    if (last - first).days > MOST_DAYS:
        raise Invalid(fields={"from": _l("一次最多看三年。")})
    return Period(CUSTOM, first, last)


def chosen(
    name: str | None, first: date | None, last: date | None, today: date, usual: str = QUARTER
) -> Period:
    """Return the period that a request asks for: own dates before a name. Raises Invalid."""
    if first or last:
        return between(first or last or today, last or today)
    if name and name not in NAMES:
        raise Invalid(fields={"period": _l("选 本周、本月 或 近三个月。")})
    return named(name or usual, today)
