"""The payment sandbox as a program: started, killed, started again, refused."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from orders.payments.sandbox.config import DEFAULT_API_KEY
from tests.payment_sandbox import session_params

ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def _program(state_dir: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the program; give it and, once it listens, its address. It is killed at the end."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "orders.payments.sandbox",
            "--port",
            str(port),
            "--state-dir",
            str(state_dir),
        ],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("STRIPE_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().removeprefix("payment sandbox: ").strip()
        finally:
            process.kill()


def _client(url: str) -> stripe.StripeClient:
    return stripe.StripeClient(DEFAULT_API_KEY, base_addresses={"api": url})


def test_a_killed_sandbox_starts_again_with_its_state_and_port(tmp_path: Path) -> None:
    with _program(tmp_path) as (process, url):
        session = _client(url).v1.checkout.sessions.create(session_params())
        process.send_signal(signal.SIGKILL)
        process.wait()
    port = int(url.rpartition(":")[2])
    with _program(tmp_path, port) as (_, again):
        assert again == url
        kept = _client(again).v1.checkout.sessions.retrieve(session.id)
        assert kept.to_dict() == session.to_dict()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with _program(tmp_path) as (process, _):
        process.send_signal(number)
        assert process.wait(timeout=20) == 0


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with _program(tmp_path, port) as (process, _):
            _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.startswith(f"payment sandbox: cannot listen on 127.0.0.1:{port}")
    assert said.count("\n") == 1


def test_a_state_folder_has_one_sandbox(tmp_path: Path) -> None:
    with _program(tmp_path), _program(tmp_path) as (second, _):
        _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert said == f"payment sandbox: another sandbox uses the state folder {tmp_path}\n"
