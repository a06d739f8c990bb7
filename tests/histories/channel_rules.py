"""What happens in broadcasts and cabinets."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import select

from cabinets.actions import trips
from cabinets.actions.reports import Report, receive
from cabinets.actions.trips import CountLine, ReturnLine, TripLine
from kernel.db import db
from livestream import actions as live
from livestream.model import Broadcast, BroadcastKind
from sellers.model import Lot, LotMode
from tests.histories.road_rules import RoadRules
from tests.histories.shop_rules import FEW, PICK
from tests.histories.world import some

SLOT = st.integers(1, 2)


class ChannelRules(RoadRules):
    """Steps of hosts, operators and devices."""

    def lots_in_hand(self) -> list[Lot]:
        """Lots that can be sold anywhere, the oldest first."""
        where = Lot.mode == LotMode.IN_HAND
        return list(db.session.scalars(select(Lot).where(where).order_by(Lot.id)))

    @rule(lot=PICK, quota=FEW, limit=st.none() | FEW)
    def broadcast(self, lot: int, quota: int, limit: int | None) -> None:
        """A broadcast with one pinned lot goes live."""
        lots = self.lots_in_hand()
        if not lots:
            return
        name, at = some(lots, lot).public_id, self.time.at
        plan = live.Plan("直播", "", BroadcastKind.LIVESTREAM, "", "", at, at + timedelta(hours=2))
        made = live.plan_broadcast(self.world.host, plan)
        pin = live.Pin(name, 450, quota, limit)
        self.world.tried(lambda: live.pin_offer(self.world.host, made.code, pin))
        self.world.tried(lambda: live.start(self.world.host, made.code))

    @precondition(lambda self: self.has("broadcasts"))
    @rule(broadcast=PICK)
    def end_a_broadcast(self, broadcast: int) -> None:
        codes = db.session.scalars(select(Broadcast.code).order_by(Broadcast.id)).all()
        if codes:
            self.world.tried(lambda: live.end(self.world.host, some(codes, broadcast)))

    @rule(slot=SLOT, units=FEW, lot=st.none() | PICK)
    def restock(self, slot: int, units: int, lot: int | None) -> None:
        lots = self.lots_in_hand()
        name = some(lots, lot).public_id if lots and lot is not None else None
        line = TripLine(slot, units, name, 500 if name else None)
        where = (self.world.operator, self.world.cabinet)
        self.world.tried(lambda: trips.restock(*where, [line]))

    @precondition(lambda self: self.has("slot_events"))
    @rule(slot=SLOT, units=FEW)
    def take_back(self, slot: int, units: int) -> None:
        where = (self.world.operator, self.world.cabinet)
        self.world.tried(lambda: trips.give_back(*where, [ReturnLine(slot, units)]))

    @precondition(lambda self: self.has("slot_events"))
    @rule(slot=SLOT, expected=st.integers(-2, 6), counted=st.integers(0, 6))
    def count(self, slot: int, expected: int, counted: int) -> None:
        where = (self.world.operator, self.world.cabinet)
        line = CountLine(slot, expected, counted, "miscount")
        self.world.tried(lambda: trips.take_stock(*where, [line]))

    @precondition(lambda self: self.has("slot_events"))
    @rule(sales=st.lists(st.tuples(st.integers(1, 12), SLOT, FEW), min_size=1, max_size=4))
    def report(self, sales: list[tuple[int, int, int]]) -> None:
        """The cabinet's device reports sales: new ones, repeats, and other ones under old numbers.

        What it sold has happened, whatever we expected to be in the slot.
        """
        reports = [
            Report(number, "sale", {"slot": slot, "units": units}) for number, slot, units in sales
        ]
        self.world.tried(lambda: receive(self.world.cabinet, reports))
