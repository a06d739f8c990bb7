"""`make run` after its installs: it starts after anything, says what is wrong, and ends whole."""

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import urllib3
from alembic.script import ScriptDirectory
from flask import Flask

from kernel.postgres import Cluster, PostgresFailed
from kernel.settings import Environment, Settings
from marketplace import launch
from marketplace.demo import loading
from tests import builders
from tests.processes import processes_of, wait_for_end

pytestmark = [pytest.mark.launch, pytest.mark.xdist_group("launch")]

PATIENCE_S = 180
PATIENT = urllib3.Retry(
    total=600, backoff_factor=0.1, backoff_max=0.3, status_forcelist=[502, 503], redirect=False
)


class Copy:
    """One running copy, with its own folder and ports."""

    def __init__(self, folder: Path, port: int, **environ: str) -> None:
        self.folder = folder
        self.port = port
        settings = {"PORT": str(port), "VAR_DIR": str(folder), "ENVIRONMENT": "testing"}
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("STRIPE", "DATABASE"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "marketplace.launch"],
            env=inherited | settings | {"SANDBOX_PORT": str(free_port())} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._patience = threading.Timer(PATIENCE_S, self.process.kill)
        self._patience.start()
        self.said = ""

    def wait_for(self, words: str) -> None:
        """Read on until it says these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return
        pytest.fail(f"it never said {words!r}, but: {self.said}")

    def end(self, number: signal.Signals) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        """Wait until it has ended by itself and return the exit code."""
        self.said += self.process.communicate()[0]
        self._patience.cancel()
        return self.process.returncode

    def ready(self) -> bool:
        """Whether /readyz says yes before patience ends."""
        answer = urllib3.request(
            "GET", f"http://127.0.0.1:{self.port}/readyz", retries=PATIENT, timeout=5
        )
        return answer.status == 200

    def web_server(self) -> int:
        """The process id of gunicorn's master."""
        pid: int = json.loads((self.folder / "children.json").read_text())[0][0]
        return pid

    def postgres(self) -> int:
        """The process id of the embedded server."""
        text = (self.folder / "postgres" / "data" / "postmaster.pid").read_text()
        return int(text.split("\n")[0])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="xiangji-tests-"))
    made.chmod(0o711)
    yield made
    for pid in processes_of(made):
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
    shutil.rmtree(made)


def test_a_copy_outlives_killed_parts_starts_after_its_own_killing_and_leaves_nothing_behind(
    folder: Path,
) -> None:
    port = free_port()
    copy = Copy(folder, port)
    copy.wait_for("Xiangji is open")
    assert copy.ready()

    os.kill(copy.postgres(), signal.SIGKILL)
    copy.wait_for("PostgreSQL ended and starts again")
    assert copy.ready()
    os.kill(copy.web_server(), signal.SIGKILL)
    copy.wait_for("The web server ended")
    assert copy.ready()

    copy.end(signal.SIGKILL)
    again = Copy(folder, port)
    again.wait_for("Xiangji is open")
    assert again.ready()

    second = Copy(folder, free_port())
    assert second.finish() == 1
    assert second.said == (
        f"Cannot start. A copy runs on {folder} already. "
        "Give a second one its own PORT and VAR_DIR.\n"
    )
    assert again.ready()

    parts = processes_of(folder)
    assert len(parts) > 3
    again.end(signal.SIGKILL)
    for pid in parts:
        wait_for_end(pid)
    assert processes_of(folder) == {}


def test_a_postgresql_that_cannot_start_yet_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(cluster: Cluster) -> None:
        raise PostgresFailed("pg_ctl failed: No space left on device")

    monkeypatch.setattr(launch, "POSTGRES_PAUSE_S", 0.01)
    cluster, stop = Cluster(folder), threading.Event()
    with monkeypatch.context() as full:
        full.setattr(Cluster, "start", refuse)
        launch._bring_back(cluster, stop)
    assert "No space left on device; the next try comes in" in capsys.readouterr().out
    launch._bring_back(cluster, stop)
    try:
        assert cluster.pid() is not None
    finally:
        cluster.stop()


def test_the_number_of_the_last_migration_is_the_newest_version() -> None:
    assert launch.newest_version() == ScriptDirectory("migrations").get_current_head()


def test_a_copy_that_is_asked_to_end_while_it_loads_the_demo_ends_at_once(folder: Path) -> None:
    copy = Copy(folder, free_port(), ENVIRONMENT="development")
    copy.wait_for("Loading the demo")
    assert copy.end(signal.SIGINT) == 0
    assert "things have happened" not in copy.said


def test_a_database_that_cannot_be_prepared_is_said_in_two_lines(
    folder: Path, cluster: Cluster
) -> None:
    name = "not_ours"
    cluster.create_database(name)
    with psycopg.connect(cluster.url(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE organisation (of_somebody_else integer)")
    copy = Copy(folder, free_port(), DATABASE_URL=cluster.url(name))
    assert copy.finish() == 1
    assert 'PostgreSQL says: (psycopg.errors.DuplicateTable) relation "organisation"' in copy.said
    assert copy.said.endswith("could not be prepared; the reason stands above.\n")
    assert "Traceback" not in copy.said


def test_nothing_is_left_to_prepare_once_the_schema_is_new_and_the_demo_whole(app: Flask) -> None:
    known: Settings = app.extensions["settings"]
    assert launch.is_prepared(known)
    trying_out = dataclasses.replace(known, environment=Environment.DEVELOPMENT)
    assert not launch.is_prepared(trying_out)
    with app.app_context():
        builders.account()
        assert launch.is_prepared(trying_out)
        loading._mark(loading.UNFINISHED)
        assert not launch.is_prepared(trying_out)


def test_a_busy_port_is_said_in_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        copy = Copy(folder, port)
        assert copy.finish() == 1
    assert copy.said == (
        f"Cannot start. Port {port} on 127.0.0.1 cannot be used: Address already in use. "
        "Choose another with PORT.\n"
    )


def test_an_unreachable_database_is_said_in_one_line_without_its_password(folder: Path) -> None:
    url = f"postgresql://somebody:hush@127.0.0.1:{free_port()}/fair"
    copy = Copy(folder, free_port(), DATABASE_URL=url)
    assert copy.finish() == 1
    assert copy.said.startswith("Cannot start. The database of DATABASE_URL cannot be reached: ")
    assert copy.said.count("\n") == 1
    assert "hush" not in copy.said


def test_settings_that_cannot_work_are_all_named_in_one_line(folder: Path) -> None:
    copy = Copy(folder, free_port(), ENVIRONMENT="production", POOL_SIZE="many")
    assert copy.finish() == 1
    assert copy.said.count("\n") == 1
    for name in ("POOL_SIZE", "STRIPE_SECRET_KEY", "SECRET_KEY", "DATA_KEY", "PUBLIC_URL"):
        assert name in copy.said
    assert processes_of(folder) == {}


def test_a_full_disk_is_said_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = shutil.disk_usage(folder)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setenv("VAR_DIR", str(folder))
    assert launch.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"Cannot start. The disk of {folder} is full: 1 MB are free")
    assert said.err.count("\n") == 1


def test_a_copy_shares_a_server_that_another_command_started_and_ends_all_that_it_started(
    folder: Path,
) -> None:
    with Cluster(folder) as cluster:
        pid = cluster.pid()
        copy = Copy(folder, free_port())
        copy.wait_for("Xiangji is open")
        assert copy.postgres() == pid
        assert copy.end(signal.SIGINT) == 0
        assert "Everything has stopped" in copy.said
        assert cluster.pid() == pid
    for pid in processes_of(folder):
        wait_for_end(pid)
    assert processes_of(folder) == {}
