"""What the clock does: sessions expire, refunds settle, old idempotency keys are forgotten."""

import logging
import sqlite3
import threading

from orders.payments.sandbox import checkout, refunds
from orders.payments.sandbox.config import IDEMPOTENCY_KEPT_S
from orders.payments.sandbox.state import Sandbox

log = logging.getLogger(__name__)


def sweep(sandbox: Sandbox) -> None:
    """Do everything that is due; call it inside a transaction, before anything is read."""
    for record in sandbox.store.due(sandbox.now()):
        if record.body["object"] == "checkout.session":
            checkout.expire(sandbox, record)
        else:
            refunds.settle(sandbox, record)
    sandbox.store.drop_answers(before=sandbox.now() - IDEMPOTENCY_KEPT_S)


class Sweeper(threading.Thread):
    """Sweeps every few seconds, so that events leave although nobody asks."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name="sandbox-sweeper", daemon=True)
        self.sandbox = sandbox

    def run(self) -> None:
        """Sweep until the sandbox stops."""
        while not self.sandbox.stopping.wait(self.sandbox.config.sweep_every_s):
            try:
                with self.sandbox.transaction():
                    sweep(self.sandbox)
            except sqlite3.Error:
                # A full disk must not end the sweeping for good.
                log.exception("sweep")
