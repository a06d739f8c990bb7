"""The thread that delivers signed events, one after the other, and tries again on failure."""

import hashlib
import hmac
import http.client
import json
import logging
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from orders.payments.sandbox.config import WEBHOOK_LONGEST_WAIT_S, WEBHOOK_TIMEOUT_S
from orders.payments.sandbox.events import DELIVERED, GIVEN_UP, PENDING
from orders.payments.sandbox.state import Sandbox

log = logging.getLogger(__name__)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failed delivery, as with Stripe."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


# The webhook is on this machine or one nearby: a proxy of the environment is not for it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


@dataclass(frozen=True)
class Delivery:
    """One event in the queue; `due_at` is in seconds since 1970."""

    event_id: str
    place: int
    tries: int
    due_at: float


def signature(payload: bytes, secret: str, at: int) -> str:
    """Give the `Stripe-Signature` header for a payload sent at a moment (whole seconds)."""
    signed = f"{at}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Courier(threading.Thread):
    """Takes due deliveries from the store until the sandbox stops."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(name="sandbox-courier", daemon=True)
        self.sandbox = sandbox

    def run(self) -> None:
        """Deliver what is due, else sleep until something is or something changes."""
        while not self.sandbox.stopping.is_set():
            try:
                self._step()
            except sqlite3.Error:
                # A full disk must not end deliveries for good.
                log.exception("webhook queue")
                self.sandbox.stopping.wait(1.0)

    def _step(self) -> None:
        sandbox = self.sandbox
        with sandbox.lock:
            if sandbox.stopping.is_set():
                # Asked under the lock, or the last wake-up could come just before the wait.
                return
            due = self._next()
            if due is None or due.due_at > time.time():
                sandbox.changed.wait(None if due is None else due.due_at - time.time())
                return
        delivered, outcome = self._send(due.event_id)
        self._note(due, delivered, outcome)

    def _next(self) -> Delivery | None:
        row = self.sandbox.store.connection.execute(
            "SELECT event_id, place, tries, due_at FROM deliveries WHERE state = ? "
            "ORDER BY due_at, place LIMIT 1",
            (PENDING,),
        ).fetchone()
        return None if row is None else Delivery(*row)

    def _send(self, event_id: str) -> tuple[bool, str]:
        """Send one event; give whether it arrived, and the status or the error in words."""
        with self.sandbox.lock:
            payload = json.dumps(self.sandbox.store.get(event_id).body).encode()
            url = self.sandbox.webhook_url()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (sandbox)",
            "Stripe-Signature": signature(
                payload, self.sandbox.config.webhook_secret, int(time.time())
            ),
        }
        try:
            request = urllib.request.Request(  # noqa: S310 - its start or control sets the address
                url, payload, headers, method="POST"
            )
            with _OPENER.open(request, timeout=WEBHOOK_TIMEOUT_S) as response:
                return 200 <= response.status < 300, str(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return False, str(error.code)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return False, str(error) or type(error).__name__

    def _note(self, due: Delivery, delivered: bool, outcome: str) -> None:
        config = self.sandbox.config
        tries = due.tries + 1
        state = DELIVERED if delivered else PENDING if tries < config.webhook_tries else GIVEN_UP
        wait_s = min(config.webhook_backoff_s * 2.0 ** (tries - 1), WEBHOOK_LONGEST_WAIT_S)
        with self.sandbox.transaction():
            # One that was queued anew meanwhile has another place and is left alone; one that
            # was held meanwhile stays held, unless it has arrived.
            self.sandbox.store.connection.execute(
                "UPDATE deliveries SET tries = ?, outcome = ?, due_at = ?, "
                "state = CASE WHEN state = ? OR ? THEN ? ELSE state END "
                "WHERE event_id = ? AND place = ?",
                (
                    tries,
                    outcome,
                    time.time() + wait_s,
                    PENDING,
                    delivered,
                    state,
                    due.event_id,
                    due.place,
                ),
            )
            if delivered:
                record = self.sandbox.store.get(due.event_id)
                record.body["pending_webhooks"] = 0
                self.sandbox.store.save(record)
        if state == GIVEN_UP:
            log.warning("webhook %s given up after %d tries: %s", due.event_id, tries, outcome)
