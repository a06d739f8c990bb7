"""What is over: touches that no window reaches any more.

Whose sale it was stands on the line, assists included; a touch only decides it beforehand. What a
share link's list still tells of old touches, how many came through it, is counted on the link.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from kernel.db import transaction

KEPT = timedelta(days=400)
"""Longer than any window may be (365 days, a CHECK of `credit_window`), with time for disputes."""
DROPPED_AT_ONCE = 1000

# The oldest are the first ones: no index by time is needed, and the statement stays small.
_DROP = text(
    """
    WITH oldest AS (
        SELECT id, at FROM touch ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    ), dropped AS (
        DELETE FROM touch USING oldest WHERE touch.id = oldest.id AND oldest.at < :before
        RETURNING touch.credit_source_id
    ), visits AS (
        SELECT credit_source_id, count(*) AS many FROM dropped GROUP BY credit_source_id
    ), counted AS (
        UPDATE share_link SET past_visits = past_visits + many
        FROM visits WHERE visits.credit_source_id = share_link.credit_source_id
    )
    SELECT count(*) FROM dropped
    """
)


def drop_touches(before: datetime) -> int:
    """Delete the oldest touches from before that time, a batch of them; return how many."""
    with transaction() as session:
        dropped = session.scalar(_DROP, {"most": DROPPED_AT_ONCE, "before": before})
    return int(dropped or 0)
