"""Finding processes and waiting for their end."""

import os
import select
from pathlib import Path

END_TIMEOUT_S = 60


def wait_for_end(pid: int) -> None:
    """Return when the process is gone. The kernel wakes us, so nothing is polled."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], END_TIMEOUT_S)[0], f"process {pid} still runs"
    finally:
        os.close(descriptor)


def processes_of(folder: Path) -> dict[int, str]:
    """The living processes that were told of `folder` by an argument or a setting."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            told = command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in told:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found
