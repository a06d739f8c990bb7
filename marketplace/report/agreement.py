"""Whether the ledger says the same as the lines of a period."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import DateTime, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from kernel.db import db
from marketplace.report.days import Booked, Span, parts_of
from marketplace.report.periods import Period
from marketplace.report.queries import Figures
from orders.books import BOOK

# What the ledger booked for payments captured in the period, without what it owes back for
# no goods; what it owes back for lines paid in the period; and settlements of such lines
# whose booked amount is not the sum of their lines. Money that came a second time (a refund with
# a cause of its own) was booked beside its payment and is on neither side; nor is what was given
# back in the provider's own pages, unless a line took it. Each of them begins with what the
# period concerns, and looks only that up in the ledger; of refunds that were split there are few.
_BOOKED = text(
    """
    WITH moved AS NOT MATERIALIZED (
        SELECT t.kind, t.reference, p.amount_fen AS fen
        FROM ledger_transaction t JOIN posting p ON p.transaction_id = t.id AND p.amount_fen > 0
        WHERE t.book_id = (SELECT id FROM ledger_book WHERE code = :book)
    ), split AS (
        SELECT split_part(reference, ':', 1) AS refund, sum(fen) AS fen
        FROM moved WHERE kind = 'refund_less' GROUP BY 1
    ), settled AS MATERIALIZED (
        SELECT DISTINCT s.id, s.public_id FROM orders o
        JOIN order_line ol ON ol.order_id = o.id
        JOIN settlement_line l ON l.line_id = ol.id
        JOIN settlement s ON s.id = l.settlement_id
        WHERE o.paid_at >= :begins AND o.paid_at < :ends
    )
    SELECT (
        SELECT coalesce(sum(m.fen), 0) FROM payment p
        JOIN moved m ON m.kind = 'payment' AND m.reference = p.public_id
        WHERE p.captured_at >= :begins AND p.captured_at < :ends
    ) - (
        SELECT coalesce(sum(m.fen - coalesce(split.fen, 0)), 0) FROM payment p
        JOIN refund r ON r.payment_id = p.id
        JOIN moved m ON m.kind = 'refund_owed' AND m.reference = r.public_id
        LEFT JOIN split ON split.refund = r.public_id
        WHERE p.captured_at >= :begins AND p.captured_at < :ends
            AND r.line_id IS NULL AND r.cause NOT LIKE 'twice:%' AND r.cause NOT LIKE 'outside:%'
    ) AS paid, (
        SELECT coalesce(sum(m.fen - coalesce(split.fen, 0)), 0) FROM orders o
        JOIN refund r ON r.order_id = o.id AND r.line_id IS NOT NULL
        JOIN moved m ON m.kind = 'refund_owed' AND m.reference = r.public_id
        LEFT JOIN split ON split.refund = r.public_id
        WHERE o.paid_at >= :begins AND o.paid_at < :ends
    ) AS refunded, (
        SELECT count(*) FROM settled s
        CROSS JOIN LATERAL (
            SELECT sum(l.amount_fen) AS fen FROM settlement_line l WHERE l.settlement_id = s.id
        ) lines
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(m.fen), 0) AS fen FROM moved m
            WHERE m.kind = 'settlement' AND m.reference = s.public_id
        ) booked
        WHERE lines.fen <> booked.fen
    ) AS settlements_wrong
    """
)


def _of_spans() -> TextClause:
    """Return the same of several spans, added up."""
    of_span = _BOOKED.text.replace(":begins", "span.begins").replace(":ends", "span.ends")
    moments = ARRAY(DateTime(timezone=True))
    return text(
        f"""
        SELECT coalesce(sum(paid), 0) AS paid, coalesce(sum(refunded), 0) AS refunded,
            coalesce(sum(settlements_wrong), 0) AS settlements_wrong
        FROM unnest(:begins, :ends) AS span (begins, ends) CROSS JOIN LATERAL ({of_span}) said
        """  # noqa: S608  # two statements of ours
    ).bindparams(bindparam("begins", type_=moments), bindparam("ends", type_=moments))


_BOOKED_IN_SPANS = _of_spans()


def booked(spans: Sequence[Span]) -> Booked:
    """Return what the ledger says of some spans: one statement."""
    said = db.session.execute(
        _BOOKED_IN_SPANS,
        {"book": BOOK, "begins": [one[0] for one in spans], "ends": [one[1] for one in spans]},
    ).one()
    return Booked(int(said.paid), int(said.refunded), int(said.settlements_wrong))


def agrees(period: Period, total: Figures) -> bool:
    """Compare the period's total with the ledger: two statements."""
    parts = parts_of(period)
    rest = booked(parts.spans)
    said = (
        parts.booked.paid_fen + rest.paid_fen,
        parts.booked.refunded_fen + rest.refunded_fen,
        parts.booked.settlements_wrong + rest.settlements_wrong,
    )
    return said == (total.paid_fen, total.refunded_fen, 0)
