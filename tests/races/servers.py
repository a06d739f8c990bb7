"""The shop as several real processes: gunicorn as `make run` starts it, on a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.settings import Settings
from tests.races.crowd import Ask, rush

ROOT = Path(__file__).resolve().parents[2]
WORKERS, THREADS = 2, 8
STOP_S = 15


@contextmanager
def serving(module: str, settings: Settings) -> Iterator[int]:
    """Serve `module`'s application by WORKERS processes; give the port once it answers."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(2048)
        port = int(door.getsockname()[1])
        process = _start(module, settings, door)
    # Only gunicorn holds the port now: should it end, whoever waits is told at once.
    try:
        [answer] = rush(port, [Ask("/healthz", {}, method="GET")])
        assert answer.status == 200, answer
        yield port
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nobody is being served any more
        process.wait(STOP_S)


def _start(module: str, settings: Settings, door: socket.socket) -> subprocess.Popen[bytes]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("STRIPE", "DATABASE"))}
    environ |= {
        "ENVIRONMENT": "testing",
        "VAR_DIR": str(settings.var_dir),
        "DATABASE_URL": str(settings.database_url),
        "SECRET_KEY": settings.secret_key,
        "DATA_KEY": settings.data_key,
        "STRIPE_API_BASE": str(settings.stripe_api_base),
        "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
    }
    command = [sys.executable, "-m", "gunicorn", module, "--bind", f"fd://{door.fileno()}"]
    command += ["--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)]
    command += ["--preload", "--no-control-socket", "--graceful-timeout", "2"]
    with (settings.var_dir / f"{module.split(':')[0]}.log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            cwd=ROOT,
            env=environ,
            pass_fds=[door.fileno()],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
