"""The channel report: figures that sum, one definition of a sale, few statements."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select, text

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Role
from kernel.tokens import issue_token
from marketplace.report import periods, queries
from marketplace.report.agreement import agrees
from orders.model import CreditKind, PaymentMethod
from orders.payments.captures import Captured, record_capture
from orders.placing import Credited, place
from orders.queries.sales import paid_lines, paid_lines_between
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace import market_day
from tests.statements import counting

MOST_STATEMENTS = 14
"""Viewer and roles (3), one moment, orders, figures, assists, ledger, two samples with postings."""


@pytest.fixture
def traded(app: Flask) -> None:
    with app.app_context():
        market_day.trade()


def test_the_share_of_refunds_is_of_what_was_paid_and_nothing_of_nothing() -> None:
    assert queries.Figures(paid_fen=20_000, refunded_fen=2_961).refunded_share == 1_480
    assert queries.Figures().refunded_share == 0


def bearer(app: Flask, role: Role) -> dict[str, str]:
    with app.app_context():
        return {"Authorization": f"Bearer {issue_token(builders.account(role))}"}


def test_channels_sum_to_the_total_and_agree_with_the_ledger(app: Flask, traded: None) -> None:
    with app.app_context():
        period = periods.named(periods.MONTH, clock.today())
        report = queries.by_channel(period)
        by_kind = {one.kind: one.figures for one in report.channels}
        assert list(by_kind) == list(CreditKind)
        for name in ("paid_fen", "refunded_fen", "net_fen", "settled_fen", "lines"):
            assert sum(getattr(one, name) for one in by_kind.values()) == getattr(
                report.total, name
            )
        assert by_kind[CreditKind.SHOP].paid_fen == 5900 * (1 + 2 + 3 + 4 + 1)
        assert by_kind[CreditKind.SHOP].refunded_fen == 5900 * 4
        assert by_kind[CreditKind.SHARE].paid_fen == 2500
        assert by_kind[CreditKind.ROUND].paid_fen == 100 * 4700
        assert by_kind[CreditKind.ROUND].refunded_fen == 10 * 4700
        assert by_kind[CreditKind.ROUND].settled_fen == 90 * 4700
        assert agrees(period, report.total)
        assert_laws_hold()


def test_assists_are_told_and_never_added(app: Flask, traded: None) -> None:
    with app.app_context():
        report = queries.by_channel(periods.named(periods.MONTH, clock.today()))
        live = next(one for one in report.channels if one.kind is CreditKind.BROADCAST)
        assert (live.assists, live.figures.lines, live.figures.paid_fen) == (1, 0, 0)


def test_sellers_days_and_weeks_say_the_same_as_channels(app: Flask, traded: None) -> None:
    with app.app_context():
        period = periods.named(periods.QUARTER, clock.today())
        report = queries.by_channel(period)
        total = report.total
        sellers = queries.by_seller(period)
        assert sum(one.figures.paid_fen for one in sellers) == total.paid_fen
        assert total == queries.total_by_day(queries.by_day(period))
        assert sum(sum(one.net_by_week) for one in report.channels) == total.net_fen
        assert {len(one.net_by_week) for one in report.channels} == {len(period.weeks)}


def test_an_order_across_channels_counts_in_each_and_once_in_the_whole(app: Flask) -> None:
    with app.app_context():
        shop, link = builders.offer(), builders.offer()
        source = builders.credit_source(CreditKind.SHARE, "link")
        credited = builders.credited_to_shop(shop) | {link.id: Credited(source.id)}
        market_day.pay(
            place(builders.buyer(), {shop.id: 1, link.id: 1}, credited, PaymentMethod.STRIPE)
        )
        report = queries.by_channel(periods.named(periods.WEEK, clock.today()))
        assert (report.total.orders, report.across) == (1, 1)


def test_a_sale_belongs_to_the_day_in_shanghai_on_which_it_was_paid(app: Flask) -> None:
    late = clock.at_local(date(2026, 3, 31), 23, 59)
    with app.app_context():
        with clock.frozen(late):
            market_day.shared_sale()
        march = periods.between(date(2026, 3, 1), date(2026, 3, 31))
        april = periods.between(date(2026, 4, 1), date(2026, 4, 30))
        assert queries.by_channel(march).total.paid_fen == 2500
        assert queries.by_channel(april).total.paid_fen == 0
        assert [day for day, _ in queries.by_day(march)] == [date(2026, 3, 31)]


def test_a_line_that_was_changed_by_hand_no_longer_agrees(app: Flask, traded: None) -> None:
    with app.app_context():
        period = periods.named(periods.MONTH, clock.today())
        with transaction() as session:
            session.execute(text("UPDATE orders SET paid_at = NULL WHERE total_fen = 5900"))
        assert not agrees(period, queries.by_channel(period).total)


def test_a_period_reads_its_lines_as_each_is_read_by_itself(app: Flask, traded: None) -> None:
    march = periods.between(date(2026, 3, 1), date(2026, 3, 31))
    with app.app_context():
        for moment in (march.begins, march.ends - timedelta(microseconds=1), march.ends):
            with clock.frozen(moment):
                market_day.shop_sales()
        with transaction() as session:
            # One line that was cut and refunded, beside one that was only refunded.
            session.execute(
                text(
                    "UPDATE refund SET amount_fen = 700, state = 'cut'"
                    " WHERE id = (SELECT max(id) FROM refund)"
                )
            )
            session.execute(
                text(
                    "INSERT INTO refund (public_id, payment_id, order_id, line_id, cause, units,"
                    " amount_fen, state, failure, reference, created_at)"
                    " SELECT 'again', payment_id, order_id, line_id, 'claim', 0, 900, 'debt',"
                    " '', '', created_at FROM refund WHERE state = 'cut'"
                )
            )
        lines = paid_lines().subquery()
        for period in (march, periods.named(periods.MONTH, clock.today())):
            begins, ends = period.begins, period.ends
            each = select(lines).where(lines.c.paid_at >= begins, lines.c.paid_at < ends)
            of_period = paid_lines_between(begins, ends)
            rows = sorted(db.session.execute(of_period).all())
            assert rows == sorted(db.session.execute(each).all())
            assert any(row.refunded_fen for row in rows)


@pytest.mark.parametrize(
    "by_hand",
    [
        "UPDATE settlement_line SET amount_fen = amount_fen - 1",
        "UPDATE refund SET amount_fen = amount_fen - 1",
        "UPDATE payment SET captured_at = captured_at - interval '1 year'",
        "UPDATE refund SET public_id = 'r' || id WHERE line_id IS NOT NULL",
        "UPDATE settlement SET public_id = 's' || id",
        "UPDATE order_line SET price_fen = price_fen + 1, amount_fen = amount_fen + quantity",
    ],
)
def test_whatever_ledger_and_lines_say_differently_is_found(
    app: Flask, traded: None, by_hand: str
) -> None:
    with app.app_context():
        period = periods.named(periods.MONTH, clock.today())
        assert agrees(period, queries.by_channel(period).total)
        with transaction() as session:
            session.execute(text(by_hand))
        assert not agrees(period, queries.by_channel(period).total)


def test_a_settlement_concerns_the_periods_in_which_its_lines_were_paid(
    app: Flask, traded: None
) -> None:
    with app.app_context():
        with transaction() as session:
            session.execute(text("UPDATE settlement_line SET amount_fen = amount_fen - 1"))
        march = periods.between(date(2026, 3, 1), date(2026, 3, 31))
        assert agrees(march, queries.by_channel(march).total)
        month = periods.named(periods.MONTH, clock.today())
        assert not agrees(month, queries.by_channel(month).total)


def test_the_page_shows_the_figures_and_the_tag_only_when_they_agree(
    app: Flask, client: FlaskClient, traded: None
) -> None:
    staff = bearer(app, Role.STAFF)
    with app.app_context(), counting() as statements:
        page = client.get("/report/channels", headers=staff)
    assert page.status_code == 200
    assert len(statements) <= MOST_STATEMENTS, statements
    assert "¥5,374" in page.text
    assert "与总账一致" in page.text
    assert "与总账不一致" not in page.text
    with app.app_context(), transaction() as session:
        session.execute(text("UPDATE orders SET paid_at = NULL WHERE total_fen = 5900"))
    page = client.get("/report/channels", headers=staff)
    assert "与总账一致" not in page.text
    assert "与总账不一致" in page.text


@pytest.mark.parametrize(
    "query", ["by=seller", "by=day", "period=week", "from=2026-01-01&to=2026-12-31"]
)
def test_every_view_of_the_page_opens(
    app: Flask, client: FlaskClient, traded: None, query: str
) -> None:
    assert (
        client.get(f"/report/channels?{query}", headers=bearer(app, Role.AUDITOR)).status_code
        == 200
    )


def test_a_period_that_ends_before_it_begins_is_said_on_the_page(
    app: Flask, client: FlaskClient
) -> None:
    page = client.get(
        "/report/channels?from=2026-03-02&to=2026-03-01", headers=bearer(app, Role.STAFF)
    )
    assert page.status_code == 422
    assert "结束不能早于开始" in page.text


def test_the_report_as_json(app: Flask, client: FlaskClient, traded: None) -> None:
    answer = client.get("/api/v1/reports/channels?period=month", headers=bearer(app, Role.ADMIN))
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["agrees_with_ledger"] is True
    assert [one["channel"] for one in body["channels"]] == [kind.value for kind in CreditKind]
    assert sum(one["net_fen"] for one in body["channels"]) == body["total"]["net_fen"]
    for channel in body["channels"]:
        assert sum(one["paid_fen"] for one in channel["credits"]) == channel["paid_fen"]


def test_what_is_paid_while_a_report_is_read_is_no_difference_from_the_ledger(
    app: Flask, client: FlaskClient, traded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(app, Role.STAFF)
    original = queries.by_channel

    def and_somebody_pays(period: periods.Period) -> queries.ChannelReport:
        report = original(period)
        buyer = Thread(target=in_context(app, market_day.shared_sale))
        buyer.start()
        buyer.join()
        return report

    monkeypatch.setattr(queries, "by_channel", and_somebody_pays)
    answer = client.get("/api/v1/reports/channels?period=month", headers=headers)
    assert answer.get_json()["agrees_with_ledger"] is True
    assert "与总账不一致" not in client.get("/report/channels", headers=headers).text
    sheets = client.get("/report/channels.xlsx", headers=headers).data
    days = list(load_workbook(io.BytesIO(sheets)).worksheets[3].values)[1:]
    assert sum(Decimal(str(day[2])) for day in days[:-1]) == Decimal(str(days[-1][2]))
    with app.app_context():
        assert original(periods.named(periods.MONTH, clock.today())).total.lines > 3


def in_context(app: Flask, act: Callable[[], None]) -> Callable[[], None]:
    """Return `act` for a thread of its own."""

    def within() -> None:
        with app.app_context():
            act()

    return within


def test_the_report_refuses_what_it_does_not_know(app: Flask, client: FlaskClient) -> None:
    headers = bearer(app, Role.STAFF)
    for query in ("colour=red", "from=yesterday", "period=era", "from=2026-03-02&to=2026-03-01"):
        answer = client.get(f"/api/v1/reports/channels?{query}", headers=headers)
        assert answer.status_code == 422, query
        assert answer.content_type == "application/problem+json"


def test_only_staff_auditors_and_admins_see_reports_and_books(
    app: Flask, client: FlaskClient
) -> None:
    for path in (
        "/report/channels",
        "/api/v1/reports/channels",
        "/report/channels.xlsx",
        "/ledger",
    ):
        assert client.get(path).status_code == (401 if "/api/" in path else 302), path
        for role in (Role.CONSUMER, Role.CLERK, Role.HOST):
            assert client.get(path, headers=bearer(app, role)).status_code == 403, path


def test_the_workbook_holds_the_same_money_and_no_formula(
    app: Flask, client: FlaskClient, traded: None
) -> None:
    with app.app_context():
        source = builders.credit_source(CreditKind.SHARE, "evil")
        with transaction() as session:
            session.merge(source).title_zh = "=HYPERLINK(1)"
        offer = builders.offer(price_fen=700)
        market_day.pay(
            place(
                builders.buyer(),
                {offer.id: 1},
                {offer.id: Credited(source.id)},
                PaymentMethod.STRIPE,
            )
        )
        with transaction() as session:
            session.execute(text("UPDATE organisation SET name_zh = '=1+1' WHERE kind = 'seller'"))
        total = queries.by_channel(periods.named(periods.QUARTER, clock.today())).total
    answer = client.get("/report/channels.xlsx", headers=bearer(app, Role.STAFF))
    book = load_workbook(io.BytesIO(answer.data))
    assert book.worksheets[0].max_row == 7
    for sheet in book:
        last = list(sheet.values)[-1]
        assert Decimal(str(last[2])) == Decimal(total.paid_fen) / 100
        assert {cell.data_type for row in sheet.rows for cell in row} <= {"s", "n"}
    assert "=1+1" in [row[0] for row in book.worksheets[2].values]


def test_periods_are_whole_days_of_shanghai() -> None:
    today = date(2026, 11, 22)  # a Sunday
    assert periods.named(periods.WEEK, today).first == date(2026, 11, 16)
    assert periods.named(periods.MONTH, today).first == date(2026, 11, 1)
    assert periods.named(periods.QUARTER, date(2026, 1, 15)).first == date(2025, 11, 1)
    period = periods.between(today, today)
    assert period.ends - period.begins == timedelta(days=1)
    assert clock.local(period.begins).hour == 0


def test_money_that_came_twice_leaves_report_and_ledger_at_one(app: Flask) -> None:
    with app.app_context():
        builders.credit_source()
        offer = builders.offer()
        credited = builders.credited_to_shop(offer)
        placed = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE)
        period = periods.named(periods.MONTH, clock.today())
        for intent_id in ("pi_1", "pi_2"):
            captured = Captured(placed.total.fen, clock.now(), intent_id)
            record_capture(placed.payment_id or "", captured)
            total = queries.by_channel(period).total
            assert total.paid_fen == placed.total.fen
            assert agrees(period, total)
        assert_laws_hold()
