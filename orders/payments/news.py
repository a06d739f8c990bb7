"""What Stripe's events say, whoever brings them. Any order, any number of repeats: one state.

The webhook brings them, and a job goes through Stripe's own list for those about money that
moved without our having asked, or on a page that we had done with: nothing of ours waits for
them that could be asked about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kernel import logs
from kernel.db import db, end_read, transaction
from kernel.errors import Conflict, NotFound
from orders.model import ProviderLook, WebhookEvent
from orders.payments import gateway
from orders.payments.captures import Captured, record_capture, record_expiry
from orders.payments.disputes import record_dispute
from orders.payments.reconcile import record_told, take_up_refunds

log = logging.getLogger(__name__)

Event = dict[str, Any]

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError)
SESSION_PAID = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
LOOKED_FOR = (
    "payment_intent.succeeded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
"""What is found in Stripe's list when its webhook was missed."""

KEPT = timedelta(days=30)
"""How long Stripe keeps its list."""
AT_ONCE = timedelta(days=1)
MARGIN = timedelta(minutes=10)
"""What happened so lately may still be missing in the list: it is looked through once more."""
HELD = timedelta(days=3)
"""How long one event that is too early keeps the look from going on behind it."""


def read(event: Event) -> Callable[[], None]:
    """Return what takes an event up and remembers it.

    Raises one of UNREADABLE when it does not say what such an event says. What it returns
    raises Conflict for news that are too early, and StripeBusy: then it may be brought again.
    """
    event_id, kind = _text(event, "id"), _text(event, "type")
    told = _told(kind, event["data"]["object"], gateway.moment(_whole(event, "created")))

    def take_up() -> None:
        try:
            if told is not None:
                told()
        except NotFound:
            # Another installation on the same Stripe account may have made it.
            logs.say(log, logging.WARNING, "event_about_nothing_of_ours", reason=kind)
        # Remembered last: should we die before, a repeat does the same once more.
        known = insert(WebhookEvent).values(provider_id=event_id, kind=kind)
        with transaction() as session:
            session.execute(known.on_conflict_do_nothing())

    return take_up


def _told(kind: str, about: dict[str, Any], at: datetime) -> Callable[[], object] | None:
    """Return what records an event about a payment, refund or dispute; None for any other."""
    if about.get("object") == "refund":
        return partial(record_told, gateway.read_refund(about))
    if about.get("object") == "dispute":
        return partial(record_dispute, gateway.read_dispute(about, at))
    if kind == "charge.refunded":
        went_fen = _whole(about, "amount_refunded")
        return partial(take_up_refunds, _text(about, "payment_intent", needed=False), went_fen)
    metadata = about.get("metadata") or {}
    if not metadata.get(gateway.PAYMENT_KEY):
        return None
    payment_id = _text(metadata, gateway.PAYMENT_KEY)
    if kind in SESSION_PAID and about.get("payment_status") == "paid":
        captured = Captured(
            _whole(about, "amount_total"), at, _text(about, "payment_intent"), _text(about, "id")
        )
        return partial(record_capture, payment_id, captured)
    if kind == "payment_intent.succeeded":
        captured = Captured(_whole(about, "amount_received"), at, _text(about, "id"))
        return partial(record_capture, payment_id, captured)
    if kind == "checkout.session.expired":
        return partial(record_expiry, payment_id, _text(about, "id"))
    return None


def _text(of: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = of[name] if needed else of.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _whole(of: dict[str, Any], name: str) -> int:
    value = of[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is no whole number")
    return value


def look_for_missed(at: datetime) -> bool:
    """Take up a day of Stripe's own list of events that no webhook brought; tell if more is left.

    The next look begins where this one ended, however long ago that was. Events that are too
    early are left for it. Raises StripeBusy.
    """
    since = _looked_until() or at - KEPT
    until = min(at, since + AT_ONCE)
    end = until - MARGIN
    for event in _not_known(_listed(since, until)):
        try:
            read(event)()
        except Conflict as refusal:
            logs.say(log, logging.WARNING, "event_too_early", reason=refusal.code)
            happened = gateway.moment(event["created"])
            if happened > at - HELD:
                end = min(end, happened)
        except UNREADABLE:
            logs.say(log, logging.WARNING, "event_unreadable")
    with transaction() as session:
        look = session.scalar(select(ProviderLook).with_for_update()) or ProviderLook()
        look.until = max(since, end)
        session.add(look)
        return since < look.until < at - MARGIN


def _looked_until() -> datetime | None:
    until = db.session.scalar(select(ProviderLook.until))
    end_read()
    return until


def _listed(since: datetime, until: datetime) -> list[Event]:
    """Return Stripe's events of a time, the oldest first."""
    listed: list[Event] = []
    more = True
    while more:
        after = listed[-1]["id"] if listed else None
        page, more = gateway.events(LOOKED_FOR, since, until, after)
        listed += page
        more = more and bool(page)
    return listed[::-1]


def _not_known(listed: Sequence[Event]) -> list[Event]:
    ids = [one["id"] for one in listed]
    query = select(WebhookEvent.provider_id).where(WebhookEvent.provider_id.in_(ids))
    known = set(db.session.scalars(query))
    end_read()
    return [one for one in listed if one["id"] not in known]
