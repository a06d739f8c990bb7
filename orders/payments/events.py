"""Events of the payment provider that are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from kernel.db import transaction
from orders.model import WebhookEvent

KEPT = timedelta(days=90)
"""Stripe repeats an event for three days and shows it for thirty. What it did stands in payments,
refunds and ledger; an event that came once more would change nothing."""
DROPPED_AT_ONCE = 1000


def drop_old(before: datetime) -> int:
    """Delete the oldest events that came before that time, a batch of them; return how many."""
    # The oldest are the first ones: no index by time is needed, and the statement stays small.
    oldest = (
        select(WebhookEvent.id, WebhookEvent.received_at)
        .order_by(WebhookEvent.id)
        .limit(DROPPED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .subquery()
    )
    over = select(oldest.c.id).where(oldest.c.received_at < before)
    with transaction() as session:
        dropped = delete(WebhookEvent).where(WebhookEvent.id.in_(over)).returning(WebhookEvent.id)
        return len(session.scalars(dropped).all())
