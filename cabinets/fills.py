"""What a slot held under which number of its device: the rule by which a sale finds its offer.

A device may be silent for days and then report everything, in any order. Its clock is not
trusted and its numbers are: a sale belongs to the goods whose filling the device saw last
before it (`restock_seen`), whatever stands in the slot when the report arrives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from cabinets.model import Cabinet, DeviceReport, Slot, SlotEvent, SlotEventKind, SlotFill
from sellers.model import Offer


def offer_at(fills: Sequence[SlotFill], sequence: int) -> Offer | None:
    """Return what a slot with these fills (oldest first) held at a device's number.

    None if that may have been one or another: a filling with other goods was not seen yet.
    """
    seen = [(n, one.since) for n, one in enumerate(fills) if one.since is not None]
    first = max((n for n, since in seen if since < sequence), default=0)
    end = min((n for n, _ in seen if n > first), default=len(fills))
    offers = {one.offer_id: one.offer for one in fills[first:end]}
    return next(iter(offers.values())) if len(offers) == 1 else None


def fill_seen(fills: Sequence[SlotFill], sequence: int, units: int) -> SlotFill | None:
    """Return which of a slot's fills a device saw when it reported `units` put in.

    It is one that was not seen yet, between those seen before and after: the oldest with as
    many units, else the oldest.
    """
    seen = [(n, one.since) for n, one in enumerate(fills) if one.since is not None]
    first = max((n + 1 for n, since in seen if since <= sequence), default=0)
    end = min((n for n, since in seen if since > sequence), default=len(fills))
    unseen = fills[first:end]
    return next((one for one in unseen if one.units == units), next(iter(unseen), None))


def fills_of(session: Session, slot_ids: Collection[int], lowest: int) -> dict[int, list[SlotFill]]:
    """Return slot id → its fills with offers, oldest first, as far as numbers from `lowest` go."""
    last = (
        select(func.max(SlotFill.id))
        .where(SlotFill.slot_id == Slot.id, SlotFill.since < lowest)
        .correlate(Slot)
        .scalar_subquery()
    )
    rows = session.scalars(
        select(SlotFill)
        .join(Slot, SlotFill.slot_id == Slot.id)
        .where(Slot.id.in_(slot_ids), SlotFill.id >= func.coalesce(last, 0))
        .options(joinedload(SlotFill.offer, innerjoin=True))
        .order_by(SlotFill.id)
        .execution_options(populate_existing=True)
    )
    fills = defaultdict(list)
    for one in rows:
        fills[one.slot_id].append(one)
    return fills


def note_offer(session: Session, slot: Slot, old: Offer | None, new: Offer) -> None:
    """Write down that a slot sells another offer from now; other goods count as a fill to come."""
    if old is not None and old.lot_id == new.lot_id:
        # The same goods, listed anew: like a new price, it holds for every sale to come.
        for one in session.scalars(
            select(SlotFill).where(SlotFill.slot_id == slot.id, SlotFill.offer_id == old.id)
        ):
            one.offer = new
    else:
        session.add(SlotFill(slot_id=slot.id, offer=new, units=0))
    session.flush()


def note_fill(session: Session, cabinet: Cabinet, slot: Slot, units: int) -> None:
    """Write down that units were put into a slot of a locked cabinet."""
    last = session.scalars(
        select(SlotFill).where(SlotFill.slot_id == slot.id).order_by(SlotFill.id.desc()).limit(1)
    ).one()
    if last.units or last.since is not None:
        last = SlotFill(slot_id=slot.id, offer_id=slot.offer_id, units=0)
        session.add(last)
    last.units = units
    last.since = _seen_already(session, cabinet, slot, units)
    session.flush()


def _seen_already(session: Session, cabinet: Cabinet, slot: Slot, units: int) -> int | None:
    """Return the number under which the device reported this fill before it was written down.

    It is the last that the device told of the slot: nothing was sold since, and no other fill
    was seen under it or later.
    """
    seen = select(func.coalesce(func.max(SlotFill.since), 0)).where(SlotFill.slot_id == slot.id)
    sold = (
        select(func.coalesce(func.max(DeviceReport.sequence), 0))
        .join(SlotEvent, SlotEvent.report_id == DeviceReport.id)
        .where(SlotEvent.slot_id == slot.id, SlotEvent.kind == SlotEventKind.SALE)
    )
    return session.scalar(
        select(func.min(DeviceReport.sequence)).where(
            DeviceReport.cabinet_id == cabinet.id,
            DeviceReport.kind == "restock_seen",
            ~DeviceReport.conflicting,
            DeviceReport.sequence > seen.scalar_subquery(),
            DeviceReport.sequence > sold.scalar_subquery(),
            DeviceReport.body["slot"].as_integer() == slot.number,
            DeviceReport.body["units"].as_integer() == units,
        )
    )
