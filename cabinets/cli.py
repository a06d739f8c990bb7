"""`flask cabinet simulate`: a small device for people to try the device API with."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from cabinets.actions.reports import MAX_REPORTS
from cabinets.device import sign
from cabinets.model import Cabinet, Slot, SlotFill
from cabinets.queries import slots_of
from kernel import clock
from kernel.db import db, end_read

TIMEOUT_S = 30

cabinet = AppGroup("cabinet", help="Smart cabinets.")


@cabinet.command("simulate")
@click.argument("code")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where we listen.")
@click.option("--sales", default=5, show_default=True, help="How many sales to report.")
@click.option("--shuffle", is_flag=True, help="Send them in disorder.")
@click.option("--repeat", is_flag=True, help="Send everything twice.")
def simulate(code: str, url: str, sales: int, shuffle: bool, repeat: bool) -> None:
    """Sign and send sales as the device of cabinet CODE, and print what the server said."""
    if not 1 <= sales <= MAX_REPORTS:
        raise click.BadParameter(f"from 1 to {MAX_REPORTS}", param_hint="--sales")
    made = db.session.scalar(select(Cabinet).where(Cabinet.code == code))
    if made is None:
        raise click.ClickException(f"there is no cabinet {code}")
    key = made.device_key
    events = _events(made.id, sales)
    end_read()
    if shuffle:
        random.shuffle(events)
    for _ in range(2 if repeat else 1):
        click.echo(_send(f"{url.rstrip('/')}/api/v1/cabinets/{code}/events", key, events))


def _events(cabinet_id: int, sales: int) -> list[dict[str, Any]]:
    """Return what a device would report next: what it saw filled, then sales of one unit each."""
    numbers = [slot.number for slot in slots_of([cabinet_id])[cabinet_id] if slot.offer]
    if not numbers:
        raise click.ClickException("no slot of this cabinet sells anything: restock it first")
    unseen = db.session.execute(
        select(Slot.number, SlotFill.units)
        .join(Slot, SlotFill.slot_id == Slot.id)
        .where(Slot.cabinet_id == cabinet_id, SlotFill.since.is_(None), SlotFill.units > 0)
        .order_by(SlotFill.id)
        .limit(MAX_REPORTS - sales)
    )
    told = [{"kind": "restock_seen", "slot": one.number, "units": one.units} for one in unseen]
    for _ in range(sales):
        slot = random.choice(numbers)  # noqa: S311 - which slot sells is no secret
        told.append({"kind": "sale", "slot": slot, "units": 1})
    made = db.session.get_one(Cabinet, cabinet_id)
    first, at = made.last_sequence - made.counted_from + 1, clock.now().isoformat()
    return [{"sequence": first + n, **one, "at": at} for n, one in enumerate(told)]


def _send(address: str, key: str, events: list[dict[str, Any]]) -> str:
    """Post one signed batch and return the answer's status and body. Raises ClickException."""
    if not address.startswith(("http://", "https://")):
        raise click.BadParameter("an http or https address", param_hint="--url")
    body = json.dumps({"events": events}).encode()
    headers = {"Signature": sign(key, int(time.time()), body), "Content-Type": "application/json"}
    request = urllib.request.Request(address, body, headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - checked above
            return f"{answer.status} {answer.read().decode().strip()}"
    except urllib.error.HTTPError as refusal:
        with refusal:
            return f"{refusal.code} {refusal.read().decode().strip()}"
    except OSError as error:
        raise click.ClickException(f"{address} does not answer: {error}") from error
