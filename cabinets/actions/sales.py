"""What a device's reports sold: an order for each sale, of the goods that its slot held then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cabinets.actions.recounts import LATE_SALE, put_back
from cabinets.fills import fill_seen, fills_of, offer_at
from cabinets.model import (
    Cabinet,
    DeviceReport,
    Slot,
    SlotEvent,
    SlotEventKind,
    SlotFill,
    StockDifference,
)
from cabinets.stock import expected_of
from kernel import clock
from orders.actions.counter import CounterSale, record_sales
from sellers.model import Offer

UNKNOWN_SLOT, NO_OFFER, UNPLACED, DEFICIT = ("unknown_slot", "no_offer", "unplaced", "deficit")
"""Names of differences that come from sales."""


def sell(session: Session, cabinet: Cabinet, reports: Sequence[DeviceReport]) -> None:
    """Record the sales among new reports, at the price of what their slot held when they were.

    A sale that may be of one offer or another waits as a difference until the device has told
    when it saw the slot filled, or until a person has explained it.
    """
    waiting = _waiting(session, cabinet)
    sales = [one for one in reports if one.kind == "sale"] + list(waiting)
    seen = [one for one in reports if one.kind == "restock_seen"]
    if not sales and not seen:
        return
    slots = _slots(session, cabinet, {one.body["slot"] for one in [*sales, *seen]})
    lowest = min(one.sequence for one in [*sales, *seen])
    fills = fills_of(session, [slot.id for slot in slots.values()], lowest)
    for report in seen:
        _note_seen(slots, fills, report)
    sold = []
    for report in sorted(sales, key=lambda one: one.sequence):
        slot = slots.get(report.body["slot"])
        offer, name = _sold_from(slot, fills, report)
        if slot is not None and offer is not None:
            sold.append((report, slot, offer))
            if report in waiting:
                session.delete(waiting[report])
        elif report not in waiting:
            session.add(difference_of(cabinet, slot, name, report))
    before = _take_out(session, cabinet, sold)
    told = defaultdict[int, set[int]](set)
    for report in [*seen, *(one for one, _, _ in sold)]:
        told[report.body["slot"]].add(report.sequence)
    back = put_back(session, cabinet, slots, fills, told)
    _name_deficits(session, cabinet, sold, before, back)
    _end_deficits(session, {id_: units for id_, units in back.items() if units}, sold)


def _slots(session: Session, cabinet: Cabinet, numbers: Collection[int]) -> dict[int, Slot]:
    """Return those of a cabinet's slots that have these numbers, by number."""
    rows = session.scalars(
        select(Slot)
        .where(Slot.cabinet_id == cabinet.id, Slot.number.in_(numbers))
        .execution_options(populate_existing=True)
    )
    return {slot.number: slot for slot in rows}


def _waiting(session: Session, cabinet: Cabinet) -> dict[DeviceReport, StockDifference]:
    """Return the sales that could not be placed so far, with their open differences."""
    rows = session.execute(
        select(DeviceReport, StockDifference)
        .join(StockDifference, StockDifference.report_id == DeviceReport.id)
        .where(
            StockDifference.cabinet_id == cabinet.id,
            StockDifference.name == UNPLACED,
            StockDifference.explained_at.is_(None),
        )
    )
    return {row.DeviceReport: row.StockDifference for row in rows}


def _note_seen(
    slots: Mapping[int, Slot], fills: Mapping[int, Sequence[SlotFill]], report: DeviceReport
) -> None:
    """Keep under which number the device saw a slot filled."""
    slot = slots.get(report.body["slot"])
    if slot is None:
        return
    fill = fill_seen(fills.get(slot.id, ()), report.sequence, report.body["units"])
    if fill is not None:
        fill.since = report.sequence


def _sold_from(
    slot: Slot | None, fills: Mapping[int, Sequence[SlotFill]], report: DeviceReport
) -> tuple[Offer | None, str]:
    """Return what a reported sale sold, or None and the name of the difference that it is."""
    if slot is None:
        return None, UNKNOWN_SLOT
    if slot.id not in fills:
        return None, NO_OFFER
    return offer_at(fills[slot.id], report.sequence), UNPLACED


Sold = tuple[DeviceReport, Slot, Offer]
"""A reported sale with its slot and what the slot held then."""


def _take_out(session: Session, cabinet: Cabinet, sold: Sequence[Sold]) -> dict[int, int]:
    """Record sales, and return what each of their slots (by id) was expected to hold before."""
    if not sold:
        return {}
    before = expected_of({slot.id for _, slot, _ in sold})
    _record(session, cabinet, sold)
    return before


def _name_deficits(
    session: Session,
    cabinet: Cabinet,
    sold: Sequence[Sold],
    before: Mapping[int, int],
    back: Mapping[int, int],
) -> None:
    """Name what sales took beyond what we knew to be there `before`, and what was put `back`."""
    slots = {slot.id: slot for _, slot, _ in sold}
    now, late = Counter[int](), Counter[tuple[int, int, int]]()
    for report, slot, offer in sold:
        if offer.id == slot.offer_id:
            now[slot.id] += report.body["units"]
        else:
            late[slot.id, offer.id, offer.lot_id] += report.body["units"]
    short = Counter[int]()
    for slot_id, units in now.items():
        known = before[slot_id] + back.get(slot_id, 0)
        short[slot_id] += max(0, max(0, units - known) - max(0, -before[slot_id]))
    for (slot_id, offer_id, lot_id), units in late.items():
        short[slot_id] += _put_back(
            session,
            cabinet,
            SlotEvent(
                slot_id=slot_id,
                offer_id=offer_id,
                lot_id=lot_id,
                kind=SlotEventKind.COUNT,
                units=units,
                reason=LATE_SALE,
            ),
        )
    for slot_id, units in sorted(short.items()):
        if units:
            _note_deficit(session, cabinet, slots[slot_id], units)


def _put_back(session: Session, cabinet: Cabinet, event: SlotEvent) -> int:
    """Correct the count of goods that left a slot before their sales were reported.

    The slot was emptied by a count before it was filled with other goods: what it holds now
    is not touched by these sales, and what was counted out was sold, under whichever offer of
    its lot it was counted. Return how many more were sold than had been counted out.
    """
    counted = session.scalar(
        select(func.coalesce(func.sum(SlotEvent.units), 0)).where(
            SlotEvent.slot_id == event.slot_id,
            SlotEvent.lot_id == event.lot_id,
            SlotEvent.kind == SlotEventKind.COUNT,
        )
    )
    known = min(event.units, max(0, -int(counted or 0)))
    session.add(event)
    if known:
        session.add(
            StockDifference(
                cabinet_id=cabinet.id,
                slot_id=event.slot_id,
                name=LATE_SALE,
                units=known,
                explained_at=clock.now(),
            )
        )
    return event.units - known


def _record(session: Session, cabinet: Cabinet, sold: Sequence[Sold]) -> None:
    """Write an order for each sale and take its units out of its slot."""
    sales = {
        report.id: CounterSale(
            reference=f"cabinet:{cabinet.public_id}:{report.sequence}",
            offer_id=offer.id,
            units=report.body["units"],
            credit_source_id=cabinet.credit_source_id,
            city=cabinet.site.city,
        )
        for report, _, offer in sold
    }
    orders = record_sales(sales.values())
    session.add_all(
        SlotEvent(
            slot_id=slot.id,
            offer_id=offer.id,
            lot_id=offer.lot_id,
            kind=SlotEventKind.SALE,
            units=-report.body["units"],
            report_id=report.id,
            order_id=orders[sales[report.id].reference],
        )
        for report, slot, offer in sold
    )


def _end_deficits(session: Session, back: Mapping[int, int], sold: Sequence[Sold]) -> None:
    """Take what was put `back` into slots off what was named as missing from them earlier.

    It was sold from an earlier filling, and the device had not said so yet.
    """
    if not back:
        return
    left = Counter({slot.id: 0 for _, slot, _ in sold})
    for report, slot, offer in sold:
        left[slot.id] += report.body["units"] if offer.id == slot.offer_id else 0
    now = expected_of(back)
    for slot_id, units in back.items():
        before = now[slot_id] - units + left[slot_id]
        ended = max(0, -before) - max(0, -now[slot_id])
        known = _open_deficit(session, slot_id) if ended > 0 else None
        if known is None:
            continue
        if known.units + ended < 0:
            known.units += ended
        else:
            session.delete(known)


def difference_of(
    cabinet: Cabinet, slot: Slot | None, name: str, report: DeviceReport
) -> StockDifference:
    return StockDifference(
        cabinet_id=cabinet.id,
        slot_id=slot.id if slot else None,
        report_id=report.id,
        name=name,
        units=-report.body["units"],
    )


def _note_deficit(session: Session, cabinet: Cabinet, slot: Slot, short: int) -> None:
    """More was sold than we knew to be in the slot: one open difference says how much in all."""
    known = _open_deficit(session, slot.id)
    if known is not None:
        known.units -= short
        return
    session.add(StockDifference(cabinet_id=cabinet.id, slot_id=slot.id, name=DEFICIT, units=-short))


def _open_deficit(session: Session, slot_id: int) -> StockDifference | None:
    """Return what is named as missing from a slot and not explained, None if nothing is."""
    return session.scalar(
        select(StockDifference).where(
            StockDifference.slot_id == slot_id,
            StockDifference.name == DEFICIT,
            StockDifference.explained_at.is_(None),
        )
    )
