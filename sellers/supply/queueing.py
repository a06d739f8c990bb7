"""Queueing: whoever changes what is left of a lot waits for it in the order of coming.

Rows that many wait for are given to anybody by PostgreSQL: some wait long, what they see keeps
old versions of the row from being cleared away, and every look at it reads more of them, the
longer a lot sells fast. In a queue the first who came goes first, and the row stays small.
"""

from __future__ import annotations


def in_turn(wanted: str) -> str:
    """Return parts of a WITH that queue for each `lot_id` of `wanted`, by id.

    The last of them, `their_turn`, is one row; a part that joins it comes after the queue. What
    was waited for belongs to the transaction until it ends.
    """
    return f"""queued AS (
        SELECT pg_advisory_xact_lock(hashtext('lot'), CAST(mod(lot_id, 2147483647) AS integer))
        FROM (SELECT DISTINCT lot_id FROM {wanted} ORDER BY lot_id) AS by_id
    ), their_turn AS (
        SELECT count(*) AS lots FROM queued
    )"""  # noqa: S608 - put together from our own words alone
