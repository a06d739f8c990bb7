"""The double-entry ledger: balanced, unchangeable, chained."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from kernel import ledger
from kernel.db import db, transaction
from kernel.ledger import AccountKind, LedgerError, LedgerTransaction, credit, debit
from kernel.money import Money

CASH, PREPAID = AccountKind.CASH_CLEARING, AccountKind.BUYER_PREPAID


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def pay(reference: str, fen: int = 100) -> int | None:
    return ledger.post(
        "test", "payment", reference, [debit(CASH, Money(fen)), credit(PREPAID, Money(fen))]
    )


def test_a_posting_shows_in_the_balances() -> None:
    pay("one", 5900)
    assert ledger.balance("test", CASH) == Money(5900)
    assert ledger.balance("test", PREPAID) == Money(-5900)


def test_the_same_reference_is_posted_once() -> None:
    assert pay("one") is not None
    assert pay("one") is None
    assert ledger.balance("test", CASH) == Money(100)


def test_entries_that_do_not_balance_are_refused() -> None:
    with pytest.raises(LedgerError):
        ledger.post("test", "payment", "x", [debit(CASH, Money(2)), credit(PREPAID, Money(1))])
    assert db.session.scalars(select(LedgerTransaction)).all() == []


def test_the_database_itself_refuses_an_imbalance() -> None:
    pay("one")
    with pytest.raises(DBAPIError, match="does not sum to zero"), transaction() as session:
        session.execute(
            text(
                "INSERT INTO posting (transaction_id, account_id, amount_fen) "
                "SELECT transaction_id, account_id, 1 FROM posting LIMIT 1"
            )
        )
    assert ledger.balance("test", CASH) == Money(100)


@pytest.mark.parametrize("table", ["posting", "ledger_transaction", "ledger_seal"])
def test_the_database_itself_refuses_to_change_the_past(table: str) -> None:
    pay("one")
    ledger.seal("test")
    key = "transaction_id" if table == "ledger_seal" else "id"
    for change in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET {key} = {key}",
        f"TRUNCATE {table} CASCADE",
    ):
        with pytest.raises(DBAPIError, match="never changed"), transaction() as session:
            session.execute(text(change))


def test_sealing_chains_what_is_committed_in_order() -> None:
    for reference in ("one", "two", "three"):
        pay(reference)
    assert ledger.check_chain("test").unsealed == 3
    assert ledger.seal("test") == 3
    assert ledger.seal("test") == 0
    report = ledger.check_chain("test")
    assert (report.sealed, report.unsealed, report.broken) == (3, 0, ())
    assert report.head != ledger.GENESIS


def test_tampering_that_gets_round_the_triggers_shows_in_the_chain() -> None:
    pay("one")
    pay("two")
    ledger.seal("test")
    with transaction() as session:
        session.execute(text("ALTER TABLE ledger_transaction DISABLE TRIGGER USER"))
        session.execute(
            text("UPDATE ledger_transaction SET reference = 'other' WHERE reference = 'two'")
        )
        session.execute(text("ALTER TABLE ledger_transaction ENABLE TRIGGER USER"))
    db.session.expire_all()
    assert len(ledger.check_chain("test").broken) == 1
