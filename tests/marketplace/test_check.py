"""Every law is broken by hand once, and found; an honest database has nothing to find."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy import text

from kernel import clock
from kernel.db import db, transaction
from marketplace import check
from marketplace.report import summing
from marketplace.rooms import ROOT
from tests.laws import assert_laws_hold
from tests.marketplace import market_day

# What breaks each law. Triggers and foreign keys are off and checks are dropped meanwhile,
# as they would be for whoever writes to the tables by hand.
HARMS = {
    "lot-bounds": ["UPDATE lot SET promised = offered + 1"],
    "lot-promised": ["UPDATE lot SET promised = promised + 1"],
    "offer-quota": ["UPDATE offer SET quota = sold - 1 WHERE sold > 0"],
    "offer-sold": ["UPDATE offer SET sold = sold + 1 WHERE place = 'shop'"],
    "buyer-take": ["UPDATE buyer_take SET units = units + 1"],
    "ended-orders": ["UPDATE orders SET state = 'lapsed' WHERE state = 'confirmed'"],
    "frozen-lines": ["UPDATE order_line SET price_fen = price_fen + 1"],
    "line-offer": ["UPDATE order_line SET lot_id = lot_id + 100000"],
    "order-total": ["UPDATE orders SET total_fen = total_fen + 1"],
    "one-credit": ["UPDATE order_line SET credit_source_id = 100000"],
    "place-credit": [
        "UPDATE order_line SET credit_source_id ="
        " (SELECT id FROM credit_source WHERE kind = 'shop') "
    ],
    "assists": [
        "INSERT INTO line_assist (line_id, credit_source_id)"
        " SELECT id, credit_source_id FROM order_line LIMIT 1"
    ],
    "channels-sum": [
        "UPDATE order_line SET credit_source_id = 100000"
        " WHERE id = (SELECT min(id) FROM order_line)"
    ],
    "day-sums": ["UPDATE day_sum SET paid_fen = paid_fen + 1 WHERE of = 'source'"],
    "refund-credit": ["UPDATE refund SET line_id = NULL"],
    "idempotency-keys": [
        "ALTER TABLE idempotency_key DROP CONSTRAINT uq_idempotency_key_actor_endpoint_key",
        *(
            [
                "INSERT INTO idempotency_key (actor, endpoint, key, body_hash, created_at)"
                " VALUES ('a:1', 'orders', 'k', 'h', now())"
            ]
            * 2
        ),
    ],
    "payment-shares": ["UPDATE payment_share SET amount_fen = amount_fen + 1"],
    "captured-shared": ["UPDATE payment SET captured_fen = captured_fen + 1"],
    "refunded-captured": ["UPDATE payment SET refunded_fen = refunded_fen + 1"],
    "refunded-line": ["UPDATE refund SET amount_fen = 1000000"],
    "paid-orders": ["UPDATE payment SET state = 'due'"],
    "unpaid-goods": ["UPDATE orders SET paid_at = NULL"],
    "captured-answered": ["UPDATE orders SET paid_at = NULL"],
    "given-back-refunded": ["DELETE FROM refund"],
    "disputes-open": [
        "INSERT INTO dispute (public_id, payment_id, provider_id, status, reason, amount_fen,"
        " withdrawn_fen, fee_fen, told_at, created_at)"
        " SELECT 'd', min(id), 'du_1', 'lost', '', 1, 1, 0, now(), now() FROM payment"
    ],
    "due-waits": ["UPDATE orders SET state = 'lapsed' WHERE state = 'due'"],
    "settled-paid": ["UPDATE orders SET paid_at = NULL"],
    "needs-asked-for": ["UPDATE notice_item SET quantity = quantity - 1"],
    "household-tasks": ["UPDATE household_quota SET quantity = quantity + 1"],
    "ledger-zero": ["UPDATE posting SET amount_fen = amount_fen + 1 WHERE amount_fen > 0"],
    "ledger-chain": ["UPDATE posting SET amount_fen = amount_fen * 2"],
    "ledger-guards": ["ALTER TABLE posting DISABLE TRIGGER posting_append_only"],
    "ledger-balances": ["UPDATE refund SET state = 'succeeded'"],
    "payment-booked": ["UPDATE ledger_transaction SET reference = reference || 'x'"],
    "allocation-conserves": ["UPDATE allocation_run SET left_over = left_over + 1"],
    "allocation-lines": ["UPDATE allocation_run SET allocated = allocated + 1"],
    "allocation-bounds": ["UPDATE order_line SET allocated = quantity + 1"],
    "group-order-lines": ["UPDATE notice_item SET quantity = quantity + 1"],
    "settled-once": [
        "ALTER TABLE settlement_line DROP CONSTRAINT uq_settlement_line_line_id",
        "INSERT INTO settlement_line (settlement_id, line_id, amount_fen)"
        " SELECT settlement_id, line_id, amount_fen FROM settlement_line",
    ],
    "settled-delivered": [
        "UPDATE consignment SET signed_at = NULL",
        "UPDATE orders SET state = 'confirmed'",
    ],
    "two-people": ["UPDATE proposal SET proposed_by = decided_by"],
    "payout-booked": ["UPDATE ledger_transaction SET facts = '{}'"],
    "settled-whole": ["UPDATE orders SET settled_at = now()"],
    "settlement-total": ["UPDATE settlement SET total_fen = total_fen + 1"],
    "handed-when-complete": ["UPDATE orders SET state = 'confirmed' WHERE state = 'handed'"],
    "consigned-lines": ["UPDATE consignment_line SET quantity = quantity + 100"],
}
HARMS_LATE = {
    "unsealed": ["DELETE FROM ledger_seal"],
    "orders-overdue": ["UPDATE orders SET state = 'due', expires_at = now() - interval '1 day'"],
    "rounds-overdue": [
        "UPDATE round SET processed_at = NULL, opens_at = now() - interval '2 days',"
        " closes_at = now() - interval '1 day'"
    ],
    "refunded-twice": ["UPDATE refund SET state = 'twice'"],
    "refunds-pending": [
        "UPDATE refund SET state = 'pending', created_at = now() - interval '2 days'"
    ],
}


PAYOUT_HARMS = {
    "taken back by nobody": "UPDATE settlement SET state = 'stated', paid_at = NULL",
    "only the return was kept": "DELETE FROM proposal WHERE kind = 'payout' AND id ="
    " (SELECT max(id) FROM proposal)",
    "paid out with the reference of the one that came back": "UPDATE settlement"
    " SET payout_reference = 'BANK-1'",
}


@pytest.fixture
def traded(app: Flask) -> None:
    """A market day: a shop, a round that fell short, cash, a cancellation, a settlement."""
    with app.app_context():
        market_day.trade()
        assert summing.sum_day(clock.today())


def test_an_honest_database_breaks_no_law(app: Flask, traded: None) -> None:
    with app.app_context():
        assert_laws_hold()
        empty = [found.law.name for found in check.check() if found.counted == 0]
        assert empty == ["idempotency-keys"]
        assert all(not found.faults for found in check.examine(check.WAITING))


def test_every_law_finds_what_breaks_it(app: Flask, traded: None) -> None:
    with app.app_context():
        missed = [
            law.name
            for law in (*check.LAWS, *check.WAITING)
            if not _found(law, {**HARMS, **HARMS_LATE}[law.name])
        ]
        assert missed == []


@pytest.mark.parametrize("harm", PAYOUT_HARMS)
def test_a_settlement_says_what_two_people_approved_last(
    app: Flask, traded: None, harm: str
) -> None:
    with app.app_context():
        [law] = [one for one in check.LAWS if one.name == "two-people"]
        assert _found(law, [PAYOUT_HARMS[harm]])


def _found(law: check.Law, harm: list[str]) -> list[str]:
    """Return what `law` finds once `harm` was done; the harm is undone again."""
    db.session.rollback()
    with suppress(_UndoneError), transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table, constraint in session.execute(
            text(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint"
                " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
            )
        ).all():
            session.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"'))
        for statement in harm:
            session.execute(text(statement))
        found = law.look(session)[1]
        raise _UndoneError
    return found


class _UndoneError(Exception):
    """Ends a transaction that only tried something."""


def test_the_command_says_what_is_broken_and_fails(app: Flask, traded: None) -> None:
    runner = app.test_cli_runner()
    fine = runner.invoke(args=["check"])
    assert fine.exit_code == 0, fine.output
    assert "none broken" in fine.output
    with app.app_context(), transaction() as session:
        session.execute(text("UPDATE offer SET sold = sold + 1 WHERE place = 'shop'"))
    broken = runner.invoke(args=["check"])
    assert broken.exit_code == 1
    assert "FOUND  offer-sold" in broken.output
    assert "1 broken" in broken.output


def test_every_law_stands_in_the_document_once_and_no_other() -> None:
    rows = re.findall(r"^\| \d+ \|.*$", (ROOT / "docs/laws.md").read_text(encoding="utf-8"), re.M)
    told = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split("|")[4])]
    assert sorted(told) == sorted(law.name for law in (*check.LAWS, *check.WAITING))
