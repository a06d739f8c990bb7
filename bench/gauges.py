"""What processes use: CPU, memory, and the statements that reach the database."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import LiteralString

import psycopg

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# psycopg sends what it was given as `statement`, and prepared or bound statements as `execute`.
_STATEMENT = r"LOG: +(?:statement|execute [^:]*):\s*(\w+)?"
_HEARD_WITHIN_S = 5.0


def family(pid: int) -> list[int]:
    """Return the process and everything below it that lives now."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += parents.get(one, [])
    return found


def cpu_s(pid: int) -> float:
    """Return what the process, its descendants and those that it has buried have used."""
    used = 0
    for one in family(pid):
        fields = _stat(one)
        # 11 to 14: user and system time, and both of the children that were waited for.
        used += sum(map(int, fields[11:15])) if fields else 0
    return used * _TICK_S


def machine_cpu_s() -> float:
    """Return what all processes of the machine have used."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * _TICK_S


def memory_mib(pids: Iterable[int]) -> float:
    """Return the largest resident memory among the processes."""
    sizes = [0.0]
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        sizes.append(int(line.split()[1]) / 1024)
    return max(sizes)


class Statements:
    """Counts what one application asks the database, by letting it log everything for a moment.

    `application` is the name under which it connects: others, as the job worker, ask meanwhile.
    """

    def __init__(self, url: str, application: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        row = self._connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self._log = Path(row[0]).parent / "log"
        self._asked = re.compile(rf"^\[{re.escape(application)}\] {_STATEMENT}", re.MULTILINE)
        self.words: list[str] = []

    def __enter__(self) -> Statements:
        self._connection.execute("ALTER SYSTEM SET log_line_prefix = '[%a] '")
        self._set("ALTER SYSTEM SET log_statement = 'all'", "all")
        self._from = self._log.stat().st_size
        return self

    def __exit__(self, *_: object) -> None:
        with self._log.open(errors="replace") as log:
            log.seek(self._from)
            self.words = [(found[1] or "").upper() for found in self._asked.finditer(log.read())]
        self._connection.execute("ALTER SYSTEM RESET log_line_prefix")
        self._set("ALTER SYSTEM RESET log_statement", "none")

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _set(self, statement: LiteralString, heard: str) -> None:
        """Change what is logged, and wait until the server's processes have heard of it."""
        self._connection.execute(statement)
        self._connection.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + _HEARD_WITHIN_S
        while self._connection.execute("SHOW log_statement").fetchone() != (heard,):
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not read its settings again")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
