"""Events: a snapshot of an object at a change, kept and queued for the webhook."""

import copy
import json
import time
from typing import Any

from orders.payments.sandbox.config import API_VERSION
from orders.payments.sandbox.ids import new_id
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body

PENDING = "pending"
HELD = "held"
DELIVERED = "delivered"
GIVEN_UP = "given_up"


def record(sandbox: Sandbox, kind: str, subject: Body, previous: Body | None = None) -> str:
    """Keep an event about an object as it is now, queue it, and give its id."""
    data: dict[str, Any] = {"object": copy.deepcopy(subject)}
    if previous is not None:
        data["previous_attributes"] = previous
    event = {
        "id": new_id("evt_1"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(sandbox.now()),
        "data": data,
        "livemode": False,
        "pending_webhooks": 1 if sandbox.webhook_url() else 0,
        "request": {
            "id": sandbox.caller.request_id,
            "idempotency_key": sandbox.caller.idempotency_key,
        },
        "type": kind,
    }
    sandbox.store.add(event)
    if sandbox.webhook_url():
        state = HELD if sandbox.webhooks_held() else PENDING
        queue(sandbox, str(event["id"]), state)
    return str(event["id"])


def queue(sandbox: Sandbox, event_id: str, state: str = PENDING) -> None:
    """Put an event at the end of the queue, as if it had never been tried."""
    sandbox.store.connection.execute(
        "INSERT INTO deliveries (event_id, place, state, due_at) "
        "VALUES (?, (SELECT coalesce(max(place), 0) + 1 FROM deliveries), ?, ?) "
        "ON CONFLICT (event_id) DO UPDATE SET "
        "place = excluded.place, state = excluded.state, due_at = excluded.due_at, tries = 0",
        (event_id, state, time.time()),
    )


def hold(sandbox: Sandbox) -> None:
    """Keep back every event that is not delivered yet, and all that come."""
    sandbox.store.set("webhooks_held", True)
    sandbox.store.connection.execute(
        "UPDATE deliveries SET state = ? WHERE state = ?", (HELD, PENDING)
    )


def release_all(sandbox: Sandbox) -> None:
    """Deliver again as events come, those held first and in their order."""
    sandbox.store.set("webhooks_held", False)
    rows = sandbox.store.connection.execute(
        "SELECT event_id FROM deliveries WHERE state = ? ORDER BY place", (HELD,)
    ).fetchall()
    for (event_id,) in rows:
        queue(sandbox, event_id)


def deliveries(sandbox: Sandbox) -> list[Body]:
    """Give how each event's delivery stands, the oldest event first."""
    rows = sandbox.store.connection.execute(
        "SELECT d.event_id, o.body, d.state, d.tries, d.outcome "
        "FROM deliveries d JOIN objects o ON o.id = d.event_id ORDER BY o.seq"
    )
    return [
        {
            "event": event_id,
            "type": json.loads(body)["type"],
            "state": state,
            "tries": tries,
            "outcome": outcome,
        }
        for event_id, body, state, tries, outcome in rows
    ]


def waiting(sandbox: Sandbox) -> bool:
    """Say whether any event is still to be delivered, those held left aside."""
    row = sandbox.store.connection.execute(
        "SELECT 1 FROM deliveries WHERE state = ? LIMIT 1", (PENDING,)
    ).fetchone()
    return row is not None
