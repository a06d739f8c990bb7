"""What `make run` starts: database, migrations, demo, job worker, payment sandbox, web server.

Everything that can be wrong with the machine is said in one line, with exit code 1.
"""

import ctypes
import dataclasses
import errno
import fcntl
import http
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg

from kernel.postgres import DATABASE, Cluster, PostgresFailed
from kernel.settings import Environment, Settings, SettingsInvalid
from marketplace.demo.sign_ins import SIGN_INS
from marketplace.processes import Child, Family, as_child
from orders.payments.sandbox.config import state_dir

VERSIONS = Path(__file__).resolve().parent.parent / "migrations" / "versions"
LEAST_FREE_BYTES = 200 * 1024 * 1024
READY_TIMEOUT_S = 120.0
# After a killed copy, its last processes need a moment to let go of the port.
PORT_PATIENCE_S = 5.0
TEND_EVERY_S = 0.5
POSTGRES_PAUSE_S = 5.0
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """The copy cannot start; the message is one line for whoever started it."""


def main() -> int:
    """Run a copy until Ctrl-C or SIGTERM; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if "--with-parent" in sys.argv:
        # When `make` is killed, nobody would be left to press Ctrl-C.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        _run(Settings.from_environ(os.environ), stop)
    except SettingsInvalid as error:
        return _refuse(str(error))
    except (CannotStart, PostgresFailed) as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _refuse("The disk is full. Make room and start again.")
        return _refuse(f"The machine refuses: {error}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _refuse(reason: str) -> int:
    print(f"Cannot start. {reason}", file=sys.stderr, flush=True)
    return 1


def _run(settings: Settings, stop: threading.Event) -> None:
    _check_disk(settings.var_dir)
    with ExitStack() as stack:
        stack.enter_context(_only_one(settings.var_dir))
        family = Family(settings.var_dir / "children.json", _say)
        patience_s = PORT_PATIENCE_S if family.end_orphans() else 0.0
        _check_port(settings.host, settings.port, "PORT", patience_s)
        if settings.payments_are_sandbox:
            _check_port(settings.host, settings.sandbox_port, "SANDBOX_PORT", patience_s)
        cluster: Cluster | None = None
        if settings.database_url is None:
            _say("Starting PostgreSQL")
            cluster = stack.enter_context(Cluster(settings.var_dir))
            cluster.create_database(DATABASE)
            settings = dataclasses.replace(settings, database_url=cluster.url(DATABASE))
        else:
            _check_database(settings.database_url)
        _prepare(settings, stop)
        if stop.is_set():
            return
        stack.callback(_say, "Everything has stopped")
        stack.callback(family.stop)
        _start_children(family, settings)
        if _wait_until_ready(family, settings, stop):
            _greet(settings)
        while not stop.wait(TEND_EVERY_S):
            if cluster is not None and cluster.pid() is None:
                _bring_back(cluster, stop)
            family.tend()
        _say("Stopping")


def _bring_back(cluster: Cluster, stop: threading.Event) -> None:
    """Start PostgreSQL again. Where it cannot, as on a full disk, it is tried again and again."""
    _say("PostgreSQL ended and starts again")
    try:
        cluster.start()
    except PostgresFailed as failure:
        _say(f"{failure}; the next try comes in {POSTGRES_PAUSE_S:.0f} s")
        stop.wait(POSTGRES_PAUSE_S)


def _check_disk(var_dir: Path) -> None:
    var_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(var_dir).free
    if free < LEAST_FREE_BYTES:
        raise CannotStart(
            f"The disk of {var_dir} is full: {free // 2**20} MB are free, "
            f"{LEAST_FREE_BYTES // 2**20} MB are needed."
        )


@contextmanager
def _only_one(var_dir: Path) -> Iterator[None]:
    """Hold VAR_DIR for this copy. The lock ends with the process, whatever ends that."""
    with (var_dir / "launch.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"A copy runs on {var_dir} already. Give a second one its own PORT and VAR_DIR."
            ) from None
        yield


def _check_port(host: str, port: int, name: str, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise CannotStart(
                        f"Port {port} on {host} cannot be used: {os.strerror(error.errno or 0)}. "
                        f"Choose another with {name}."
                    ) from error
            else:
                return
        time.sleep(0.1)


def plain_url(url: str) -> str:
    """Return the address of a database as the driver alone understands it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def _check_database(url: str) -> None:
    try:
        psycopg.connect(plain_url(url), connect_timeout=5).close()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotStart(f"The database of DATABASE_URL cannot be reached: {reason}") from error


def _prepare(settings: Settings, stop: threading.Event) -> None:
    """Bring the database to the newest version, and fill it with the demo if it is empty.

    Whoever is asked to stop meanwhile leaves half a demo, and the next start loads it anew.
    """
    if is_prepared(settings):
        return
    _say("Preparing the database")
    command = [sys.executable, "-m", "marketplace.prepare"]
    preparing = subprocess.Popen(as_child(command), env=_environ(settings), start_new_session=True)
    while preparing.poll() is None and not stop.wait(0.1):
        continue
    if preparing.poll() is None:
        preparing.terminate()
        preparing.wait()
    elif preparing.returncode:
        raise CannotStart("The database could not be prepared; the reason stands above.")


def is_prepared(settings: Settings) -> bool:
    """Whether nothing is left to prepare, as far as two looks into the database tell."""
    assert settings.database_url is not None
    with psycopg.connect(plain_url(settings.database_url)) as connection:
        try:
            found = connection.execute(
                """
                SELECT version_num, exists (SELECT FROM account)
                    AND obj_description('account'::regclass, 'pg_class') IS NULL
                FROM alembic_version
                """
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    version, is_filled = found or ("", False)
    needs_demo = settings.environment is Environment.DEVELOPMENT
    return version == newest_version() and (is_filled or not needs_demo)


def newest_version() -> str:
    """Return the newest version of the schema: migrations' files begin with their numbers."""
    return max(one.name.partition("_")[0] for one in VERSIONS.glob("*.py"))


def _environ(settings: Settings) -> dict[str, str]:
    """The environment of a process that works on the copy's own database and folder."""
    assert settings.database_url is not None
    return {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "VAR_DIR": str(settings.var_dir),
        "PYTHONUNBUFFERED": "1",
        "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
    }


def _start_children(family: Family, settings: Settings) -> None:
    for name, arguments in commands(settings).items():
        log = settings.log_dir / f"{name.replace(' ', '-')}.log"
        # PostgreSQL shows and logs by this name who asks.
        named = {**_environ(settings), "PGAPPNAME": name}
        family.add(Child(name, [sys.executable, "-m", *arguments], named, log))


def commands(settings: Settings) -> dict[str, list[str]]:
    """What each child is called, and the Python module and arguments that start it."""
    web = ["gunicorn", "wsgi:app", "--bind", f"{settings.host}:{settings.port}"]
    web += ["--worker-class", "gthread", "--workers", str(settings.web_workers)]
    web += ["--threads", str(settings.web_threads), "--preload", "--no-control-socket"]
    web += ["--graceful-timeout", "5", "--logger-class", "marketplace.server_log.ServerLog"]
    asked = {"web server": web, "job worker": ["flask", "--app", "wsgi", "worker"]}
    if settings.payments_are_sandbox:
        sandbox = ["orders.payments.sandbox", "--host", settings.host]
        sandbox += ["--port", str(settings.sandbox_port)]
        sandbox += ["--state-dir", str(state_dir(settings.var_dir))]
        sandbox += ["--webhook-url", f"{_address(settings)}/webhooks/stripe"]
        asked["payment sandbox"] = sandbox
    return asked


def _address(settings: Settings) -> str:
    """The address under which this machine reaches the shop."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _wait_until_ready(family: Family, settings: Settings, stop: threading.Event) -> bool:
    """Wait until /readyz says yes; False if asked to stop before. CannotStart if it never does."""
    _say("Starting the shop")
    web = family.children[0]
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not stop.wait(0.1):
        if web.ended() is not None:
            raise CannotStart(f"The web server ended: {web.last_words()} (log: {web.log})")
        if _answers(settings.host, settings.port):
            return True
        if time.monotonic() > deadline:
            raise CannotStart(f"The shop does not get ready; its log is {web.log}")
    return False


def _answers(host: str, port: int) -> bool:
    """Whether /readyz says yes. A connection to 0.0.0.0 or :: reaches this machine, too."""
    with closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _greet(settings: Settings) -> None:
    _say(f"\nXiangji is open: {settings.public_url}\n")
    if settings.environment is Environment.DEVELOPMENT:
        for role, login, password in SIGN_INS:
            _say(f"  {role:<16} {login:<28} {password}")
        _say("\nStaff confirm money with a code: the page shows it, and so does `make code`.")
    _say("\nCtrl-C ends it.")


if __name__ == "__main__":
    sys.exit(main())
