"""Laws 4, 6 and 9: frozen lines, one credit for each, totals that sum, keys used once."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from kernel.money import Money
from marketplace.check.law import Law, by_sql
from orders.model import CreditSource
from orders.queries.sales import paid_lines


def channels_sum(session: Session) -> tuple[int, list[str]]:
    """Add the channels' paid and refunded money up, and hold it against shares and refunds."""
    lines = paid_lines().subquery()
    rows = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(lines.c.paid_fen), 0),
            func.coalesce(func.sum(lines.c.refunded_fen), 0),
        )
        .select_from(lines)
        .join(CreditSource, CreditSource.id == lines.c.credit_source_id)
        .group_by(CreditSource.kind)
    ).all()
    paid, refunded = sum(int(row[1]) for row in rows), sum(int(row[2]) for row in rows)
    whole = session.execute(
        text(
            """
            SELECT (
                SELECT coalesce(sum(s.amount_fen), 0) FROM payment_share s
                JOIN payment p ON p.id = s.payment_id AND p.state = 'captured'
                JOIN orders o ON o.id = s.order_id AND o.paid_at IS NOT NULL
            ) AS paid, (
                SELECT coalesce(sum(amount_fen), 0) FROM refund
                WHERE line_id IS NOT NULL AND state <> 'cut'
            ) AS refunded
            """
        )
    ).one()
    faults = [
        f"{name}: channels sum to {Money(mine)}, payments to {Money(int(theirs))}"
        for name, mine, theirs in (
            ("paid", paid, whole.paid),
            ("refunded", refunded, whole.refunded),
        )
        if mine != theirs
    ]
    return sum(int(row[0]) for row in rows), faults


LAWS: tuple[Law, ...] = (
    by_sql(
        "frozen-lines",
        "a line's amount is its frozen price times its quantity",
        "SELECT count(*) FROM order_line",
        """
        SELECT format('order %s, %s: %s fen for %s at %s fen', o.number, l.name_zh,
            l.amount_fen, l.quantity, l.price_fen)
        FROM order_line l JOIN orders o ON o.id = l.order_id
        WHERE l.amount_fen <> l.price_fen * l.quantity ORDER BY l.id
        """,
    ),
    by_sql(
        "line-offer",
        "a line's lot, seller and product are those of its offer",
        "SELECT count(*) FROM order_line",
        """
        SELECT format('order %s, %s: not what offer %s sells', orders.number, l.name_zh,
            o.public_id)
        FROM order_line l
        JOIN offer o ON o.id = l.offer_id
        JOIN orders ON orders.id = l.order_id
        WHERE (l.lot_id, l.seller_id, l.product_id) <> (o.lot_id, o.seller_id, o.product_id)
        ORDER BY l.id
        """,
    ),
    by_sql(
        "order-total",
        "an order's total is the sum of its lines",
        "SELECT count(*) FROM orders",
        """
        SELECT format('order %s: total %s fen, lines %s fen', o.number, o.total_fen,
            coalesce(sum(l.amount_fen), 0))
        FROM orders o LEFT JOIN order_line l ON l.order_id = o.id
        GROUP BY o.id HAVING o.total_fen <> coalesce(sum(l.amount_fen), 0) ORDER BY o.id
        """,
    ),
    by_sql(
        "one-credit",
        "every line has exactly one primary credit, and it exists",
        "SELECT count(*) FROM order_line",
        """
        SELECT format('order %s, %s: credit source %s', o.number, l.name_zh,
            coalesce(l.credit_source_id::text, 'missing'))
        FROM order_line l
        JOIN orders o ON o.id = l.order_id
        LEFT JOIN credit_source c ON c.id = l.credit_source_id
        WHERE c.id IS NULL ORDER BY l.id
        """,
    ),
    by_sql(
        "place-credit",
        "what was sold in a round, a broadcast or a cabinet is credited to it",
        "SELECT count(*) FROM order_line l JOIN offer o ON o.id = l.offer_id"
        " WHERE o.place <> 'shop'",
        """
        SELECT format('order %s, %s: sold in a %s, credited to a %s', orders.number, l.name_zh,
            o.place, c.kind)
        FROM order_line l
        JOIN orders ON orders.id = l.order_id
        JOIN offer o ON o.id = l.offer_id
        JOIN credit_source c ON c.id = l.credit_source_id
        LEFT JOIN round_offer ro ON ro.offer_id = o.id
        LEFT JOIN round r ON r.id = ro.round_id
        LEFT JOIN broadcast_offer bo ON bo.offer_id = o.id
        LEFT JOIN broadcast b ON b.id = bo.broadcast_id
        WHERE (o.place = 'round' AND c.id IS DISTINCT FROM r.credit_source_id)
            OR (o.place = 'broadcast' AND c.id IS DISTINCT FROM b.credit_source_id)
            OR (o.place = 'slot' AND c.kind <> 'cabinet')
            OR (o.place = 'shop' AND c.kind NOT IN ('shop', 'share', 'broadcast'))
        ORDER BY l.id
        """,
    ),
    by_sql(
        "assists",
        "no line is assisted by the channel that closed it",
        "SELECT count(*) FROM line_assist",
        """
        SELECT format('line %s is assisted by its own credit', l.id)
        FROM line_assist a JOIN order_line l ON l.id = a.line_id
        WHERE a.credit_source_id = l.credit_source_id ORDER BY l.id
        """,
    ),
    Law(
        "channels-sum",
        "what the channels sold and gave back sums to what was paid and refunded",
        channels_sum,
    ),
    by_sql(
        "refund-credit",
        "a refund reverses a line of its own order, so its own credit",
        "SELECT count(*) FROM refund",
        # Money that paid for no goods was never a sale, and of what went back in the provider's
        # own pages nobody said for which goods; only these causes stand without a line.
        """
        SELECT format('refund %s (%s) names no line of its order', r.public_id, r.cause)
        FROM refund r LEFT JOIN order_line l ON l.id = r.line_id
        WHERE (r.line_id IS NOT NULL AND l.order_id IS DISTINCT FROM r.order_id)
            OR (r.line_id IS NULL AND split_part(r.cause, ':', 1)
                NOT IN ('late', 'overpaid', 'underpaid', 'twice', 'outside'))
        ORDER BY r.id
        """,
    ),
    by_sql(
        "idempotency-keys",
        "a key of one actor on one endpoint stands for one answer",
        "SELECT count(*) FROM idempotency_key",
        """
        SELECT format('%s: one key stands %s times', endpoint, count(*))
        FROM idempotency_key GROUP BY actor, endpoint, key HAVING count(*) > 1 ORDER BY endpoint
        """,
    ),
)
