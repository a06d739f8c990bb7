"""Moving stock: restock trips, returns and stock-takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from cabinets.actions import operated
from cabinets.actions.sites import MAX_CAPACITY, put_offer
from cabinets.fills import note_fill
from cabinets.model import Cabinet, Slot, SlotEvent, SlotEventKind, StockDifference
from cabinets.stock import expected_of, moved_into, room_in
from kernel import clock
from kernel.access import Viewer
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound, OfferClosed
from sellers.model import Offer, SellerState
from sellers.supply import promise_lots, release_lots

REASONS = ("damaged", "expired", "missing", "found", "miscount")
"""Why a stock-take found another figure than expected."""
LOSSES = frozenset({"damaged", "expired", "missing"})
"""Reasons for which there are fewer units, never more."""
GAINS = frozenset({"found"})
"""Reasons for which there are more units, never fewer."""


@dataclass(frozen=True, slots=True)
class TripLine:
    """Units put into one slot (by number); with a lot and a price the slot sells that from now.

    With a lot the units may be zero: then only what the slot sells, or its price, changes.
    """

    slot: int
    units: int
    lot: str | None = None
    price_fen: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """Units taken out of one slot and back to their lot."""

    slot: int
    units: int


@dataclass(frozen=True, slots=True)
class CountLine:
    """What was counted in a slot, beside what was expected when it was; why they differ."""

    slot: int
    expected: int
    counted: int
    reason: str = ""


def _slots(session: Session, cabinet: Cabinet, numbers: Sequence[int]) -> dict[int, Slot]:
    """Return the named slots of a locked cabinet, with offers. Refuses repeats and strangers."""
    if not numbers:
        raise Invalid(_l("还没有填数量。至少填一个货道。"), code="nothing_entered")
    if len(set(numbers)) != len(numbers):
        raise Invalid(_l("同一个货道写了两次。"), code="slot_repeated")
    slots = session.scalars(
        select(Slot)
        .where(Slot.cabinet_id == cabinet.id, Slot.number.in_(numbers))
        .options(joinedload(Slot.offer).joinedload(Offer.seller))
        .execution_options(populate_existing=True)
    ).all()
    if len(slots) != len(numbers):
        raise NotFound(_l("这个柜子没有这个货道。看看柜门上的号。"), code="slot_not_found")
    return {slot.number: slot for slot in slots}


def _offer_of(slot: Slot) -> Offer:
    """Return what a slot sells. Raises Invalid when that is nothing."""
    if slot.offer is None:
        raise Invalid(
            _l("货道还没有选货。先选一批货，写上价格。"),
            code="slot_without_offer",
            slot=slot.number,
        )
    return slot.offer


def restock(viewer: Viewer, code: str, lines: Sequence[TripLine]) -> dict[int, int]:
    """Move units from lots into slots, all or none; return slot number → units expected now.

    The lots promise the units here and now, once; a sale from the slot promises nothing
    again. Raises NotFound, Invalid, OfferClosed, OutOfStock (lot_id, left), and Conflict:
    slot_full (slot, room) or what setting an offer raises.
    """
    with transaction() as session:
        cabinet = operated(viewer, code, lock=True)
        slots = _slots(session, cabinet, [line.slot for line in lines])
        for line in lines:
            if line.lot is not None:
                put_offer(session, slots[line.slot], line.lot, line.price_fen or 0)
        expected = expected_of([slot.id for slot in slots.values()])
        wanted = Counter[int]()
        moving = [line for line in lines if line.units or line.lot is None]
        for line in moving:
            slot = slots[line.slot]
            _check_room(slot, line.units, room_in(slot.capacity, expected[slot.id]))
            wanted[_open_offer(slot).lot_id] += line.units
        if wanted:
            promise_lots(wanted)
        for line in moving:
            _add(session, viewer, slots[line.slot], SlotEventKind.RESTOCK, line.units)
            note_fill(session, cabinet, slots[line.slot], line.units)
        return {line.slot: expected[slots[line.slot].id] + line.units for line in lines}


def _check_room(slot: Slot, units: int, room: int) -> None:
    if not 1 <= units <= MAX_CAPACITY:
        raise Invalid(_l("每个货道放 1 到 500 份。"), code="units_out_of_bounds", slot=slot.number)
    if units > room:
        raise Conflict(
            _l("货道放不下这么多。减少数量再存。"), code="slot_full", slot=slot.number, room=room
        )


def _open_offer(slot: Slot) -> Offer:
    offer = _offer_of(slot)
    if offer.withdrawn_at is not None or offer.seller.state is not SellerState.VERIFIED:
        raise OfferClosed(
            _l("这个货道的货已经下架。换一批货再补。"), offer_id=offer.public_id, slot=slot.number
        )
    return offer


def _add(
    session: Session, viewer: Viewer, slot: Slot, kind: SlotEventKind, units: int, reason: str = ""
) -> None:
    offer = _offer_of(slot)
    session.add(
        SlotEvent(
            slot_id=slot.id,
            offer_id=offer.id,
            lot_id=offer.lot_id,
            kind=kind,
            units=units,
            reason=reason,
            account_id=viewer.account_id,
        )
    )


def give_back(viewer: Viewer, code: str, lines: Sequence[ReturnLine]) -> dict[int, int]:
    """Move units from slots back to their lots, all or none; return slot → units expected now.

    Raises NotFound, Invalid, and Conflict more_than_there (slot, most) for more than the slot
    should hold or than its lot ever gave it.
    """
    with transaction() as session:
        cabinet = operated(viewer, code, lock=True)
        slots = _slots(session, cabinet, [line.slot for line in lines])
        expected = expected_of([slot.id for slot in slots.values()])
        back = Counter[int]()
        for line in lines:
            slot = slots[line.slot]
            lot_id = _offer_of(slot).lot_id
            most = max(0, min(expected[slot.id], moved_into(slot.id, lot_id)))
            if not 1 <= line.units <= most:
                raise Conflict(
                    _l("货道里没有这么多可以退。先盘点，再按数退。"),
                    code="more_than_there",
                    slot=slot.number,
                    most=most,
                )
            back[lot_id] += line.units
        release_lots(back)
        for line in lines:
            _add(session, viewer, slots[line.slot], SlotEventKind.RETURN, -line.units)
        return {line.slot: expected[slots[line.slot].id] - line.units for line in lines}


def take_stock(viewer: Viewer, code: str, lines: Sequence[CountLine]) -> dict[int, int]:
    """Write down what was counted; return slot → the difference found (found units positive).

    Every difference has a reason and becomes a difference with that name. Raises NotFound,
    Invalid (reason_needed, or a figure out of bounds), and Conflict stock_moved when a slot
    is expected to hold something else by now than when it was counted.
    """
    with transaction() as session:
        cabinet = operated(viewer, code, lock=True)
        slots = _slots(session, cabinet, [line.slot for line in lines])
        expected = expected_of([slot.id for slot in slots.values()])
        found_units = {}
        for line in lines:
            slot = slots[line.slot]
            _check_count(slot, line, expected[slot.id])
            units = line.counted - line.expected
            reason = line.reason if units else ""
            _add(session, viewer, slot, SlotEventKind.COUNT, units, reason)
            if units:
                session.add(
                    StockDifference(
                        cabinet_id=cabinet.id,
                        slot_id=slot.id,
                        name=reason,
                        units=units,
                        explained_at=clock.now(),
                    )
                )
            found_units[line.slot] = units
        return found_units


def _check_count(slot: Slot, line: CountLine, expected: int) -> None:
    # A slot may hold more than it should, for its capacity was changed; counting finds no more.
    most = max(slot.capacity, expected)
    if not 0 <= line.counted <= most:
        raise Invalid(
            _l("货道最多放 %(n)s 个，数到几个就写几。", n=most),
            code="count_out_of_bounds",
            slot=slot.number,
        )
    if line.expected != expected:
        raise Conflict(
            _l("数的时候，应有的数变了。按新的数再核对一次。"),
            code="stock_moved",
            slot=slot.number,
            expected=expected,
        )
    if line.counted != expected and line.reason not in REASONS:
        raise Invalid(_l("数目不一样，要选一个原因。"), code="reason_needed", slot=slot.number)
    more = line.counted > expected
    if line.counted != expected and line.reason in (LOSSES if more else GAINS):
        raise Invalid(
            _l("多出来的，不会是破损、过期或丢了。换一个原因。")
            if more
            else _l("少了的，不会是找到的。换一个原因。"),
            code="reason_contradicts",
            slot=slot.number,
        )
