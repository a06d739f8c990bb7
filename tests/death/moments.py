"""Named moments in a process under test, at which it can be made to stand still and be killed.

Nothing of this is in the application: SQLAlchemy's and Flask's own events, the SDK's HTTP
client, and a wrapper around WSGI, around each job and around the statements that commit
themselves tell when a moment comes. A moment that
nobody waits for costs one failed `rename`.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import stripe
from flask import Flask, request, request_started
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, scoped_session

from kernel import jobs
from kernel.db import db
from kernel.reads import Write

FOLDER = "DEATH_FOLDER"
ROLE = "DEATH_ROLE"
"""The settings that tell a process where to look for waiting moments, and what it is."""

WEB, JOBS = "web", "jobs"
BEFORE_COMMIT, AFTER_COMMIT = "before-commit", "after-commit"
BEFORE_CALL, AFTER_CALL = "before-call", "after-call"
BEFORE_RESPONSE = "before-response"


class Moments:
    """What this process does at each moment: go on, or stand still for whoever waits for it."""

    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._role = role
        self._here = threading.local()

    def enter(self, where: str) -> None:
        """From now on this thread does `where`: an endpoint or a job."""
        self._here.where = where

    def reached(self, point: str) -> None:
        """Stand still at `point` if somebody waits for it; return when released, or never."""
        name = f"{self._role}.{point}.{getattr(self._here, 'where', '')}"
        try:
            # One of all processes and threads takes it.
            (self._folder / name).rename(self._folder / f"{name}.taken")
        except FileNotFoundError:
            return
        with socket.socket(socket.AF_UNIX) as killer, suppress(OSError):
            killer.connect(str(self._folder / "killer"))
            told = {"name": name, "backend": getattr(self._here, "backend", None)}
            killer.sendall(json.dumps(told).encode() + b"\n")
            killer.recv(1)

    def before_commit(self, connection: Connection) -> None:
        """Every statement has run, and nothing is committed."""
        raw: Any = connection.connection.driver_connection
        self._here.backend = raw.info.backend_pid
        self.reached(BEFORE_COMMIT)

    def around_write(self, send: Callable[..., Any]) -> Callable[..., Any]:
        """Make a statement that is a transaction by itself stand still before and after.

        It commits with its end: before it is sent nothing is committed, and after it all is.
        """

        def sending(write: Write, connection: Any, values: Any) -> Any:
            alone = connection.autocommit
            if alone:
                self._here.backend = connection.info.backend_pid
                self.reached(BEFORE_COMMIT)
            rows = send(write, connection, values)
            if alone:
                self.reached(AFTER_COMMIT)
            return rows

        return sending

    def after_commit(self, session: Session) -> None:
        """Everything is committed, and nobody has been told."""
        self.reached(AFTER_COMMIT)

    def around_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make the SDK's way to send a request stand still before and after."""

        def calling(*args: Any, **kwargs: Any) -> Any:
            self.reached(BEFORE_CALL)
            answer = call(*args, **kwargs)
            self.reached(AFTER_CALL)
            return answer

        return calling

    def around_wsgi(self, wsgi: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """Make the application stand still when its answer is ready and no byte has left."""

        def answering(environ: Any, start_response: Any) -> Iterable[bytes]:
            answer = wsgi(environ, start_response)
            self.reached(BEFORE_RESPONSE)
            return answer

        return answering

    def around_job(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Make a job say what it is before it begins."""

        def working(*args: Any, **kwargs: Any) -> Any:
            self.enter(name)
            return work(*args, **kwargs)

        return working


def install(app: Flask, folder: Path, role: str) -> None:
    """Let every moment of `app` in this process, and in those forked from it, be known."""
    moments = Moments(folder, role)

    def entered(sender: Flask, **_: Any) -> None:
        moments.enter(request.endpoint or "")

    request_started.connect(entered, app, weak=False)
    with app.app_context():
        event.listen(db.engine, "commit", moments.before_commit)
    sessions: scoped_session[Any] = db.session
    event.listen(sessions, "after_commit", moments.after_commit)
    write: Any = Write
    write.send = moments.around_write(write.send)
    client: Any = stripe.RequestsClient
    client.request = moments.around_call(client.request)
    app.wsgi_app = moments.around_wsgi(app.wsgi_app)  # type: ignore[method-assign]  # as Flask says
    for name, task in jobs.jobs.tasks.items():
        if name.partition(".")[0] in ("orders", "payments", "ledger"):
            task.func = moments.around_job(name, task.func)


def install_from_environ(app: Flask) -> None:
    """Install as the environment says."""
    install(app, Path(os.environ[FOLDER]), os.environ[ROLE])
