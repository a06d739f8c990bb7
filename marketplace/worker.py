"""The job worker: `flask worker`. It runs every room's jobs and takes up what others dropped."""

from __future__ import annotations

import logging
import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from procrastinate import PsycopgConnector
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status

from kernel import logs
from kernel.db import db
from kernel.jobs import jobs, queue

log = logging.getLogger(__name__)

CONCURRENCY = 2
POLL_S = 2.0


@jobs.periodic(cron="*/1 * * * *")
@jobs.task(name="jobs.take_up_stalled", queueing_lock="jobs.take_up_stalled")
async def take_up_stalled(timestamp: int) -> None:
    """Let jobs of dead workers run again; each job can bear to be run twice."""
    for job in await jobs.job_manager.get_stalled_jobs():
        try:
            await jobs.job_manager.retry_job(job)
        except UniqueViolation:
            # A periodic job: its next turn waits already, and does what this one left undone.
            await jobs.job_manager.finish_job(job, Status.ABORTED, delete_job=True)
        else:
            logs.say(log, logging.WARNING, "job_of_dead_worker", job=job.task_name, job_id=job.id)


def connector(app: Flask) -> PsycopgConnector:
    """Return a connector with its own pool, for a worker on the database of `app`."""
    with app.app_context():
        url = db.engine.url.set(drivername="postgresql")
        db.engine.dispose()
    return queue(url.render_as_string(hide_password=False))


def run(app: Flask) -> None:
    """Work until SIGTERM or SIGINT; jobs that run then may end."""
    logs.begin()
    sys.excepthook = logs.uncaught
    with jobs.replace_connector(connector(app)) as working:
        working.run_worker(
            concurrency=CONCURRENCY,
            fetch_job_polling_interval=POLL_S,
            shutdown_graceful_timeout=10,
            delete_jobs="successful",
        )


@click.command("worker")
@with_appcontext
def command() -> None:
    """Run background jobs until told to stop."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy's own
    run(app)
