"""Law 3: payments cover orders by shares that sum; nothing is refunded that was not captured."""

from __future__ import annotations

from marketplace.check.law import Law, by_sql

LAWS: tuple[Law, ...] = (
    by_sql(
        "payment-shares",
        "a payment's shares sum to it",
        "SELECT count(*) FROM payment",
        """
        SELECT format('payment %s: %s fen, shares %s fen', p.public_id, p.amount_fen,
            coalesce(sum(s.amount_fen), 0))
        FROM payment p LEFT JOIN payment_share s ON s.payment_id = p.id
        GROUP BY p.id HAVING p.amount_fen <> coalesce(sum(s.amount_fen), 0) ORDER BY p.id
        """,
    ),
    by_sql(
        "captured-shared",
        "every captured fen is shared among orders or owed back",
        "SELECT count(*) FROM payment WHERE state = 'captured'",
        # Less than was due pays for nothing; more, or what came once more, goes back.
        """
        SELECT format('payment %s (%s): %s fen captured, %s fen due, %s fen of it owed back',
            p.public_id, p.state, p.captured_fen, p.amount_fen, b.fen + b.again)
        FROM payment p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_fen) FILTER (WHERE cause NOT LIKE 'twice:%'), 0) AS fen,
                coalesce(sum(amount_fen) FILTER (WHERE cause LIKE 'twice:%'), 0) AS again
            FROM refund r WHERE r.payment_id = p.id
                AND split_part(r.cause, ':', 1) IN ('overpaid', 'underpaid', 'twice')
        ) b
        WHERE (p.state = 'captured') <> (p.captured_fen > 0)
            OR (p.state = 'captured' AND p.captured_fen - b.again - b.fen
                <> CASE WHEN p.captured_fen - b.again < p.amount_fen THEN 0 ELSE p.amount_fen END)
        ORDER BY p.id
        """,
    ),
    by_sql(
        "refunded-captured",
        "a payment's refunds sum to what it says, and never exceed what was captured",
        "SELECT count(*) FROM refund WHERE state <> 'cut'",
        """
        SELECT format('payment %s: %s fen refunded, refunds %s fen, captured %s fen', p.public_id,
            p.refunded_fen, coalesce(sum(r.amount_fen), 0), p.captured_fen)
        FROM payment p LEFT JOIN refund r ON r.payment_id = p.id AND r.state <> 'cut'
        GROUP BY p.id
        HAVING p.refunded_fen <> coalesce(sum(r.amount_fen), 0) OR p.refunded_fen > p.captured_fen
        ORDER BY p.id
        """,
    ),
    by_sql(
        "refunded-line",
        "no line is refunded more than it cost",
        "SELECT count(DISTINCT line_id) FROM refund",
        """
        SELECT format('order %s, %s: %s fen given back of %s', o.number, l.name_zh,
            sum(r.amount_fen), l.amount_fen)
        FROM refund r
        JOIN order_line l ON l.id = r.line_id
        JOIN orders o ON o.id = l.order_id
        GROUP BY o.number, l.id HAVING sum(r.amount_fen) > l.amount_fen ORDER BY l.id
        """,
    ),
    by_sql(
        "paid-orders",
        "a paid order has its share of a captured payment, and only then is it paid",
        "SELECT count(*) FROM orders WHERE paid_at IS NOT NULL",
        """
        WITH captured AS (
            SELECT s.order_id, sum(s.amount_fen) AS fen FROM payment_share s
            JOIN payment p ON p.id = s.payment_id AND p.state = 'captured' GROUP BY s.order_id
        ), cut AS (
            SELECT order_id, sum(amount_fen) AS fen FROM refund WHERE state = 'cut'
            GROUP BY order_id
        )
        SELECT format('order %s: %s fen paid of %s', o.number, coalesce(c.fen, 0),
            o.total_fen - coalesce(cut.fen, 0))
        FROM orders o
        LEFT JOIN captured c ON c.order_id = o.id
        LEFT JOIN cut ON cut.order_id = o.id
        WHERE o.paid_at IS NOT NULL
            AND coalesce(c.fen, 0) <> o.total_fen - coalesce(cut.fen, 0)
        ORDER BY o.id
        """,
    ),
    by_sql(
        "unpaid-goods",
        "an order is confirmed or handed over only when it is paid, or its unit owes it",
        "SELECT count(*) FROM orders WHERE state IN ('confirmed', 'handed')",
        """
        SELECT format('order %s is %s and nobody pays for it', o.number, o.state)
        FROM orders o
        WHERE o.state IN ('confirmed', 'handed') AND o.paid_at IS NULL AND NOT EXISTS (
            SELECT FROM payment_share s JOIN payment p ON p.id = s.payment_id
            WHERE s.order_id = o.id AND p.unit_id IS NOT NULL AND p.state IN ('due', 'captured')
        ) ORDER BY o.id
        """,
    ),
    by_sql(
        "captured-answered",
        "what was captured for an order paid for it, or goes back",
        "SELECT count(*) FROM payment_share s JOIN payment p ON p.id = s.payment_id"
        " WHERE p.state = 'captured'",
        # Less than was due paid for nothing: `captured-shared` sees that all of it goes back.
        """
        SELECT format('payment %s: %s fen neither paid for order %s (%s) nor went back',
            p.public_id, s.amount_fen, o.number, o.state)
        FROM payment_share s
        JOIN payment p ON p.id = s.payment_id AND p.state = 'captured'
        JOIN orders o ON o.id = s.order_id AND o.paid_at IS NULL
        CROSS JOIN LATERAL (
            SELECT bool_or(r.cause = 'underpaid') AS underpaid, sum(r.amount_fen)
                FILTER (WHERE split_part(r.cause, ':', 1) = 'late' AND r.order_id = o.id) AS late
            FROM refund r WHERE r.payment_id = p.id AND r.line_id IS NULL
        ) b
        WHERE s.amount_fen > 0 AND b.underpaid IS NOT TRUE
            AND b.late IS DISTINCT FROM s.amount_fen
        ORDER BY p.id, o.id
        """,
    ),
    by_sql(
        "given-back-refunded",
        "what a paid line did not get was refunded at its price, and taken off an unpaid one",
        "SELECT count(*) FROM order_line WHERE released > 0",
        """
        SELECT format('order %s, %s: %s units given back at %s fen, %s fen refunded', o.number,
            l.name_zh, l.released, l.price_fen, coalesce(r.fen, 0))
        FROM order_line l
        JOIN orders o ON o.id = l.order_id
        LEFT JOIN (SELECT line_id, sum(amount_fen) AS fen FROM refund GROUP BY line_id) r
            ON r.line_id = l.id
        WHERE coalesce(r.fen, 0) <> l.price_fen * l.released AND (o.paid_at IS NOT NULL OR EXISTS (
            SELECT FROM payment_share s JOIN payment p ON p.id = s.payment_id
            WHERE s.order_id = o.id AND p.state = 'due'
        )) ORDER BY l.id
        """,
    ),
    by_sql(
        "due-waits",
        "an order that waits for money has a payment that waits, and the other way round",
        "SELECT count(*) FROM payment WHERE state = 'due'",
        """
        SELECT format('order %s waits for money, and no payment does', o.number)
        FROM orders o
        WHERE o.state = 'due' AND NOT EXISTS (
            SELECT FROM payment_share s JOIN payment p ON p.id = s.payment_id
            WHERE s.order_id = o.id AND (p.state = 'due' OR EXISTS (
                SELECT FROM refund r WHERE r.payment_id = p.id AND r.cause = 'underpaid')))
        UNION ALL
        SELECT format('payment %s waits for money, and no order does', p.public_id)
        FROM payment p
        WHERE p.state = 'due' AND NOT EXISTS (
            SELECT FROM payment_share s JOIN orders o ON o.id = s.order_id
            WHERE s.payment_id = p.id AND (o.state = 'due'
                OR (p.unit_id IS NOT NULL AND o.state IN ('confirmed', 'handed'))))
        """,
    ),
)
