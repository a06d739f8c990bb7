"""Serving the sandbox: one process, a thread per request, and two threads of its own.

One process, because one lock and one courier keep every change and every delivery in order; a
second one on the same folder is refused.
"""

import fcntl
import logging
import socket
import threading
from pathlib import Path
from typing import IO, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from orders.payments.sandbox.app import create_app
from orders.payments.sandbox.config import Config
from orders.payments.sandbox.courier import Courier
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.sweep import Sweeper

log = logging.getLogger(__name__)

BACKLOG = 128
STOP_ASKED_EVERY_S = 0.1


class CannotStart(Exception):
    """The sandbox cannot start; the message says why, in one line."""


class _Handler(WSGIRequestHandler):
    # One request a connection: a client cannot go on talking to a sandbox that was stopped.
    protocol_version = "HTTP/1.0"
    timeout = 60

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.info("%s %s %s", self.command, self.path, code)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        log.warning(format, *args)


class Service:
    """A running sandbox on a port of this machine; port 0 takes a free one.

    Raises CannotStart when the port or the state folder is taken or cannot be used.
    """

    def __init__(self, config: Config, host: str = "127.0.0.1", port: int = 0) -> None:
        self.lock_file = _own(config.state_dir)
        try:
            listener = _listen(host, port)
        except CannotStart:
            self.lock_file.close()
            raise
        self.sandbox = Sandbox(config)
        with listener:
            self.server: BaseWSGIServer = make_server(
                host,
                port,
                create_app(self.sandbox),
                threaded=True,
                request_handler=_Handler,
                fd=listener.fileno(),
            )
        self.url = f"http://{host}:{self.server.server_address[1]}"
        self.threads = [
            threading.Thread(
                target=self.server.serve_forever,
                args=(STOP_ASKED_EVERY_S,),
                name="sandbox-http",
                daemon=True,
            ),
            Courier(self.sandbox),
            Sweeper(self.sandbox),
        ]

    def start(self) -> None:
        """Begin to answer and to deliver."""
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Stop everything that `start` began; the state stays in its folder."""
        with self.sandbox.lock:
            self.sandbox.stopping.set()
            self.sandbox.changed.notify_all()
        self.server.shutdown()
        for thread in self.threads:
            thread.join()
        self.server.server_close()
        self.sandbox.close()
        self.lock_file.close()


def _own(state_dir: Path) -> IO[str]:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock_file = (state_dir / "lock").open("w")
    except OSError as error:
        raise CannotStart(f"cannot use the state folder {state_dir}: {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise CannotStart(f"another sandbox uses the state folder {state_dir}") from error
    return lock_file


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
