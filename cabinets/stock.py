"""Expected stock: what a slot should hold is the sum of its events, said once."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, cast, func, select

from cabinets.model import Slot, SlotEvent, SlotEventKind
from kernel.db import transaction

MOVED = (SlotEventKind.RESTOCK, SlotEventKind.RETURN)
"""Events that move units between a lot and a slot."""


def expected_units() -> ScalarSelect[int]:
    """Return the expected units of the `Slot` that the surrounding statement selects.

    Below zero means that more was sold than we knew to be there.
    """
    units = func.coalesce(func.sum(SlotEvent.units), 0)
    query = select(cast(units, BigInteger)).where(SlotEvent.slot_id == Slot.id).correlate(Slot)
    return query.scalar_subquery()


def expected_of(slot_ids: Collection[int]) -> dict[int, int]:
    """Return slot id → expected units, as `expected_units` has it."""
    with transaction() as session:
        rows = session.execute(
            select(Slot.id, expected_units().label("units")).where(Slot.id.in_(slot_ids))
        ).all()
    return {row.id: row.units for row in rows}


def moved_into(slot_id: int, lot_id: int) -> int:
    """Return the units of a lot that were moved into a slot and not returned."""
    with transaction() as session:
        return int(
            session.scalar(
                select(func.coalesce(func.sum(SlotEvent.units), 0)).where(
                    SlotEvent.slot_id == slot_id,
                    SlotEvent.lot_id == lot_id,
                    SlotEvent.kind.in_(MOVED),
                )
            )
            or 0
        )


def room_left() -> ColumnElement[int]:
    """Return how many units the `Slot` that is selected still takes: `room_in`, said in SQL."""
    return func.greatest(Slot.capacity - func.greatest(expected_units(), 0), 0)


def room_in(capacity: int, expected: int) -> int:
    """Return how many units a slot still takes; a deficit does not make it larger."""
    return max(0, capacity - max(0, expected))
