"""What is remembered of a provider's events goes when none of them can come again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from orders import jobs
from orders.model import WebhookEvent
from orders.payments import events


def test_old_events_are_dropped_however_many_there_are(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "DROPPED_AT_ONCE", 2)
    over = clock.now() - events.KEPT - timedelta(hours=1)
    with app.app_context():
        with transaction() as session:
            for number in range(5):
                session.add(
                    WebhookEvent(
                        provider_id=f"evt_{number}", kind="charge.updated", received_at=over
                    )
                )
            session.add(WebhookEvent(provider_id="evt_new", kind="charge.updated"))
        jobs.drop_old_events(timestamp=0)
        assert db.session.scalars(select(WebhookEvent.provider_id)).all() == ["evt_new"]
