"""A real copy of the shop: PostgreSQL as durable as in production, gunicorn, job worker, sandbox.

gunicorn brings its own workers back. For PostgreSQL and the job worker the shop plays the part of
the service manager: it starts at once what has ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import flask_migrate
import psycopg
import requests
from cryptography.fernet import Fernet
from flask import Flask
from procrastinate.exceptions import AlreadyEnqueued

from kernel import jobs
from kernel.db import db
from kernel.postgres import DATABASE, Cluster, PostgresFailed
from kernel.settings import Environment, Settings
from marketplace import launch
from marketplace.app import create_app
from marketplace.processes import Child
from tests.death import moments
from tests.payment_sandbox import SandboxServer

TEND_EVERY_S = 0.1
WHOLE_TIMEOUT_S = 60.0
WEBHOOK_BACKOFF_S = 0.25
WSGI = "tests.death.wsgi"


class NotWhole(Exception):
    """The shop did not come back by itself in time."""


class Shop:
    """A context manager: inside, everything runs; after it, nothing is left."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xiangji-death-"))
        self.folder.chmod(0o711)
        self.moments = self.folder / "moments"
        self.moments.mkdir()
        self.cluster = Cluster(self.folder)
        self.sandbox = SandboxServer(webhook_secret="whsec_" + secrets.token_hex(16))
        self.sandbox.config = replace(self.sandbox.config, webhook_backoff_s=WEBHOOK_BACKOFF_S)
        self.troubles: list[str] = []
        self._children: dict[str, Child] = {}
        self._closing = threading.Event()
        self._tending = threading.Thread(target=self._tend, name="tending")

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _open(self) -> None:
        self.cluster.start()
        self.cluster.create_database(DATABASE)
        self.sandbox.start()
        self.settings = self._settings()
        self.app: Flask = create_app(self.settings)
        with self.app.app_context():
            flask_migrate.upgrade()
        self.sandbox.change(webhook_url=f"{self.url}/webhooks/stripe")
        for name, arguments in launch.commands(self.settings).items():
            if name != "payment sandbox":
                self._children[name] = self._child(name, arguments)
                self._children[name].start()
        self._tending.start()
        self.wait_until_whole()

    def _close(self) -> None:
        self._closing.set()
        if self._tending.is_alive():
            self._tending.join()
        for child in self._children.values():
            if child.process is not None:
                child.process.terminate()
        for child in self._children.values():
            if child.process is not None:
                child.process.wait(launch.READY_TIMEOUT_S)
        if hasattr(self, "app"):
            with self.app.app_context():
                db.session.remove()
                db.engine.dispose()
        self.sandbox.stop()
        self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settings(self) -> Settings:
        port = _free_port()
        return Settings(
            environment=Environment.TESTING,
            port=port,
            public_url=f"http://127.0.0.1:{port}",
            var_dir=self.folder,
            database_url=self.database_url,
            stripe_api_base=self.sandbox.url,
            stripe_webhook_secret=self.sandbox.webhook_secret,
            sandbox_port=self.sandbox.port,
            secret_key=secrets.token_hex(32),
            data_key=Fernet.generate_key().decode(),
        )

    def _child(self, name: str, arguments: list[str]) -> Child:
        """The same command as in production, but for the module that holds the application."""
        changed = [{"wsgi:app": f"{WSGI}:app", "wsgi": WSGI}.get(one, one) for one in arguments]
        settings = self.settings
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("STRIPE", "DATABASE"))},
            "ENVIRONMENT": settings.environment,
            "PORT": str(settings.port),
            "SANDBOX_PORT": str(settings.sandbox_port),
            "VAR_DIR": str(settings.var_dir),
            "DATABASE_URL": str(settings.database_url),
            "STRIPE_API_BASE": str(settings.stripe_api_base),
            "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
            "SECRET_KEY": settings.secret_key,
            "DATA_KEY": settings.data_key,
            "PYTHONUNBUFFERED": "1",
            moments.FOLDER: str(self.moments),
            moments.ROLE: moments.WEB if name == "web server" else moments.JOBS,
        }
        log = settings.log_dir / f"{name.replace(' ', '-')}.log"
        return Child(name, [sys.executable, "-m", *changed], environ, log)

    @property
    def url(self) -> str:
        """The shop's address."""
        return self.settings.public_url

    @property
    def database_url(self) -> str:
        """The address of the shop's database."""
        return self.cluster.url(DATABASE)

    def job_worker(self) -> Child:
        """The job worker."""
        return self._children["job worker"]

    def web_workers(self) -> list[int]:
        """The pids of gunicorn's workers."""
        process = self._children["web server"].process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def has_replaced(self, pid: int) -> bool:
        """Whether gunicorn has seen its worker's end and runs as many as it should."""
        now = self.web_workers()
        return pid not in now and len(now) == self.settings.web_workers

    def postgres_log(self) -> str:
        """Everything that PostgreSQL has logged."""
        return (self.folder / "postgres" / "log").read_text(errors="replace")

    def connect(self) -> psycopg.Connection:
        """A connection of one's own, past the application. Raises psycopg.OperationalError."""
        return psycopg.connect(self.database_url, autocommit=True, connect_timeout=5)

    def _tend(self) -> None:
        while not self._closing.wait(TEND_EVERY_S):
            for child in self._children.values():
                if child.ended() is not None:
                    child.start()
            if self.cluster.pid() is None:
                try:
                    self.cluster.start()
                except PostgresFailed as failure:
                    # As a service manager would: note it and try again.
                    self.troubles.append(str(failure))

    def is_whole(self) -> bool:
        """Whether every process runs and the shop says that it is ready."""
        worker = self.job_worker().process
        if worker is None or worker.poll() is not None or self.cluster.pid() is None:
            return False
        if len(self.web_workers()) != self.settings.web_workers:
            return False
        try:
            return requests.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def wait_until_whole(self) -> float:
        """Return after how many seconds everything runs again. Raises NotWhole."""
        began = time.monotonic()
        until(self.is_whole, WHOLE_TIMEOUT_S, "the shop is whole again")
        return time.monotonic() - began


def until(met: Callable[[], bool], patience_s: float, what: str) -> None:
    """Ask again and again whether `met`. Raises NotWhole when it is not within `patience_s`."""
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    while not met():
        if time.monotonic() > deadline:
            raise NotWhole(f"it took more than {patience_s:.0f} s until {what}")
        pause.wait(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def ask_for(app: Flask, name: str) -> None:
    """Put a periodic job into the queue now, unless it waits there already."""
    task = jobs.jobs.tasks[name]
    with contextlib.suppress(AlreadyEnqueued), app.app_context(), db.engine.begin() as connection:
        task.configure(connection=connection.connection.driver_connection).defer(timestamp=0)
