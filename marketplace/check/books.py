"""Law 2: the ledger balances, is unchanged, and says what the other tables say."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from kernel.ledger import LedgerBook, check_chain
from kernel.money import Money
from marketplace.check.law import Law, by_sql
from orders.books import BOOK

KEPT = ("ledger_transaction", "posting", "ledger_seal", "audit_entry")
"""Tables whose rows are never changed, deleted or emptied."""

GUARDS = (
    "posting_balances",
    *(f"{table}_append_only" for table in KEPT),
    *(f"{table}_not_emptied" for table in KEPT),
)
"""Triggers by which the database itself refuses to change the past."""

# What each account should hold, told from payments, refunds and settlements alone, beside
# what the ledger says it holds.
_BALANCES = text(
    """
    WITH told (kind, owner, fen) AS (
        SELECT 'provider_clearing' AS kind, '' AS owner, sum(captured_fen) AS fen
            FROM payment WHERE method = 'stripe'
        UNION ALL SELECT 'provider_clearing', '', -sum(fee_fen) FROM payment
        UNION ALL SELECT CASE WHEN r.dispute_id IS NULL THEN 'provider_clearing'
                ELSE 'charged_back' END, '', -sum(r.amount_fen) FROM refund r
            JOIN payment p ON p.id = r.payment_id
            WHERE (p.method = 'stripe' OR r.intent_id IS NOT NULL)
                AND r.state IN ('succeeded', 'twice') GROUP BY 1
        UNION ALL SELECT 'provider_clearing', '', -sum(withdrawn_fen + fee_fen) FROM dispute
        UNION ALL SELECT 'charged_back', '', sum(withdrawn_fen) FROM dispute
        UNION ALL SELECT 'provider_fees', '', sum(fee_fen) FROM dispute
        UNION ALL SELECT 'provider_fees', '', sum(fee_fen) FROM payment
        UNION ALL SELECT 'cash_clearing', '', sum(captured_fen) FROM payment WHERE method = 'cash'
        UNION ALL SELECT 'transfer_clearing', '', sum(captured_fen) FROM payment
            WHERE method = 'transfer'
        -- What came once more by the other way than the payment's own.
        UNION ALL SELECT a.kind, '', sum(r.amount_fen
                * CASE WHEN r.intent_id IS NULL THEN -a.sign ELSE a.sign END) FROM refund r
            JOIN payment p ON p.id = r.payment_id
                AND (p.method = 'stripe') = (r.intent_id IS NULL)
            CROSS JOIN (VALUES ('provider_clearing', 1), ('transfer_clearing', -1)) a (kind, sign)
            WHERE r.cause LIKE 'twice:%' GROUP BY a.kind, a.sign
        UNION ALL SELECT 'transfer_clearing', '', -sum(amount_fen) FROM refund
            WHERE state IN ('repaid', 'twice')
        UNION ALL SELECT 'refunded_twice', '', sum(amount_fen) FROM refund WHERE state = 'twice'
        UNION ALL SELECT 'transfer_clearing', '', -sum(total_fen) FROM settlement
            WHERE state = 'paid'
        UNION ALL SELECT 'receivable', 'unit:' || unit_id, sum(amount_fen) FROM payment
            WHERE unit_id IS NOT NULL AND state = 'due' GROUP BY unit_id
        UNION ALL SELECT 'refunds_owed', '', -sum(amount_fen) FROM refund
            WHERE state IN ('pending', 'debt')
        UNION ALL SELECT 'buyer_prepaid', '', -sum(
                CASE WHEN unit_id IS NULL OR state = 'captured' THEN captured_fen
                    WHEN state = 'due' THEN amount_fen ELSE 0 END) FROM payment
        UNION ALL SELECT 'buyer_prepaid', '', sum(amount_fen) FROM refund WHERE state <> 'cut'
        UNION ALL SELECT 'buyer_prepaid', '', sum(total_fen) FROM settlement
        UNION ALL SELECT 'seller_payable', 'seller:' || o.public_id,
                -sum(s.total_fen - coalesce(h.fen, 0))
            FROM settlement s
            JOIN organisation o ON o.id = s.seller_id
            LEFT JOIN (SELECT settlement_id, sum(amount_fen) AS fen FROM household_share
                GROUP BY settlement_id) h ON h.settlement_id = s.id
            WHERE s.state = 'stated' GROUP BY o.public_id
        UNION ALL SELECT 'household_payable', 'seller:' || o.public_id, -sum(h.amount_fen)
            FROM household_share h
            JOIN settlement s ON s.id = h.settlement_id AND s.state = 'stated'
            JOIN organisation o ON o.id = s.seller_id GROUP BY o.public_id
    ), expected AS (
        SELECT kind, owner, coalesce(sum(fen), 0) AS fen FROM told GROUP BY 1, 2
    ), booked AS (
        SELECT a.kind, a.owner, sum(p.amount_fen) AS fen
        FROM posting p
        JOIN ledger_account a ON a.id = p.account_id
        JOIN ledger_book b ON b.id = a.book_id
        WHERE b.code = :book GROUP BY 1, 2
    )
    SELECT coalesce(b.kind, e.kind) AS kind, coalesce(b.owner, e.owner) AS owner,
        coalesce(b.fen, 0) AS booked, coalesce(e.fen, 0) AS expected
    FROM booked b FULL JOIN expected e ON e.kind = b.kind AND e.owner = b.owner
    ORDER BY 1, 2
    """
)


def balances(session: Session) -> tuple[int, list[str]]:
    """Hold the balance of every account against the tables whose money it stands for."""
    rows = session.execute(_BALANCES, {"book": BOOK}).all()
    faults = [
        f"{row.kind} {row.owner}".strip()
        + f": {Money(int(row.booked))} in the ledger, {Money(int(row.expected))} elsewhere"
        for row in rows
        if row.booked != row.expected
    ]
    return len(rows), faults


def chain(session: Session) -> tuple[int, list[str]]:
    """Recompute the hash chain of every book."""
    reports = [check_chain(code) for code in session.scalars(select(LedgerBook.code))]
    return sum(one.sealed for one in reports), [fault for one in reports for fault in one.broken]


def guards(session: Session) -> tuple[int, list[str]]:
    """See that the triggers which keep the ledger and the acts are there and on."""
    on = set(
        session.scalars(
            text("SELECT tgname FROM pg_trigger WHERE tgname = ANY(:names) AND tgenabled <> 'D'"),
            {"names": list(GUARDS)},
        )
    )
    return len(on), [f"trigger {name} is off or missing" for name in GUARDS if name not in on]


LAWS: tuple[Law, ...] = (
    by_sql(
        "ledger-zero",
        "the postings of every ledger transaction sum to zero",
        "SELECT count(*) FROM ledger_transaction",
        """
        SELECT format('transaction %s (%s): postings sum to %s fen', t.id, t.kind,
            coalesce(sum(p.amount_fen), 0))
        FROM ledger_transaction t LEFT JOIN posting p ON p.transaction_id = t.id
        GROUP BY t.id HAVING coalesce(sum(p.amount_fen), 0) <> 0 OR count(p.id) = 0 ORDER BY t.id
        """,
    ),
    Law("ledger-chain", "the hash chain of every book is unbroken", chain),
    Law("ledger-guards", "the database refuses to change the ledger and the acts", guards),
    Law("ledger-balances", "every account agrees with payments, refunds, settlements", balances),
    by_sql(
        "payment-booked",
        "every captured payment stands in the ledger once, with its amount",
        "SELECT count(*) FROM payment WHERE state = 'captured'",
        """
        SELECT format('payment %s: %s fen captured, %s fen booked', p.public_id, p.captured_fen,
            b.fen)
        FROM payment p CROSS JOIN LATERAL (
            SELECT coalesce(sum(x.amount_fen), 0) AS fen FROM ledger_transaction t
            JOIN posting x ON x.transaction_id = t.id AND x.amount_fen > 0
            WHERE t.kind = 'payment' AND t.reference IN (
                SELECT p.public_id UNION ALL SELECT p.public_id || ':' || r.public_id
                FROM refund r WHERE r.payment_id = p.id AND r.cause LIKE 'twice:%')
        ) b
        WHERE b.fen <> p.captured_fen ORDER BY p.id
        """,
    ),
)
