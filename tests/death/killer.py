"""The killer: waits until a process stands at a named moment, kills -9, and proves the death."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.death.plan import Kill, Victim

DEATH_TIMEOUT_S = 10.0


class NeverReached(Exception):
    """Nobody came to the moment in time; nobody was killed."""


@dataclass(frozen=True)
class Killed:
    """One kill that has happened: `pid` stood (or worked for who stood) there and is gone."""

    kill: Kill
    pid: int
    standing: int
    proof: str


@dataclass(frozen=True)
class Standing:
    """A process that stands at a moment. `pid` is the kernel's word, not the process's."""

    pid: int
    backend: int | None
    line: socket.socket


class Killer:
    """Waits at a socket in `folder`; one kill at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / "killer"))
        self._door.listen()

    def close(self) -> None:
        """Wait no more."""
        self._door.close()
        (self._folder / "killer").unlink()

    @contextmanager
    def standing(self, moment: str, patience_s: float) -> Iterator[Standing]:
        """Wait until somebody stands at `moment`, and give who; afterwards it may go on.

        Raises NeverReached after `patience_s`.
        """
        wish = self._folder / moment
        wish.touch()
        if not select.select([self._door], [], [], patience_s)[0]:
            try:
                wish.unlink()
            except FileNotFoundError:
                pass  # taken this very moment: whoever took it is about to knock
            else:
                raise NeverReached(moment)
        self._door.settimeout(DEATH_TIMEOUT_S)
        line, _ = self._door.accept()
        with line:
            line.settimeout(DEATH_TIMEOUT_S)
            kept = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid: int = struct.unpack("3i", kept)[0]
            told = json.loads(line.makefile().readline())
            assert told["name"] == moment, told
            (self._folder / f"{moment}.taken").unlink()
            yield Standing(pid, told["backend"], line)

    def strike(self, kill: Kill, patience_s: float, postmaster: int | None) -> Killed:
        """Kill -9 the victim of `kill` when its moment comes, and prove that it is gone.

        `postmaster` is PostgreSQL's pid now. Raises NeverReached.
        """
        with self.standing(kill.moment, patience_s) as standing:
            victims = {
                Victim.STANDING: standing.pid,
                Victim.POSTMASTER: postmaster,
                Victim.BACKEND: standing.backend,
            }
            pid = victims[kill.victim]
            assert pid is not None, f"{kill.who} is not there to be killed"
            proof = end(pid)
            if kill.victim is Victim.STANDING:
                assert standing.line.recv(1) == b"", "a dead process does not keep its socket"
                proof += ", its socket closed"
        return Killed(kill, pid, standing.pid, proof)


def end(pid: int) -> str:
    """Send SIGKILL to `pid`, wait for its end, and return what proves it."""
    born = _birth(pid)
    assert born is not None, f"process {pid} is gone before it is killed"
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        over = select.select([descriptor], [], [], DEATH_TIMEOUT_S)[0]
    finally:
        os.close(descriptor)
    assert over, f"process {pid} outlives SIGKILL"
    # What is left of it, if anything, is a name that its parent (Z) or nobody (X) has to take away.
    assert _birth(pid) != born or _state(pid) in {"Z", "X", None}, f"process {pid} is still there"
    return "pidfd says ended"


def _stat(pid: int) -> list[str] | None:
    try:
        # The name, in parentheses, may hold spaces.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _birth(pid: int) -> int | None:
    stat = _stat(pid)
    return None if stat is None else int(stat[19])


def _state(pid: int) -> str | None:
    stat = _stat(pid)
    return None if stat is None else stat[0]
