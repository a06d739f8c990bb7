"""Background jobs on the same PostgreSQL. A job joins the transaction that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

import procrastinate
from flask import Flask
from procrastinate import PsycopgConnector, RetryStrategy
from procrastinate.tasks import Task
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kernel.db import db

# Deferring uses the session's own connection, so this connector never opens a pool;
# the worker replaces it by one that does.
jobs = procrastinate.App(connector=PsycopgConnector())

_flask_app: list[Flask] = []


P = ParamSpec("P")


# For five minutes and more: as long as PostgreSQL may take to come back.
_WHEN_THE_DATABASE_IS_AWAY = RetryStrategy(
    max_attempts=12, linear_wait=5, retry_exceptions=[OperationalError, PoolTimeout]
)


def task(name: str, **options: Any) -> Callable[[Callable[P, None]], Task[P, None, P]]:
    """Declare a job. It runs inside an application context, and must be idempotent.

    A job that loses the database runs again later. One with a `queueing_lock` does not: it is
    periodic, and its next turn does the same.
    """
    if "queueing_lock" not in options:
        options.setdefault("retry", _WHEN_THE_DATABASE_IS_AWAY)

    def declare(work: Callable[P, None]) -> Any:
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            with _flask_app[-1].app_context():
                work(*args, **kwargs)

        run.__name__ = work.__name__
        run.__doc__ = work.__doc__
        declared: Any = jobs.task(name=name, **options)
        return declared(run)

    return declare


def bind(app: Flask) -> None:
    """Let jobs run in the context of `app`."""
    _flask_app[:] = [app]


def defer(job: Task[Any, Any, Any], *, lock: str | None = None, **arguments: Any) -> None:
    """Ask for `job` in the current transaction: it exists if and only if that commits."""
    session = db.session()
    connection = session.connection().connection.driver_connection
    job.configure(connection=connection, queueing_lock=None, lock=lock).defer(**arguments)


def queue(conninfo: str) -> PsycopgConnector:
    """Return a connector for the worker process: used with `replace_connector`."""
    return PsycopgConnector(conninfo=conninfo)
