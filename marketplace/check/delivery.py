"""Laws 3 and 5: a yield is divided without loss, and a delivered line is settled once."""

from __future__ import annotations

from marketplace.check.law import Law, by_sql

LAWS: tuple[Law, ...] = (
    by_sql(
        "allocation-conserves",
        "allocated and left over sum to the yield that was entered",
        "SELECT count(*) FROM allocation_run",
        """
        SELECT format('allocation %s: %s allocated and %s left over of %s entered', r.public_id,
            r.allocated, r.left_over, coalesce(y.units, 0))
        FROM allocation_run r
        LEFT JOIN (SELECT item_id, sum(quantity) AS units FROM yield_entry GROUP BY item_id) y
            ON y.item_id = r.item_id
        WHERE r.allocated + r.left_over <> r.yielded OR r.yielded <> coalesce(y.units, 0)
        ORDER BY r.id
        """,
    ),
    by_sql(
        "allocation-lines",
        "what an allocation gave is what its lines got",
        "SELECT count(*) FROM order_line WHERE allocated IS NOT NULL",
        """
        SELECT format('allocation %s: %s allocated, %s on lines', r.public_id, r.allocated,
            coalesce(sum(l.allocated), 0))
        FROM allocation_run r
        JOIN notice_item i ON i.id = r.item_id
        JOIN harvest_notice n ON n.id = i.notice_id
        LEFT JOIN round_offer ro ON ro.round_id = n.round_id
        LEFT JOIN order_line l ON l.offer_id = ro.offer_id AND l.lot_id = i.lot_id
        GROUP BY r.id HAVING r.allocated <> coalesce(sum(l.allocated), 0) ORDER BY r.id
        """,
    ),
    by_sql(
        "allocation-bounds",
        "no line gets more than it ordered, and what it does not get is given back",
        "SELECT count(*) FROM order_line WHERE allocated IS NOT NULL",
        """
        SELECT format('order %s, %s: %s allocated, %s given back of %s', o.number, l.name_zh,
            l.allocated, l.released, l.quantity)
        FROM order_line l JOIN orders o ON o.id = l.order_id
        WHERE l.allocated < 0 OR l.allocated > l.quantity
            OR (o.state IN ('due', 'confirmed', 'handed')
                AND l.allocated + l.released <> l.quantity)
        ORDER BY l.id
        """,
    ),
    by_sql(
        "group-order-lines",
        "what a closed round asks a seller for is at most what members ordered",
        "SELECT count(*) FROM notice_item",
        """
        SELECT format('notice item %s asks for %s, members ordered %s', i.public_id, i.quantity,
            coalesce(sum(l.quantity), 0))
        FROM notice_item i
        JOIN harvest_notice n ON n.id = i.notice_id
        LEFT JOIN round_offer ro ON ro.round_id = n.round_id
        LEFT JOIN order_line l ON l.offer_id = ro.offer_id AND l.lot_id = i.lot_id
        GROUP BY i.id HAVING i.quantity > coalesce(sum(l.quantity), 0) ORDER BY i.id
        """,
    ),
    by_sql(
        "needs-asked-for",
        "what buyers of a closed round wait for was asked of its sellers",
        "SELECT count(*) FROM round WHERE processed_at IS NOT NULL",
        """
        SELECT format('round %s, lot %s: %s ordered, %s asked for', r.code, l.lot_id,
            sum(l.quantity), coalesce(min(i.quantity), 0))
        FROM round r
        JOIN round_offer ro ON ro.round_id = r.id
        JOIN order_line l ON l.offer_id = ro.offer_id
        JOIN orders o ON o.id = l.order_id
            AND o.state IN ('registered', 'due', 'confirmed', 'handed')
        LEFT JOIN harvest_notice n ON n.round_id = r.id AND n.seller_id = l.seller_id
        LEFT JOIN notice_item i ON i.notice_id = n.id AND i.lot_id = l.lot_id
        WHERE r.processed_at IS NOT NULL
        GROUP BY r.id, l.lot_id
        HAVING sum(l.quantity) > coalesce(min(i.quantity), 0) OR bool_or(o.state = 'registered')
        ORDER BY r.id, l.lot_id
        """,
    ),
    by_sql(
        "household-tasks",
        "households are asked for no more than their seller is",
        "SELECT count(*) FROM household_quota",
        """
        SELECT format('notice item %s asks for %s, households are asked for %s', i.public_id,
            i.quantity, sum(q.quantity))
        FROM household_quota q JOIN notice_item i ON i.id = q.item_id
        WHERE q.state <> 'declined'
        GROUP BY i.id HAVING sum(q.quantity) > i.quantity ORDER BY i.id
        """,
    ),
    by_sql(
        "settled-whole",
        "an order that is marked as settled has no line left to settle",
        "SELECT count(*) FROM orders WHERE settled_at IS NOT NULL",
        """
        SELECT format('order %s: line %s is not settled', o.number, l.id)
        FROM orders o JOIN order_line l ON l.order_id = o.id
        WHERE o.settled_at IS NOT NULL AND coalesce(l.allocated, l.quantity) > 0
            AND NOT EXISTS (SELECT FROM settlement_line s WHERE s.line_id = l.id)
        ORDER BY o.id, l.id
        """,
    ),
    by_sql(
        "two-people",
        "a payout, or its return by the bank, was proposed by one person and approved by another",
        "SELECT count(*) FROM settlement",
        # What they approved last is what the settlement says, with that reference. What was paid
        # before payouts took two people has no proposal.
        """
        SELECT format('settlement %s: %s without a second person', s.public_id, s.state)
        FROM settlement s
        LEFT JOIN LATERAL (
            SELECT kind, decided_by, facts ->> 'reference' AS reference,
                decided_by <> proposed_by AS by_two
            FROM proposal
            WHERE kind IN ('payout', 'payout_return') AND subject = s.public_id
                AND state = 'approved'
            ORDER BY id DESC LIMIT 1) p ON true
        WHERE CASE s.state WHEN 'paid'
            THEN s.paid_at >= (SELECT min(proposed_at) FROM proposal) AND (p.kind = 'payout'
                AND p.by_two AND p.decided_by = s.paid_by AND p.reference = s.payout_reference)
                IS NOT TRUE
            ELSE p.kind = 'payout' OR NOT p.by_two END
        ORDER BY s.id
        """,
    ),
    by_sql(
        "payout-booked",
        "every payout and every return by the bank stands in the ledger once, with its amount",
        "SELECT count(*) FROM proposal WHERE state = 'approved'",
        # Owed less by a payout, and owed again by its return.
        """
        SELECT format('settlement %s, %s: %s fen, %s fen booked', p.subject, p.kind,
            p.facts ->> 'total_fen', coalesce(b.fen, 0))
        FROM proposal p
        LEFT JOIN (
            SELECT t.facts ->> 'proposal' AS proposal, sum(x.amount_fen) AS fen
            FROM ledger_transaction t
            JOIN posting x ON x.transaction_id = t.id
            JOIN ledger_account a ON a.id = x.account_id
            WHERE t.kind IN ('payout', 'household_payout', 'payout_returned',
                'household_payout_returned') AND a.kind IN ('seller_payable', 'household_payable')
            GROUP BY 1) b ON b.proposal = p.public_id
        WHERE p.kind IN ('payout', 'payout_return') AND p.state = 'approved'
            AND coalesce(b.fen, 0) <> (p.facts ->> 'total_fen')::bigint
                * CASE p.kind WHEN 'payout' THEN 1 ELSE -1 END
        ORDER BY p.id
        """,
    ),
    by_sql(
        "settled-once",
        "a delivered line has one settlement line, over what was delivered at its price",
        "SELECT count(*) FROM settlement_line",
        """
        SELECT format('order %s, %s: settled %s times, %s fen for %s units', o.number, l.name_zh,
            count(*), sum(s.amount_fen), coalesce(l.allocated, l.quantity - l.released))
        FROM settlement_line s
        JOIN order_line l ON l.id = s.line_id
        JOIN orders o ON o.id = l.order_id
        GROUP BY o.number, o.state, l.id
        HAVING count(*) > 1
            OR sum(s.amount_fen) <> l.price_fen * coalesce(l.allocated, l.quantity - l.released)
        ORDER BY l.id
        """,
    ),
    by_sql(
        "settled-paid",
        "a seller is settled with only what the money has come for",
        "SELECT count(*) FROM settlement_line",
        """
        SELECT format('order %s, %s: settled and not paid', o.number, l.name_zh)
        FROM settlement_line s
        JOIN order_line l ON l.id = s.line_id
        JOIN orders o ON o.id = l.order_id
        WHERE o.paid_at IS NULL ORDER BY l.id
        """,
    ),
    by_sql(
        "settled-delivered",
        "only what was handed over is settled",
        "SELECT count(*) FROM settlement_line",
        """
        SELECT format('order %s, %s: settled and not handed over', o.number, l.name_zh)
        FROM settlement_line s
        JOIN order_line l ON l.id = s.line_id
        JOIN orders o ON o.id = l.order_id
        WHERE o.state <> 'handed' AND NOT EXISTS (
            SELECT FROM consignment_line cl JOIN consignment c ON c.id = cl.consignment_id
            WHERE cl.line_id = l.id AND c.signed_at IS NOT NULL
        ) ORDER BY l.id
        """,
    ),
    by_sql(
        "settlement-total",
        "a settlement is the sum of its lines, and households get at most that",
        "SELECT count(*) FROM settlement",
        """
        SELECT format('settlement %s: %s fen, lines %s fen, households %s fen', s.public_id,
            s.total_fen, l.fen, h.fen)
        FROM settlement s
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS fen FROM settlement_line
            WHERE settlement_id = s.id) l
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS fen FROM household_share
            WHERE settlement_id = s.id) h
        WHERE s.total_fen <> l.fen OR h.fen > s.total_fen ORDER BY s.id
        """,
    ),
    by_sql(
        "handed-when-complete",
        "an order of which nothing is still coming is handed over",
        "SELECT count(*) FROM orders WHERE state IN ('confirmed', 'handed')",
        """
        SELECT format('order %s: everything was signed for, and it is not handed over', o.number)
        FROM orders o
        JOIN order_line l ON l.order_id = o.id
        CROSS JOIN LATERAL (SELECT count(*) > 0 AS signed FROM consignment_line cl
            JOIN consignment c ON c.id = cl.consignment_id
            WHERE cl.line_id = l.id AND c.signed_at IS NOT NULL) s
        WHERE o.state = 'confirmed'
        GROUP BY o.id HAVING bool_or(s.signed) AND bool_and(s.signed OR l.allocated = 0)
        ORDER BY o.id
        """,
    ),
    by_sql(
        "consigned-lines",
        "no line is packed for more than it gets",
        "SELECT count(*) FROM consignment_line",
        """
        SELECT format('order %s, %s: %s packed of %s', o.number, l.name_zh, sum(c.quantity),
            coalesce(l.allocated, l.quantity))
        FROM consignment_line c
        JOIN order_line l ON l.id = c.line_id
        JOIN orders o ON o.id = l.order_id
        GROUP BY o.number, l.id HAVING sum(c.quantity) > coalesce(l.allocated, l.quantity)
        ORDER BY l.id
        """,
    ),
)
