"""One running sandbox: its store, its lock, its clock and its control settings."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orders.payments.sandbox.config import Config
from orders.payments.sandbox.store import Store

log = logging.getLogger(__name__)


@dataclass
class Fault:
    """What is to go wrong with the next API calls that match.

    The call waits `delay_s`; then, if `status` is set, it is answered with that and `body`:
    after having been carried out when `executed` is true, else without.
    """

    times: int
    method: str | None
    path: str
    delay_s: float
    status: int | None
    body: str
    executed: bool


@dataclass(frozen=True)
class Caller:
    """The API request that an event comes from; both are None for the clock and the hosted page."""

    request_id: str | None = None
    idempotency_key: str | None = None


class Sandbox:
    """Shared by the request threads, the sweeper and the webhook courier.

    One lock covers every change, so a request sees and leaves a consistent state; `changed` is
    notified after each.
    """

    def __init__(self, config: Config) -> None:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.store = Store(config.state_dir / "sandbox.sqlite3")
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.stopping = threading.Event()
        self.faults: list[Fault] = []
        self.in_flight: set[str] = set()
        self.caller = Caller()

    @contextmanager
    def transaction(self, caller: Caller | None = None) -> Iterator[None]:
        """Hold the lock; keep what is done when it ends well, forget it when it raises."""
        with self.lock:
            self.store.begin()
            self.caller = caller or Caller()
            try:
                yield
            except BaseException:
                self.store.rollback()
                raise
            self.store.commit()
            self.changed.notify_all()

    def setting(self, key: str, default: Any = None) -> Any:
        """Give what a control call has set, else the default."""
        with self.lock:
            return self.store.settings().get(key, default)

    def now(self) -> float:
        """Give the sandbox's time: seconds since 1970, moved by the clock control."""
        return time.time() + float(self.setting("clock_offset_s", 0.0))

    def refund_delay_s(self) -> float | None:
        """Give how long a pending refund takes, or None: until it is settled by hand."""
        delay: float | None = self.setting("refund_delay_s", self.config.refund_delay_s)
        return delay

    def webhook_url(self) -> str:
        """Give where events are sent; empty when nowhere."""
        return str(self.setting("webhook_url", self.config.webhook_url))

    def webhooks_held(self) -> bool:
        """Say whether events are kept back."""
        return bool(self.setting("webhooks_held", False))

    def take_fault(self, method: str, path: str) -> Fault | None:
        """Use up one matching fault, if any is set."""
        with self.lock:
            for fault in self.faults:
                if fault.method in (None, method) and path.startswith(fault.path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def close(self) -> None:
        """Let go of the state; nothing may be running any more."""
        with self.lock:
            self.store.close()
