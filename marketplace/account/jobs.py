"""What the worker does every night: it drops what is over."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import delete

from kernel import clock, idempotency, throttle
from kernel.db import transaction
from kernel.jobs import jobs, task
from kernel.settings import Settings
from kernel.tokens import ApiToken
from kernel.web_sessions import WebSession

EVERY_NIGHT = "17 19 * * *"


@jobs.periodic(cron=EVERY_NIGHT)
@task(name="account.drop_what_is_over", queueing_lock="account.drop_what_is_over")
def drop_what_is_over(timestamp: int) -> None:
    """Delete what nobody can use any more: sessions, tokens, tries and idempotency keys."""
    settings: Settings = current_app.extensions["settings"]
    at = clock.now()
    idle = max(settings.limits.idle, settings.staff_limits.idle)
    throttle.drop_old(at - throttle.FORGET)
    with transaction() as session:
        session.execute(delete(WebSession).where(WebSession.seen_at < at - idle))
        session.execute(delete(ApiToken).where(ApiToken.expires_at < at))
    while idempotency.drop_old(at - idempotency.KEPT_FOR) == idempotency.DROPPED_AT_ONCE:
        continue
