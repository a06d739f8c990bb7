"""Whether the ledger says the same as the lines of a period."""

from __future__ import annotations

from sqlalchemy import text

from kernel.db import db
from marketplace.report.periods import Period
from marketplace.report.queries import Figures
from orders.books import BOOK

# What the ledger booked for payments captured in the period, without what it owes back for
# no goods; what it owes back for lines paid in the period; and settlements of such lines
# whose booked amount is not the sum of their lines. Money that came a second time (a refund with
# a cause of its own) was booked beside its payment and is on neither side.
_BOOKED = text(
    """
    WITH captured AS (
        SELECT id, public_id FROM payment WHERE captured_at >= :begins AND captured_at < :ends
    ), moved AS (
        SELECT t.kind, t.reference, sum(p.amount_fen) AS fen
        FROM ledger_transaction t
        JOIN ledger_book b ON b.id = t.book_id AND b.code = :book
        JOIN posting p ON p.transaction_id = t.id AND p.amount_fen > 0
        WHERE t.kind IN ('payment', 'refund_owed', 'settlement')
        GROUP BY t.kind, t.reference
    ), owed AS (
        SELECT r.line_id, r.cause, m.fen, o.paid_at, r.payment_id
        FROM moved m
        JOIN refund r ON m.kind = 'refund_owed' AND r.public_id = m.reference
        JOIN orders o ON o.id = r.order_id
    )
    SELECT (
        SELECT coalesce(sum(m.fen), 0) FROM moved m
        JOIN captured c ON m.kind = 'payment' AND c.public_id = m.reference
    ) - (
        SELECT coalesce(sum(o.fen), 0) FROM owed o
        JOIN captured c ON c.id = o.payment_id
        WHERE o.line_id IS NULL AND o.cause NOT LIKE 'twice:%'
    ) AS paid, (
        SELECT coalesce(sum(fen), 0) FROM owed
        WHERE line_id IS NOT NULL AND paid_at >= :begins AND paid_at < :ends
    ) AS refunded, (
        SELECT count(*) FROM (
            SELECT s.id FROM settlement s
            JOIN settlement_line l ON l.settlement_id = s.id
            LEFT JOIN moved m ON m.kind = 'settlement' AND m.reference = s.public_id
            GROUP BY s.id, m.fen HAVING sum(l.amount_fen) <> coalesce(m.fen, 0)
        ) wrong
    ) AS settlements_wrong
    """
)


def agrees(period: Period, total: Figures) -> bool:
    """Compare the period's total with the ledger, in one statement."""
    booked = db.session.execute(
        _BOOKED, {"book": BOOK, "begins": period.begins, "ends": period.ends}
    ).one()
    said = (int(booked.paid), int(booked.refunded), int(booked.settlements_wrong))
    return said == (total.paid_fen, total.refunded_fen, 0)
