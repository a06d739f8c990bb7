"""What the worker does for reports."""

from __future__ import annotations

from kernel import clock
from kernel.jobs import jobs, task
from marketplace.report import summing

EVERY_MINUTE = "* * * * * 50"


@jobs.periodic(cron=EVERY_MINUTE)
@task(name="report.sum_days", queueing_lock="report.sum_days")
def sum_days(timestamp: int) -> None:
    """Sum the days that are over, and those that were changed since they were summed."""
    for day in summing.due(clock.today()):
        summing.sum_day(day)
