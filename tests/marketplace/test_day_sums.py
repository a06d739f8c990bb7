"""Days that are over are summed once, and never while somebody is changing them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Role
from kernel.tokens import issue_token
from marketplace.report import jobs as report_jobs
from marketplace.report import periods, queries, summing
from marketplace.report.agreement import agrees
from marketplace.report.model import SummedDay
from orders.lifecycle import cancel
from orders.model import Order
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace import market_day

DAY = date(2026, 3, 31)
PERIOD = periods.between(date(2026, 3, 1), DAY)
A_SETTLEMENT = """
    WITH made AS (
        INSERT INTO settlement (public_id, seller_id, state, total_fen, stated_at, payout_reference)
        SELECT 'late', seller_id, 'stated', 700, now(), '' FROM order_line LIMIT 1 RETURNING id
    )
    INSERT INTO settlement_line (settlement_id, line_id, amount_fen)
    SELECT made.id, l.id, 700 FROM made, (SELECT min(id) AS id FROM order_line) l
"""
NO_LOCK = """
    CREATE OR REPLACE FUNCTION day_changed(at timestamptz) RETURNS void LANGUAGE sql AS $$
        INSERT INTO changed_day (day)
        SELECT day FROM summed_day WHERE day = (at AT TIME ZONE 'Asia/Shanghai')::date
    $$
"""


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    """A sale of one line, of 25.00 yuan, on the last day of March."""
    with app.app_context():
        with clock.frozen(clock.at_local(DAY, 15, 0)):
            market_day.shared_sale()
        yield


def total() -> queries.Figures:
    """The figures of March, told alike by channel and by day."""
    db.session.expire_all()
    whole = queries.by_channel(PERIOD).total
    assert whole == queries.total_by_day(queries.by_day(PERIOD))
    return whole


def summed() -> list[date]:
    """The days that are summed."""
    return list(db.session.scalars(select(SummedDay.day).order_by(SummedDay.day)))


def test_the_worker_sums_every_day_that_is_over_and_today_is_none(app: Flask) -> None:
    market_day.shop_sales()
    with clock.frozen(clock.at_local(DAY + timedelta(days=3), 0, 1)):
        before = total()
        assert summing.due(clock.today()) == [DAY + timedelta(days=n) for n in (2, 1, 0)]
        report_jobs.sum_days(timestamp=0)
        assert summing.due(clock.today()) == []
        assert summed() == [DAY + timedelta(days=n) for n in range(3)]
        assert total() == before
        assert agrees(PERIOD, before)


def test_a_report_of_summed_days_reads_no_line_of_them() -> None:
    assert summing.sum_day(DAY)
    with transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE order_line SET price_fen = price_fen + 1, amount_fen = amount_fen + 2")
        )
    assert total().paid_fen == 2500


def test_a_refund_of_a_day_that_was_summed_is_told_at_once_and_said_to_be_later(
    client: FlaskClient,
) -> None:
    assert summing.sum_day(DAY)
    cancel(db.session.scalars(select(Order)).one())
    assert (total().paid_fen, total().refunded_fen) == (2500, 2500)
    assert queries.refunded_later(PERIOD) == 2500
    assert agrees(PERIOD, total())
    headers = {"Authorization": f"Bearer {issue_token(builders.account(Role.AUDITOR))}"}
    way = f"from={PERIOD.first}&to={PERIOD.last}"
    page = client.get(f"/report/channels?{way}", headers=headers).text
    assert "其中 ¥25.00 是这段时间过后才退的" in page
    told = client.get(f"/api/v1/reports/channels?{way}", headers=headers).get_json()
    assert (told["refunded_later_fen"], told["agrees_with_ledger"]) == (2500, True)
    assert summing.due(DAY + timedelta(days=1)) == [DAY]
    assert summing.sum_day(DAY)
    assert total().refunded_fen == 2500
    assert_laws_hold()


@pytest.mark.parametrize(
    "by_hand",
    [
        A_SETTLEMENT,
        "UPDATE orders SET paid_at = NULL",
        "UPDATE order_line SET price_fen = price_fen + 1, amount_fen = amount_fen + 2",
        "UPDATE payment SET captured_fen = captured_fen + 1",
    ],
)
def test_a_day_is_not_summed_while_somebody_changes_it(database: str, by_hand: str) -> None:
    with psycopg.connect(database) as other:
        other.execute(by_hand.encode())
        assert not summing.sum_day(DAY)
        assert summed() == []
        other.commit()
    after = total()
    assert summing.sum_day(DAY)
    assert total() == after


def test_a_change_is_noted_though_its_transaction_began_before_the_day_was_summed(
    database: str,
) -> None:
    with psycopg.connect(database) as other:
        other.execute("SELECT count(*) FROM orders")
        assert summing.sum_day(DAY)
        other.execute("UPDATE orders SET paid_at = NULL")
        other.commit()
    assert total().paid_fen == 0


def test_without_their_lock_a_change_under_way_would_be_missed(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(NO_LOCK)
    with psycopg.connect(database) as other:
        other.execute("UPDATE orders SET paid_at = NULL")
        assert summing.sum_day(DAY)
        other.commit()
    assert total().paid_fen == 2500, "the sum is of a line that is no longer paid"


def test_many_changes_of_one_day_are_noted_once() -> None:
    assert summing.sum_day(DAY)
    with transaction() as session:
        for _ in range(3):
            session.execute(text("UPDATE orders SET paid_at = paid_at + interval '1 second'"))
        assert session.scalar(text("SELECT count(*) FROM changed_day")) == 1
