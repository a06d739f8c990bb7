"""Everything that runs during a bench: PostgreSQL, the shop as it is launched, a bare Flask.

It has its own folder, cluster and ports, and leaves none of them behind.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import flask_migrate
import psycopg
from psycopg import sql

from bench import floor, gauges
from bench.world import Loader, Size, World
from kernel import clock, ledger
from kernel.db import db
from kernel.postgres import Cluster
from kernel.settings import Settings
from marketplace.app import create_app
from marketplace.report import summing
from orders import books

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 30.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Site:
    """A web server of the bench: where it listens, its process, its name in the database."""

    port: int
    pid: int
    application: str


class Rig:
    """Starts on entry what a bench needs, ends it on exit."""

    def __init__(self, size: Size, say: Say) -> None:
        self._size = size
        self._say = say
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        # PostgreSQL's user must reach the folder; those under VAR_DIR may be private.
        self.folder = Path(tempfile.mkdtemp(prefix="xiangji-bench-"))
        self.folder.chmod(0o711)
        self._cluster = Cluster(self.folder)
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def url(self) -> str:
        """The shop's database."""
        return self._cluster.url("shop")

    @property
    def floor_url(self) -> str:
        """The database of pgbench."""
        return self._cluster.url(floor.DATABASE)

    @property
    def postgres_pid(self) -> int:
        """The process under which all others of PostgreSQL are."""
        pid = self._cluster.pid()
        if pid is None:
            raise RuntimeError("PostgreSQL has ended")
        return pid

    def workers(self) -> list[int]:
        """Return the shop's gunicorn workers."""
        below = gauges.family(self.shop.pid)
        named = [pid for pid in below if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return [pid for pid in named if pid != self._web_master()]

    def cold_start_s(self) -> float:
        """Return how long a fresh worker takes from its start to its first answer."""
        port = free_port()
        begun = time.perf_counter()
        # Not preloaded, so that the worker itself imports and builds the application.
        one = self._spawn("cold", ["gunicorn", "wsgi:app", *_server(port, workers=1)])
        self._until_answered(port, "/healthz", one)
        lasted = time.perf_counter() - begun
        self._end(one)
        return lasted

    def _start(self) -> None:
        self._say("Starting PostgreSQL with its default durability")
        self._cluster.start()
        self._cluster.create_database("shop")
        self._environ = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
            "ENVIRONMENT": "testing",  # as in production, but payments go to the sandbox
            "DATABASE_URL": self.url,
            "VAR_DIR": str(self.folder),
            "PYTHONUNBUFFERED": "1",
        }
        self._fill()
        port, sandbox = free_port(), free_port()
        self._environ |= {"PORT": str(port), "SANDBOX_PORT": str(sandbox)}
        self._say("Starting the shop, its job worker, the payment sandbox and a bare Flask")
        shop = self._spawn("shop", ["marketplace.launch", "--with-parent"])
        bare_port = free_port()
        server = ["--preload", *_server(bare_port, workers=2)]
        bare = self._spawn("bare", ["gunicorn", "bench.bare:app", *server])
        self._until_answered(port, "/readyz", shop)
        self._until_answered(bare_port, "/offers", bare)
        self.shop = Site(port, shop.pid, "web server")  # as the launcher calls it
        self.bare = Site(bare_port, bare.pid, "bare")

    def _fill(self) -> None:
        settings = Settings.from_environ(self._environ)
        app = create_app(settings)
        with app.app_context():
            flask_migrate.upgrade()
            db.session.remove()
            db.engine.dispose()
        with psycopg.connect(self._cluster.url("postgres"), autocommit=True) as connection:
            names = (sql.Identifier(floor.DATABASE), sql.Identifier("shop"))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        floor.fill(self.floor_url)
        self._say(f"Loading {self._size.offers:,} offers, {self._size.past_lines:,} past lines")
        begun = time.perf_counter()
        with psycopg.connect(self.url) as connection:
            loader = Loader(connection, self._size, settings.data_key, self._say)
            self.world: World = loader.load()
        with app.app_context():
            while ledger.seal(books.BOOK):
                self._say("  sealing the ledger")
            while days := summing.due(clock.today()):  # else the job would, under the load
                self._say(f"  summing {len(days)} days of the report")
                for day in days:
                    summing.sum_day(day)
            db.session.remove()
            db.engine.dispose()
        self._say(f"  loaded in {time.perf_counter() - begun:.0f} s")

    def _spawn(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            made = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", *arguments],
                env={**self._environ, "PGAPPNAME": name},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append(made)
        return made

    def _web_master(self) -> int:
        children = json.loads((self.folder / "children.json").read_text())
        return int(children[0][0])

    def _until_answered(self, port: int, path: str, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_S
        while server.poll() is None and time.monotonic() < deadline:
            if _answers(port, path):
                return
            time.sleep(0.005)
        logs = "\n".join(
            line
            for log in self.folder.glob("*.log")
            for line in log.read_text(errors="replace").splitlines()[-20:]
        )
        raise RuntimeError(f"nothing answers at {path}:\n{logs}")

    def _end(self, one: subprocess.Popen[bytes]) -> None:
        one.terminate()
        try:
            one.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
        self._running.remove(one)

    def _stop(self) -> None:
        for one in self._running:
            one.terminate()  # all at once: none of them needs another one to end
        for one in reversed(self._running[:]):
            self._end(one)
        home = self.folder / "postgres.home"
        elsewhere = Path(home.read_text()) if home.exists() else None
        self._cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if elsewhere is not None:
            shutil.rmtree(elsewhere, ignore_errors=True)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number


def fetch(port: int, path: str, token: str = "") -> tuple[int, str, bytes]:
    """Ask for a page once; return status, ETag and body."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("ETag", ""), answer.read()


def _answers(port: int, path: str) -> bool:
    try:
        return fetch(port, path)[0] == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _server(port: int, *, workers: int) -> list[str]:
    """How the launcher starts gunicorn, on a port."""
    return [
        *("--bind", f"{HOST}:{port}", "--worker-class", "gthread", "--workers", str(workers)),
        *("--threads", "8", "--no-control-socket", "--access-logfile", "-"),
    ]
