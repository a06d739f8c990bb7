"""Counts that a later report explains: what was missing had been sold, and nobody knew yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from cabinets.model import Cabinet, Slot, SlotEvent, SlotEventKind, SlotFill, StockDifference
from kernel import clock

LATE_SALE = "late_sale"
"""Name of the difference that a sale is which was counted out as missing before it was reported."""

# Of one stretch of a slot: what counts found missing between its two fillings; what was sold
# before the second of them and reported after the last of these counts; what of it was put back.
_STRETCH = text(
    f"""
    WITH counted AS (
        SELECT coalesce(max(id), 0) AS last, coalesce(-sum(units), 0) AS missing
        FROM slot_event
        WHERE slot_id = :slot AND lot_id = :lot AND kind = 'count' AND reason <> '{LATE_SALE}'
            AND id > :filled AND id < :refilled
    )
    SELECT counted.missing,
        coalesce(-sum(e.units) FILTER (WHERE e.kind = 'sale' AND e.id > counted.last), 0) AS sold,
        coalesce(sum(e.units) FILTER (WHERE e.kind = 'count'), 0) AS put_back,
        max(e.report_id) AS report_id
    FROM counted
    LEFT JOIN slot_event e ON e.slot_id = :slot AND e.id > :filled AND e.report_id IN (
        SELECT id FROM device_report
        WHERE cabinet_id = :cabinet AND sequence > :since AND sequence < :until
    )
    GROUP BY counted.missing
    """  # noqa: S608 - a word of ours
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one filling that its device saw (or the first) to the next, with the same goods."""

    filled: SlotFill
    refilled: SlotFill
    later: int
    """How many more times the slot was filled since, up to now."""
    fillings: int
    """How many times it was filled after `filled`, up to and with `refilled`."""


def stretches(fills: Sequence[SlotFill], numbers: Collection[int]) -> list[Stretch]:
    """Return in which ended stretches of a slot (fills oldest first) these numbers of a device are.

    Only of what stands in the slot now: what was in it before other goods is corrected whole.
    """
    seen = [n for n, one in enumerate(fills) if one.since is not None and one.units]
    found = {}
    for number in numbers:
        first = max((n for n in seen if (fills[n].since or 0) < number), default=0)
        end = next((n for n in seen if n > first), None)
        if end is None or len({one.offer_id for one in fills[first:]}) > 1:
            continue
        filled = [n for n, one in enumerate(fills) if one.units]
        later = sum(n > end for n in filled)
        between = sum(first < n <= end for n in filled)
        found[end] = Stretch(fills[first], fills[end], later, between)
    return list(found.values())


def put_back(
    session: Session,
    cabinet: Cabinet,
    slots: Mapping[int, Slot],
    fills: Mapping[int, Sequence[SlotFill]],
    numbers: Mapping[int, Collection[int]],
) -> dict[int, int]:
    """Put back what counts took out of slots (by number) and these reports say was sold.

    `numbers` are those of new sales and seen fillings, by slot. Without it the same units would
    leave the slot twice, and what was put in since would seem to be missing. Returns the units
    put back, by the slot's id.
    """
    session.flush()
    back = {}
    for slot_number, told in numbers.items():
        slot = slots.get(slot_number)
        if slot is not None:
            ended = stretches(fills.get(slot.id, ()), told)
            back[slot.id] = sum(_put_back(session, cabinet, slot, one) for one in ended)
    return back


def _put_back(session: Session, cabinet: Cabinet, slot: Slot, stretch: Stretch) -> int:
    """Put back what is due of one stretch, and return how many units that is."""
    most = stretch.later + stretch.fillings + 1
    restocked = session.scalars(
        select(SlotEvent.id)
        .where(SlotEvent.slot_id == slot.id, SlotEvent.kind == SlotEventKind.RESTOCK)
        .order_by(SlotEvent.id.desc())
        .limit(most)
    ).all()
    row = session.execute(
        _STRETCH,
        {
            "cabinet": cabinet.id,
            "slot": slot.id,
            "lot": stretch.refilled.offer.lot_id,
            "filled": restocked[most - 1] if len(restocked) == most else 0,
            "refilled": restocked[stretch.later],
            "since": stretch.filled.since or 0,
            "until": stretch.refilled.since,
        },
    ).one()
    units = max(0, int(min(row.sold, row.missing) - row.put_back))
    if not units:
        return 0
    session.add_all(
        [
            SlotEvent(
                slot_id=slot.id,
                offer_id=stretch.refilled.offer_id,
                lot_id=stretch.refilled.offer.lot_id,
                kind=SlotEventKind.COUNT,
                units=units,
                reason=LATE_SALE,
                report_id=row.report_id,
            ),
            StockDifference(
                cabinet_id=cabinet.id,
                slot_id=slot.id,
                name=LATE_SALE,
                units=units,
                explained_at=clock.now(),
            ),
        ]
    )
    return units
