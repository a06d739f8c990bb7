"""How pages write money, times, weights and names, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from flask import Flask, render_template_string, session

from kernel import clock, language
from kernel.money import Money
from marketplace import filters
from marketplace.locale import COOKIE

# A Sunday: 10:00 in Shanghai.
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@dataclass
class Goods:
    unit_name: str
    unit_g: int
    name_zh: str = "春橙"
    name_en: str = "Spring orange"


@pytest.fixture(autouse=True)
def sunday() -> Iterator[None]:
    """Hold the clock on the morning of Sunday, 22 November 2026."""
    with clock.frozen(NOW):
        yield


@pytest.fixture
def chinese(application: Flask) -> Iterator[None]:
    """A page read in Chinese."""
    with reading(application, "zh"):
        yield


@pytest.fixture
def english(application: Flask) -> Iterator[None]:
    """A page read in English."""
    with reading(application, "en"):
        yield


@contextmanager
def reading(application: Flask, code: str) -> Iterator[None]:
    with application.test_request_context("/"):
        session[COOKIE] = code
        yield


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "¥0.00"),
        (5, "¥0.05"),
        (123450, "¥1,234.50"),
        (Money(-300), "−¥3.00"),
        (-104514280, "−¥1,045,142.80"),
    ],
)
def test_money_always_has_two_places_and_a_true_minus(amount: Money | int, words: str) -> None:
    assert filters.yuan(amount) == words


def test_a_price_is_cut_into_what_is_small_and_what_is_big() -> None:
    assert filters.fen_parts(3313950) == ("", "33,139", ".50")
    assert filters.fen_parts(Money(-305)) == ("−", "3", ".05")


@pytest.mark.parametrize("amount", [1.5, "150", True, None])
def test_money_that_is_not_whole_fen_is_refused(amount: object) -> None:
    with pytest.raises(TypeError):
        filters.yuan(amount)  # type: ignore[arg-type]  # what a careless page would pass


def test_charts_count_in_ten_thousands() -> None:
    assert filters.wan(52431334) == "52.4"


def test_counts_have_commas_and_percents_no_needless_place() -> None:
    assert (language.count(7950000), language.count(-12)) == ("7,950,000", "−12")
    assert (filters.percent(1480), filters.percent(1500)) == ("14.8%", "15%")


@pytest.mark.usefixtures("chinese")
def test_days_in_chinese_say_today_and_tomorrow_where_true() -> None:
    assert filters.day(date(2026, 11, 22)) == "今天"
    assert filters.day(date(2026, 11, 23)) == "明天"
    assert filters.day(date(2026, 11, 21)) == "11月21日 周六"
    assert filters.full_day(date(2026, 11, 22)) == "11月22日 周日"


@pytest.mark.usefixtures("chinese")
def test_a_year_is_said_only_if_it_is_not_this_one() -> None:
    assert filters.day(date(2027, 3, 1)) == "2027年3月1日 周一"
    assert filters.short_day(date(2026, 3, 1)) == "3月1日"


@pytest.mark.usefixtures("chinese")
def test_a_moment_is_shown_on_the_clocks_of_shanghai() -> None:
    late = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)  # past midnight there
    assert filters.moment(late) == "明天 00:30"
    assert filters.clock_time(NOW) == "10:00"
    assert filters.moment(datetime(2026, 11, 30, 10, 0, tzinfo=UTC)) == "11月30日 周一 18:00"


@pytest.mark.usefixtures("english")
def test_days_and_moments_in_english() -> None:
    assert filters.moment(NOW) == "Today, 10:00"
    assert filters.moment(datetime(2026, 11, 29, 6, 0, tzinfo=UTC)) == "Sun 29 Nov, 14:00"
    assert filters.short_day(date(2027, 1, 2)) == "2 Jan 2027"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 3, 4), date(2026, 3, 6), "3月4–6日"),
        (date(2026, 3, 4), date(2026, 3, 4), "3月4日"),
        (date(2026, 3, 30), date(2026, 4, 2), "3月30日 – 4月2日"),
        (date(2027, 3, 4), date(2027, 3, 6), "2027年3月4–6日"),
    ],
)
@pytest.mark.usefixtures("chinese")
def test_spans_of_days_in_chinese(first: date, last: date, words: str) -> None:
    assert filters.span_days(first, last) == words


@pytest.mark.usefixtures("english")
def test_spans_of_days_in_english() -> None:
    assert filters.span_days(date(2026, 3, 4), date(2026, 3, 6)) == "4–6 Mar"
    assert filters.span_days(date(2026, 3, 30), date(2026, 4, 2)) == "30 Mar – 2 Apr"


@pytest.mark.usefixtures("chinese")
def test_weights_are_jin_in_chinese() -> None:
    assert (filters.jin(1250), filters.jin(60000), filters.jin(5)) == (
        "2.5 斤",
        "120 斤",
        "0.01 斤",
    )
    assert filters.jin_figure(1000500) == "2001"
    assert filters.kilograms(1250) == "1.25 kg"


@pytest.mark.usefixtures("english")
def test_weights_are_kilograms_in_english() -> None:
    assert filters.jin(1250) == "1.25 kg"


@pytest.mark.usefixtures("chinese")
def test_a_placard_says_what_the_price_is_for() -> None:
    assert filters.per_unit(Goods("箱", 5000)) == "每箱 10斤"
    assert filters.per_unit(Goods("罐", 50)) == "每罐 50克"
    assert filters.per_unit(Goods("枚", 50)) == "每枚"
    assert filters.per_unit(Goods("斤", 500)) == "每斤"
    assert filters.price_of(450, "斤") == "¥4.50/斤"
    assert language.of_unit(9612, "箱") == "9,612 箱"


@pytest.mark.usefixtures("english")
def test_units_have_english_names_and_plurals() -> None:
    assert filters.per_unit(Goods("箱", 5000)) == "5 kg box"
    assert filters.per_unit(Goods("斤", 500)) == "per jin"
    assert language.of_unit(1, "箱") == "1 box"
    assert language.of_unit(12, "箱") == "12 boxes"
    assert language.of_unit(12, "捆") == "12 捆"


@pytest.mark.usefixtures("chinese")
def test_a_name_is_chinese_for_a_chinese_reader() -> None:
    assert language.local(Goods("箱", 5000)) == "春橙"


@pytest.mark.usefixtures("english")
def test_a_name_falls_back_to_chinese_where_english_is_missing() -> None:
    assert language.local(Goods("箱", 5000)) == "Spring orange"
    assert language.local(Goods("箱", 5000, name_en="")) == "春橙"
    assert language.local(None) == ""


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["重庆市", "渝北区", "大盛镇青龙村"], "重庆 · 渝北 · 大盛镇青龙村"),
        (["韶关市", "", "乐昌市"], "韶关 · 乐昌"),
        ("重庆市 开州区", "重庆 · 开州"),
        (["沙市"], "沙市"),
    ],
)
def test_places_lose_their_endings_only_where_they_stay_clear(
    names: str | list[str], words: str
) -> None:
    assert filters.region(names) == words


def test_parts_of_a_line_are_divided_as_the_reader_writes(application: Flask) -> None:
    page = "春橙{{ comma() }}{{ ['X1', 'X2']|join(comma()) }}"
    with reading(application, "zh"):
        assert render_template_string(page) == "春橙，X1，X2"
    with reading(application, "en"):
        assert render_template_string(page) == "春橙 · X1 · X2"


def test_no_line_ends_inside_a_date_on_a_page(application: Flask) -> None:
    page = (
        "{{ day|full_day }}; {{ day|span_days(later) }}; {{ day|span_days(last) }}; "
        "{{ now|moment }}; {{ last_hour|moment }}"
    )
    dates = {
        "day": date(2027, 3, 4),
        "later": date(2027, 3, 6),
        "last": date(2027, 4, 2),
        "now": NOW,
        "last_hour": datetime(2026, 11, 30, 10, 0, tzinfo=UTC),
    }
    for code, words in {
        "zh": (
            "2027|年|3|月|4|日_周|四; 2027|年|3|月|4|–|6|日; 2027|年|3|月|4|日_– 2027|年|4|月|2|日"
            "; 今天_10:00; 11|月|30|日_周|一_18:00"
        ),
        "en": (
            "Thu 4_Mar_2027; 4|–|6_Mar_2027; 4_Mar_2027_– 2_Apr_2027; Today, 10:00; "
            "Mon 30_Nov, 18:00"
        ),
    }.items():
        with reading(application, code):
            shown = render_template_string(page, **dates)
        assert shown.replace("\u2060", "|").replace("\u00a0", "_") == words


def test_today_has_a_capital_only_where_it_begins(application: Flask) -> None:
    page = (
        "{{ at|moment }}. {{ _('计划 %(when)s 开播', when=at|moment) }}. "
        "{{ _('%(day)s 起可以装', day=at|day) }}. "
        "{{ counted('结算 %(t)s，%(n)s 行订单', 2, t=at|moment) }}"
    )
    with reading(application, "en"):
        assert render_template_string(page, at=NOW) == (
            "Today, 10:00. Planned for today, 10:00. Can be packed from today. "
            "Settled today, 10:00, 2 lines"
        )


def test_a_filter_of_a_constant_still_follows_the_reader(application: Flask) -> None:
    template = "{{ 450|price_of('斤') }}"
    with reading(application, "zh"):
        assert render_template_string(template) == "¥4.50/斤"
    with reading(application, "en"):
        assert render_template_string(template) == "¥4.50/jin"
