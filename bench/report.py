"""`make bench-report`: what the channel report costs over a year of past lines, view by view.

In a world of its own, without web servers: BENCH_OFFERS and BENCH_PAST_LINES say how much it
holds, BENCH_REPORT_TRIES how often each view is asked for. The least processor time of the
database is told, as the machine has other things to do, with the least time that one waited.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from bench import gauges, world
from bench.world import Loader, Size
from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role, grant
from kernel.postgres import Cluster
from kernel.settings import Settings
from kernel.tokens import issue_token
from marketplace.app import create_app
from marketplace.check import days as check_days
from marketplace.check.law import examine, said
from marketplace.report import summing

YEAR = timedelta(days=365)
VIEWS = {
    "page, by channel": "/report/channels?by=channel&",
    "page, by seller": "/report/channels?by=seller&",
    "page, by day": "/report/channels?by=day&",
    "JSON": "/api/v1/reports/channels?",
    "workbook": "/report/channels.xlsx?",
}
# What past sales lack in the world of `make bench`: a twentieth of the lines refunded, most of
# them settled, a third with an assist; all of it booked, so that report and ledger agree.
AFTERMATH = (
    """
    INSERT INTO refund (public_id, payment_id, order_id, line_id, cause, units, amount_fen, state,
        failure, reference, created_at)
    SELECT 'rb' || l.id, s.payment_id, l.order_id, l.id, 'bench', 0, l.amount_fen / 2, 'succeeded',
        '', '', o.paid_at + interval '1 day'
    FROM order_line l JOIN orders o ON o.id = l.order_id
    JOIN payment_share s ON s.order_id = l.order_id WHERE l.id % 20 = 7
    """,
    """
    INSERT INTO settlement (public_id, seller_id, state, total_fen, stated_at, payout_reference)
    SELECT 'sb' || seller_id || '-' || to_char(o.paid_at, 'IYIW'), seller_id, 'stated',
        sum(l.amount_fen), now(), ''
    FROM order_line l JOIN orders o ON o.id = l.order_id WHERE l.id % 20 > 2
    GROUP BY seller_id, to_char(o.paid_at, 'IYIW')
    """,
    """
    INSERT INTO settlement_line (settlement_id, line_id, amount_fen)
    SELECT s.id, l.id, l.amount_fen FROM order_line l JOIN orders o ON o.id = l.order_id
    JOIN settlement s ON s.public_id = 'sb' || l.seller_id || '-' || to_char(o.paid_at, 'IYIW')
    WHERE l.id % 20 > 2
    """,
    """
    INSERT INTO line_assist (line_id, credit_source_id)
    SELECT l.id, c.id FROM order_line l JOIN credit_source c ON c.code = 'bench-1'
    WHERE l.id % 3 = 0 AND c.id <> l.credit_source_id
    """,
    """
    WITH moved AS (
        INSERT INTO ledger_transaction (book_id, kind, reference, facts, posted_at)
        SELECT b.id, about.kind, about.reference, '{}', now() FROM ledger_book b CROSS JOIN (
            SELECT 'refund_owed' AS kind, public_id AS reference FROM refund
            UNION ALL SELECT 'settlement', public_id FROM settlement
        ) about RETURNING id, reference
    ), amounts AS (
        SELECT public_id AS reference, amount_fen AS fen FROM refund
        UNION ALL SELECT public_id, total_fen FROM settlement
    )
    INSERT INTO posting (transaction_id, account_id, amount_fen)
    SELECT moved.id, a.id, a.side * fen FROM moved JOIN amounts USING (reference)
    CROSS JOIN (
        SELECT id, CASE kind WHEN 'buyer_prepaid' THEN 1 ELSE -1 END AS side FROM ledger_account
    ) a
    """,
    "ANALYZE",
)


def main() -> int:
    """Measure; return the exit code."""
    size = Size(
        int(os.environ.get("BENCH_OFFERS", "10000")),
        int(os.environ.get("BENCH_PAST_LINES", "1000000")),
    )
    world.SOLD_AT_ONCE = 1  # a payment for each order, so that every day agrees with the ledger
    folder = Path(tempfile.mkdtemp(prefix="xiangji-bench-"))
    folder.chmod(0o711)
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.create_database("shop")
        app = _shop(cluster.url("shop"), folder, size)
        with app.app_context():
            _measure(app, cluster, int(os.environ.get("BENCH_REPORT_TRIES", "4")))
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _shop(url: str, folder: Path, size: Size) -> Flask:
    """Return a shop with a past in a fresh database."""
    environ = {"ENVIRONMENT": "testing", "DATABASE_URL": url, "VAR_DIR": str(folder)}
    settings = Settings.from_environ(environ)
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    _say(f"Loading {size.past_lines:,} past lines of {size.offers:,} offers")
    with psycopg.connect(url) as connection:
        Loader(connection, size, settings.data_key, _say).load()
        connection.autocommit = True
        connection.execute("SET session_replication_role = replica")
        for statement in AFTERMATH:
            connection.execute(statement.encode())
    return app


def _measure(app: Flask, cluster: Cluster, tries: int) -> None:
    client = app.test_client()
    headers = {"Authorization": f"Bearer {_token()}"}
    _round(client, headers, cluster, tries, "Every day from its lines")
    pid = cluster.pid()
    assert pid is not None
    used, begun, summed = gauges.cpu_s(pid), time.perf_counter(), 0
    for day in summing.due(clock.today()):
        summed += summing.sum_day(day)
    spent, lasted = gauges.cpu_s(pid) - used, time.perf_counter() - begun
    _say(f"\n{summed} days summed: {spent:.1f} s of the database, {lasted:.1f} s waited")
    with transaction() as session:
        session.execute(text("ANALYZE day_sum"))
    _round(client, headers, cluster, tries, "Days that are over from their sums")
    found = examine(check_days.LAWS)
    if not all(one.holds for one in found):
        raise RuntimeError("\n".join(map(said, found)))


def _token() -> str:
    with transaction() as session:
        auditor = session.get_one(Account, 1)
        grant(auditor, Role.AUDITOR, None)
    return issue_token(auditor)


def _round(
    client: FlaskClient, headers: dict[str, str], cluster: Cluster, tries: int, words: str
) -> None:
    today = clock.today()
    pid = cluster.pid()
    assert pid is not None
    _say(f"\n{words}\n\n| a year of the report | database, s | waited, s |\n|---|---:|---:|")
    for name, path in VIEWS.items():
        address = f"{path}from={today - YEAR}&to={today}"
        costs = [_cost(client, headers, address, pid) for _ in range(tries)]
        cpu, waited = (min(one) for one in zip(*costs, strict=True))
        _say(f"| {name} | {cpu:.2f} | {waited:.2f} |")


def _cost(client: FlaskClient, headers: dict[str, str], path: str, pid: int) -> tuple[float, float]:
    """Return the database's processor time for one answer, and how long it took."""
    used, begun = gauges.cpu_s(pid), time.perf_counter()
    answer: Any = client.get(path, headers=headers)
    lasted = time.perf_counter() - begun
    if answer.status_code != 200 or b"tag-wrong" in answer.data:
        raise RuntimeError(f"{path}: {answer.status_code}, or it does not agree with the ledger")
    db.session.remove()
    return gauges.cpu_s(pid) - used, lasted


if __name__ == "__main__":
    sys.exit(main())
