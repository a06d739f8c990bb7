"""Law 8: what waits for its worker is named; it is late, not wrong, and no law is broken."""

from __future__ import annotations

from marketplace.check.law import Law, by_sql

LAWS: tuple[Law, ...] = (
    by_sql(
        "unsealed",
        "ledger transactions that are not sealed yet",
        "SELECT count(*) FROM ledger_transaction",
        """
        SELECT format('%s transactions, the oldest of %s', count(*), min(t.posted_at))
        FROM ledger_transaction t LEFT JOIN ledger_seal s ON s.transaction_id = t.id
        WHERE s.transaction_id IS NULL HAVING count(*) > 0
        """,
    ),
    by_sql(
        "orders-overdue",
        "orders whose payment was due over 10 minutes ago and that have not lapsed",
        "SELECT count(*) FROM orders WHERE state = 'due'",
        """
        SELECT format('order %s was due at %s', number, expires_at) FROM orders
        WHERE state = 'due' AND expires_at < now() - interval '10 minutes' ORDER BY expires_at
        """,
    ),
    by_sql(
        "rounds-overdue",
        "rounds that the clock closed over 10 minutes ago and that are not processed",
        "SELECT count(*) FROM round WHERE processed_at IS NULL",
        """
        SELECT format('round %s closed at %s', code, closes_at) FROM round
        WHERE processed_at IS NULL AND closes_at < now() - interval '10 minutes'
        ORDER BY closes_at
        """,
    ),
    by_sql(
        "refunds-pending",
        "refunds that were asked for over a day ago and are not answered",
        "SELECT count(*) FROM refund WHERE state = 'pending'",
        """
        SELECT format('refund %s of %s', public_id, created_at) FROM refund
        WHERE state = 'pending' AND created_at < now() - interval '1 day' ORDER BY id
        """,
    ),
    by_sql(
        "refunded-twice",
        "refunds that went out by transfer and by the provider, and wait to be sent back",
        "SELECT count(*) FROM refund WHERE state IN ('repaid', 'twice')",
        """
        SELECT format('refund %s: %s fen too much', public_id, amount_fen) FROM refund
        WHERE state = 'twice' ORDER BY id
        """,
    ),
    by_sql(
        "disputes-open",
        "chargebacks that are not decided, or are lost and not taken for what went back",
        "SELECT count(*) FROM dispute",
        """
        SELECT format('dispute %s of payment %s (%s): %s fen, to be answered by %s', d.public_id,
            p.public_id, d.status, d.amount_fen, d.answer_by)
        FROM dispute d JOIN payment p ON p.id = d.payment_id
        WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
            OR (d.status = 'lost' AND d.withdrawn_fen <> (
                SELECT coalesce(sum(r.amount_fen), 0) FROM refund r WHERE r.dispute_id = d.id))
        ORDER BY d.id
        """,
    ),
)
