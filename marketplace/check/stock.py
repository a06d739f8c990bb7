"""Law 1: nothing is oversold, and every promise stands for lines or for units in a slot."""

from __future__ import annotations

from marketplace.check.law import Law, by_sql

LAWS: tuple[Law, ...] = (
    by_sql(
        "lot-bounds",
        "every lot has 0 <= promised <= offered",
        "SELECT count(*) FROM lot",
        """
        SELECT format('lot %s: %s promised of %s offered', public_id, promised, offered)
        FROM lot WHERE NOT (0 <= promised AND promised <= offered) ORDER BY id
        """,
    ),
    by_sql(
        "lot-promised",
        "what a lot promised is what its lines hold and what was moved into slots",
        "SELECT count(*) FROM order_line WHERE NOT from_slot",
        """
        SELECT format('lot %s: %s promised, %s held by lines, %s in slots',
            lot.public_id, lot.promised, coalesce(l.units, 0), coalesce(s.units, 0))
        FROM lot
        LEFT JOIN (
            SELECT lot_id, sum(quantity - released) AS units FROM order_line
            WHERE NOT from_slot GROUP BY lot_id
        ) l ON l.lot_id = lot.id
        LEFT JOIN (
            SELECT lot_id, sum(units) AS units FROM slot_event
            WHERE kind IN ('restock', 'return') GROUP BY lot_id
        ) s ON s.lot_id = lot.id
        WHERE lot.promised <> coalesce(l.units, 0) + coalesce(s.units, 0) ORDER BY lot.id
        """,
    ),
    by_sql(
        "offer-quota",
        "no offer sold more than its quota",
        "SELECT count(*) FROM offer",
        """
        SELECT format('offer %s: %s sold of a quota of %s', public_id, sold, quota)
        FROM offer WHERE sold < 0 OR sold > quota ORDER BY id
        """,
    ),
    by_sql(
        "offer-sold",
        "what an offer sold is what its lines hold",
        "SELECT count(*) FROM offer WHERE place <> 'slot'",
        # A slot's stock follows its events: a sale that a device reports is never refused.
        """
        SELECT format('offer %s: %s sold, %s held by lines', o.public_id, o.sold,
            coalesce(l.units, 0))
        FROM offer o
        LEFT JOIN (
            SELECT offer_id, sum(quantity - released) AS units FROM order_line GROUP BY offer_id
        ) l ON l.offer_id = o.id
        WHERE o.place <> 'slot' AND o.sold <> coalesce(l.units, 0) ORDER BY o.id
        """,
    ),
    by_sql(
        "buyer-take",
        "what counts against a limit per buyer is what that buyer's lines hold",
        "SELECT count(*) FROM buyer_take",
        """
        WITH held AS (
            SELECT l.offer_id, sum(l.quantity - l.released) AS units,
                CASE WHEN o.account_id IS NULL THEN 'v:' || o.visitor
                    ELSE 'a:' || o.account_id END AS buyer
            FROM order_line l JOIN orders o ON o.id = l.order_id
            WHERE NOT l.from_slot GROUP BY 1, 3
        )
        SELECT format('offer %s, one buyer: %s counted, %s held', offer.public_id, t.units,
            coalesce(held.units, 0))
        FROM buyer_take t
        JOIN offer ON offer.id = t.offer_id
        LEFT JOIN held ON held.offer_id = t.offer_id AND held.buyer = t.buyer
        WHERE t.units <> coalesce(held.units, 0) ORDER BY offer.id
        """,
    ),
    by_sql(
        "ended-orders",
        "an order that lapsed or was cancelled holds nothing",
        "SELECT count(*) FROM orders WHERE state IN ('lapsed', 'cancelled')",
        """
        SELECT format('order %s (%s) still holds %s of %s', o.number, o.state,
            l.quantity - l.released, l.name_zh)
        FROM order_line l JOIN orders o ON o.id = l.order_id
        WHERE o.state IN ('lapsed', 'cancelled') AND l.released <> l.quantity ORDER BY o.id
        """,
    ),
)
