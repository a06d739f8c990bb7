"""The private cluster: it starts after anything, and it never stays behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kernel import postgres
from kernel.postgres import Cluster, PostgresFailed
from tests.processes import wait_for_end

HOLD_A_CLUSTER = """
import sys
from pathlib import Path
from kernel.postgres import Cluster
cluster = Cluster(Path(sys.argv[1]), durable=False)
cluster.start()
print(cluster.pid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="xiangji-tests-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def version_of(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url("postgres")) as connection:
        return connection.info.server_version // 10000


def test_data_outlive_a_stop(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        cluster.create_database("fair")
        cluster.create_database("fair")
        with psycopg.connect(cluster.url("fair")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT '橙' AS name")
    assert cluster.pid() is None
    with Cluster(folder, durable=False) as cluster, psycopg.connect(cluster.url("fair")) as again:
        assert again.execute("SELECT name FROM kept").fetchone() == ("橙",)


def test_letters_of_every_language_are_letters(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster, psycopg.connect(cluster.url("postgres")) as c:
        assert c.execute("SELECT '土鸡蛋' ~ '^\\w+$', lower('É')").fetchone() == (True, "é")


def test_a_server_that_is_shared_runs_until_its_last_user_leaves(folder: Path) -> None:
    first, second = Cluster(folder, durable=False), Cluster(folder, durable=False)
    first.start()
    second.start()
    assert first.pid() == second.pid()
    first.stop()
    assert version_of(second) >= 15
    second.stop()
    assert second.pid() is None


def test_a_killed_server_starts_again_at_once(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        killed = cluster.pid()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        wait_for_end(killed)
        cluster.start()
        assert cluster.pid() != killed
        assert version_of(cluster) >= 15


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        stale = folder / "postgres" / "data" / "postmaster.pid"
        text = stale.read_text()
        pid = cluster.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
        stale.write_text("\n".join([str(os.getpid()), *text.split("\n")[1:]]))
        cluster.start()
        assert version_of(cluster) >= 15


def test_the_server_ends_with_a_user_that_was_killed(folder: Path) -> None:
    user = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_CLUSTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout is not None
    server = int(user.stdout.readline())
    user.kill()
    user.communicate()
    wait_for_end(server)
    with Cluster(folder, durable=False) as cluster:
        assert version_of(cluster) >= 15


def test_the_wheel_serves_where_the_system_has_no_postgresql(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_system_folders", list)
    with Cluster(folder, durable=False) as cluster:
        assert version_of(cluster) == 17
    # Data of version 17 are not given to the older programs of the system.
    monkeypatch.undo()
    with Cluster(folder, durable=False) as cluster:
        assert version_of(cluster) == 17


def test_a_long_path_gets_a_short_socket(folder: Path) -> None:
    deep = folder / ("long" * 20) / ("way" * 20)
    with Cluster(deep, durable=False) as cluster:
        assert version_of(cluster) >= 15


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can shut another user out")
def test_a_folder_that_only_root_can_enter_is_no_obstacle(folder: Path) -> None:
    folder.chmod(0o700)
    with Cluster(folder, durable=False) as cluster:
        home = Path((folder / "postgres.home").read_text())
        assert version_of(cluster) >= 15
    with Cluster(folder, durable=False) as cluster:
        assert Path((folder / "postgres.home").read_text()) == home
    shutil.rmtree(home)


def test_a_stranger_on_the_same_machine_needs_the_password(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        url = cluster.url("postgres")
        password = (folder / "postgres" / "password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(password, "guessed"))
        for path in (folder / "postgres" / "password", folder / "postgres" / "socket"):
            assert path.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_said_in_one_line(folder: Path) -> None:
    blocked = folder / "file"
    blocked.write_text("not a folder")
    with pytest.raises(PostgresFailed, match="PostgreSQL cannot be started") as refused:
        Cluster(blocked / "var").start()
    assert "\n" not in str(refused.value)
