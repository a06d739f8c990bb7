"""What the worker does for broadcasts and share links."""

from __future__ import annotations

from kernel import clock
from kernel.jobs import jobs, task
from livestream import past

EVERY_NIGHT = "47 19 * * *"


@jobs.periodic(cron=EVERY_NIGHT)
@task(name="livestream.drop_old_touches", queueing_lock="livestream.drop_old_touches")
def drop_old_touches(timestamp: int) -> None:
    """Delete touches that can decide nothing any more, batch by batch."""
    while past.drop_touches(clock.now() - past.KEPT) == past.DROPPED_AT_ONCE:
        continue
