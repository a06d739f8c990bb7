"""The processes that make up a running copy: started, kept running, and ended together."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_BACKOFF_S = 30.0
# A process that ran this long has proved itself: its next end is a new story.
PROVEN_AFTER_S = 60.0
STOP_TIMEOUT_S = 15.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024


def as_child(command: Sequence[str]) -> list[str]:
    """Return the command of a process that ends when its parent does, however that ends."""
    return ["setpriv", "--pdeathsig", "TERM", *command]


@dataclass
class Child:
    """One process of the copy, restarted with growing pauses when it ends by itself."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    restart_at: float | None = None

    def start(self) -> None:
        """Start it in a session of its own, and so that it ends when we do, however we end."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                as_child(self.command),
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.restart_at = None

    def ended(self) -> int | None:
        """The exit code if it has ended and its restart is not yet planned, else None."""
        if self.process is None or self.restart_at is not None:
            return None
        return self.process.poll()

    def plan_restart(self) -> float:
        """Return after how many seconds it starts again: 1, 2, 4 and so on, at most 30."""
        now = time.monotonic()
        self.failures = 0 if now - self.started_at > PROVEN_AFTER_S else self.failures
        pause_s = min(2.0**self.failures, LONGEST_BACKOFF_S)
        self.failures += 1
        self.restart_at = now + pause_s
        return pause_s

    def last_words(self) -> str:
        """The last line that it logged."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@dataclass
class Family:
    """All children, and the file that lets the next start find those that outlived us."""

    record: Path
    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)

    def end_orphans(self) -> bool:
        """End what an earlier, killed copy left; return whether there was an earlier one."""
        try:
            left: list[list[int]] = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return False
        for pid, born in left:
            # A number can name another process by now; the time of birth tells them apart.
            if _birth(pid) == born:
                _kill_group(pid)
        self.record.unlink()
        return bool(left)

    def add(self, child: Child) -> None:
        """Start the child and look after it from now on."""
        self.children.append(child)
        self._start(child)

    def tend(self) -> None:
        """Notice who ended, and start again whose pause is over. To be called often."""
        for child in self.children:
            code = child.ended()
            if code is not None and child.process is not None:
                _kill_group(child.process.pid)
                pause_s = child.plan_restart()
                self.say(
                    f"The {child.name} ended (exit code {code}) and starts again in "
                    f"{pause_s:.0f} s; its log is {child.log}"
                )
            elif child.restart_at is not None and time.monotonic() >= child.restart_at:
                self._start(child)

    def stop(self) -> None:
        """Ask every child to end, and kill after STOP_TIMEOUT_S whoever has not."""
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in running:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"Process {process.pid} does not end when asked; killing it")
            _kill_group(process.pid)
            process.wait()
        self.children.clear()
        self.record.unlink(missing_ok=True)

    def _start(self, child: Child) -> None:
        child.start()
        running = [child.process.pid for child in self.children if child.process is not None]
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps([[pid, _birth(pid)] for pid in running]))
        draft.replace(self.record)


def _birth(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold spaces; the 20th field after it is the time.
    return int(stat.rpartition(")")[2].split()[19])


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
