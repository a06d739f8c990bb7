"""How money, times, weights and names are written on a page, in the language of the reader.

Filters do not change values; they only say them. All times are shown in Asia/Shanghai.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from flask import Flask
from flask_babel import gettext as _
from jinja2 import pass_context
from jinja2.runtime import Context

from kernel import clock
from kernel.language import count, counted, local, of_unit, reads_english, unit
from kernel.money import Money
from kernel.quantity import JIN_G

SAYINGS_KEPT = 2048
"""How many sizes of a pack, and how many places, a worker remembers: a list is full of them."""

WEEKDAYS_ZH = "一二三四五六日"
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

WORD_JOINER = "\N{WORD JOINER}"
"""Has no width and lets no line end where it stands."""
_BREAKS = re.compile(rf"(?<=\d)(?=[年月日–])|(?<=[年月–])(?=\d)|(?<=周)(?=[{WEEKDAYS_ZH}])")
_WITHIN = re.compile(
    r"(?<=\d) (?=[A-Z])|(?<=[a-z]) (?=\d{4})|(?<=[a-z\d]) (?=–)"
    rf"|(?<=[天{WEEKDAYS_ZH}]) (?=[周–\d])"
)

UNITS_OF_WEIGHT = frozenset({"斤", "公斤"})
UNITS_OF_ONE = frozenset({"个", "枚", "只"})


class FenParts(NamedTuple):
    """An amount cut for setting: small sign and fen, big yuan."""

    minus: str
    yuan: str
    fen: str


class SoldByUnit(Protocol):
    """What has a sale unit: a product, or a line that froze one."""

    @property
    def unit_name(self) -> str:
        """What one of it is called."""

    @property
    def unit_g(self) -> int:
        """What one of it weighs, in grams."""


def _fen(amount: Money | int) -> int:
    """Return whole fen. Raises TypeError for a float or anything else."""
    if isinstance(amount, Money):
        return amount.fen
    if type(amount) is not int:
        raise TypeError(f"money on a page is Money or whole fen, not {type(amount).__name__}")
    return amount


def yuan(amount: Money | int) -> str:
    """Return '¥1,234.50', or '−¥3.00' for a negative amount."""
    return str(Money(_fen(amount)))


def fen_parts(amount: Money | int) -> FenParts:
    """Return the parts of '¥1,234.50': '', '1,234', '.50'."""
    fen = _fen(amount)
    whole, rest = divmod(abs(fen), 100)
    return FenParts("−" if fen < 0 else "", f"{whole:,}", f".{rest:02d}")


def wan(amount: Money | int) -> str:
    """Return an amount in 万 yuan with one place, for charts only: 52.4."""
    return f"{_fen(amount) / 1_000_000:,.1f}"


def percent(basis_points: int) -> str:
    """Return hundredths of a percent as '14.8%', without a place where it is whole."""
    text = f"{basis_points / 100:.1f}".removesuffix(".0")
    return f"{text}%"


def local_date(when: date | datetime) -> date:
    """Return the date on the clocks of Shanghai."""
    return clock.local(when).date() if isinstance(when, datetime) else when


def _month_day(on: date) -> str:
    """Return '11月22日' or '22 Nov', with the year only if it is not this one."""
    other_year = on.year != clock.today().year
    if reads_english():
        return f"{on.day} {MONTHS_EN[on.month - 1]}" + (f" {on.year}" if other_year else "")
    return (f"{on.year}年" if other_year else "") + f"{on.month}月{on.day}日"


def weekday(when: date | datetime) -> str:
    """Return '周日' or 'Sun'."""
    index = local_date(when).weekday()
    return WEEKDAYS_EN[index] if reads_english() else f"周{WEEKDAYS_ZH[index]}"


def day(when: date | datetime) -> str:
    """Return '今天' or '明天' where true, else '11月22日 周日' or 'Sun 22 Nov'."""
    on = local_date(when)
    ahead = (on - clock.today()).days
    if ahead == 0:
        return str(_("今天"))
    if ahead == 1:
        return str(_("明天"))
    return full_day(on)


def full_day(when: date | datetime) -> str:
    """Return the date and its weekday, also for today: for papers and records."""
    on = local_date(when)
    parts = (weekday(on), _month_day(on)) if reads_english() else (_month_day(on), weekday(on))
    return " ".join(parts)


def short_day(when: date | datetime) -> str:
    """Return the date without its weekday: '11月22日', '22 Nov'."""
    return _month_day(local_date(when))


def clock_time(when: datetime) -> str:
    """Return the hour and minute in Shanghai: '14:00'."""
    return clock.local(when).strftime("%H:%M")


def moment(when: datetime) -> str:
    """Return day and time: '11月22日 周日 14:00', 'Sun 22 Nov, 14:00', '今天 14:00'."""
    return f"{day(when)}{', ' if reads_english() else ' '}{clock_time(when)}"


def span_days(first: date | datetime, last: date | datetime) -> str:
    """Return a span of days: '3月4–6日', '3月30日 – 4月2日', '4–6 Mar', '30 Mar – 2 Apr'."""
    start, end = local_date(first), local_date(last)
    if start == end:
        return _month_day(start)
    if (start.year, start.month) != (end.year, end.month):
        return f"{_month_day(start)} – {_month_day(end)}"
    if reads_english():
        return f"{start.day}–{_month_day(end)}"
    return f"{_month_day(start).removesuffix('日')}–{end.day}日"


def jin(grams: int) -> str:
    """Return a weight as buyers say it: '2.5 斤'; in English '1.25 kg'."""
    if reads_english():
        return f"{_trimmed(grams, 1000)} kg"
    return f"{_trimmed(grams, JIN_G)} 斤"


def jin_figure(grams: int) -> str:
    """Return a weight in jin as a bare figure, for inputs and big numbers: '118.5'."""
    return _trimmed(grams, JIN_G).replace(",", "")


def kilograms(grams: int) -> str:
    """Return a weight as contracts say it: '1.25 kg'."""
    return f"{_trimmed(grams, 1000)} kg"


def _trimmed(grams: int, unit_g: int) -> str:
    """Return grams / unit_g with at most three places and no needless zeros."""
    text = f"{grams / unit_g:,.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def per_unit(goods: SoldByUnit) -> str:
    """Return what a price is for, as a placard says it: '每箱 10斤', '5 kg box', '每枚'."""
    return _per_unit(goods.unit_name, goods.unit_g, reads_english())


@lru_cache(SAYINGS_KEPT)
def _per_unit(name: str, grams: int, english: bool) -> str:
    if name in UNITS_OF_WEIGHT or name in UNITS_OF_ONE:
        return f"per {unit(name)}" if english else f"每{name}"
    size = net_weight(grams)
    return f"{size} {unit(name)}" if english else f"每{name} {size}"


def net_weight(grams: int) -> str:
    """Return the size of a pack: '10斤', '50克'; in English '5 kg', '50 g'."""
    if reads_english():
        return f"{grams} g" if grams < 1000 else f"{_trimmed(grams, 1000)} kg"
    return f"{grams}克" if grams < JIN_G else f"{_trimmed(grams, JIN_G)}斤"


def price_of(amount: Money | int, unit_name: str) -> str:
    """Return a price for one unit: '¥4.50/斤', '¥4.50/jin'."""
    return f"{yuan(amount)}/{unit(unit_name)}"


def region(names: str | Sequence[str]) -> str:
    """Return up to three place names from large to small: '重庆 · 渝北 · 青龙村'.

    The endings 省, 市, 区 and 县 fall away where the name stays clear without them.
    """
    parts = names.replace("/", " ").split() if isinstance(names, str) else names
    return _region(tuple(parts))


@lru_cache(SAYINGS_KEPT)
def _region(names: tuple[str, ...]) -> str:
    return " · ".join(_plain_place(one) for one in names if one)[:60]


def _plain_place(name: str) -> str:
    """Return '渝北' for '渝北区'; names of two characters stay whole."""
    return name[:-1] if len(name) > 2 and name[-1] in "省市区县" else name


def whole(date_words: str) -> str:
    """Return a date that stays in one line: no line ends within 月日, 周日 or before its hour."""
    joined = _BREAKS.sub(WORD_JOINER, date_words)
    return _WITHIN.sub("\N{NO-BREAK SPACE}", joined)


def comma() -> str:
    """Return what stands between two parts of one line: '，', in English ' · '.

    English parts may begin with a capital, and its dates have commas of their own.
    """
    return str(_("，"))


FILTERS: tuple[Callable[..., Any], ...] = (
    yuan, fen_parts, wan, count, percent, weekday, clock_time, jin, jin_figure, kilograms, unit,
    of_unit, per_unit, net_weight, price_of, local, region,
)  # fmt: skip

DATES: tuple[Callable[..., str], ...] = (day, full_day, short_day, moment, span_days)
"""A page gets them whole; a file and a chart as they are."""


def _when_read(say: Callable[..., Any]) -> Callable[..., Any]:
    """Return `say` as a filter that is never worked out while a template is compiled.

    Jinja would do so for constants, before anybody's language is known.
    """

    @pass_context
    def said(_context: Context, *args: Any, **kwargs: Any) -> Any:
        return say(*args, **kwargs)

    return said


def _whole(say: Callable[..., str]) -> Callable[..., str]:
    """Return `say` with every date kept whole."""
    return lambda *args: whole(say(*args))


def register(app: Flask) -> None:
    """Give every filter, and the server's clock, to the templates of `app`."""
    for one in FILTERS:
        app.add_template_filter(_when_read(one), one.__name__)
    for date_words in DATES:
        app.add_template_filter(_when_read(_whole(date_words)), date_words.__name__)
    app.add_template_global(reads_english, "reads_english")
    app.add_template_global(comma, "comma")
    app.add_template_global(counted, "counted")
    app.add_template_global(clock.now, "clock_now")
    app.add_template_global(clock.today, "clock_today")
