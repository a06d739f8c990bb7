"""What the home page shows besides the shelf: what is on now, and the week's fair days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select

from kernel import clock
from kernel.db import db
from livestream.model import Broadcast, BroadcastOffer
from orders.model import Round, RoundOffer
from sellers.model import Offer
from sellers.queries import Card, ShelfFilters, cards, shelf

FAIR_DAYS = 7
PREORDERS_SHOWN = 4
INSTEAD_SHOWN = 3
# Among what was listed last there is enough that is not sold out.
INSTEAD_OF = 12
# Beyond this many units a case is drawn with one slat for each tenth.
MOST_SLATS = 30
TENTHS = 10


@dataclass(frozen=True, slots=True)
class OnAir:
    """A broadcast that is live, and the offer that its host shows now with what was sold."""

    broadcast: Broadcast
    card: Card
    sold: int


@dataclass(frozen=True, slots=True)
class Crate:
    """The open case of a pre-order: `slats` in all, `on` of them filled.

    `full` cases are closed, `missing` units are needed to close this one too.
    """

    case_units: int
    full: int
    missing: int
    slats: int
    on: int

    @classmethod
    def of(cls, ordered: int, case_units: int) -> Crate:
        """Return the crate after `ordered` units, in cases of `case_units`."""
        full, rest = divmod(ordered, case_units)
        if case_units <= MOST_SLATS:
            slats, on = case_units, rest
        else:
            slats, on = TENTHS, rest * TENTHS // case_units
        return cls(case_units, full, case_units - rest, slats, on)


@dataclass(frozen=True, slots=True)
class PreOrder:
    """An offer of the open round, and how many units of it have been ordered."""

    card: Card
    ordered: int

    @property
    def crate(self) -> Crate | None:
        """The open case; None for what is not packed in cases."""
        if self.card.case_units < 2:
            return None
        return Crate.of(self.ordered, self.card.case_units)


@dataclass(frozen=True, slots=True)
class OpenRound:
    """The round that closes next, and its first pre-orders, at most PREORDERS_SHOWN."""

    round: Round
    preorders: Sequence[PreOrder]


@dataclass(frozen=True, slots=True)
class FairDay:
    """One day of the week ahead and what happens on it: live, closing, harvest, handover."""

    day: date
    kinds: Sequence[str] = field(default_factory=tuple)


def on_air() -> OnAir | None:
    """Return the live broadcast that began last, of those with an offer that was not withdrawn.

    None when there is none. Two statements.
    """
    row = db.session.execute(
        select(Broadcast, Offer.public_id, Offer.sold)
        .join(BroadcastOffer, BroadcastOffer.broadcast_id == Broadcast.id)
        .join(Offer, Offer.id == BroadcastOffer.offer_id)
        .where(
            Broadcast.started_at.is_not(None),
            Broadcast.ended_at.is_(None),
            Offer.withdrawn_at.is_(None),
        )
        .order_by(
            Broadcast.started_at.desc(),
            BroadcastOffer.shown_at.desc().nulls_last(),
            BroadcastOffer.position,
        )
        .limit(1)
    ).first()
    if row is None:
        return None
    broadcast, public_id, sold = row
    return OnAir(broadcast, cards([public_id])[public_id], sold)


def open_round(at: datetime) -> OpenRound | None:
    """Return the open round that closes next, of those with an offer, and its first pre-orders.

    None when there is none. Two statements.
    """
    rows = db.session.execute(
        select(Round, Offer.public_id, Offer.sold)
        .join(RoundOffer, RoundOffer.round_id == Round.id)
        .join(Offer, Offer.id == RoundOffer.offer_id)
        .where(
            Round.opens_at <= at,
            Round.closes_at > at,
            Round.processed_at.is_(None),
            Offer.withdrawn_at.is_(None),
        )
        .order_by(Round.closes_at, Round.id, Offer.id)
        .limit(PREORDERS_SHOWN * 4)
    ).all()
    if not rows:
        return None
    first: Round = rows[0][0]
    sold = {public_id: units for one, public_id, units in rows if one.id == first.id}
    known = cards(list(sold)[:PREORDERS_SHOWN])
    return OpenRound(
        first, [PreOrder(known[one], units) for one, units in sold.items() if one in known]
    )


def fair_days(today: date) -> list[FairDay]:
    """Return the seven days from `today` on and what happens on each. Two statements."""
    week = [today + timedelta(days=ahead) for ahead in range(FAIR_DAYS)]
    begin, end = clock.start_of_day(today), clock.start_of_day(today + timedelta(days=FAIR_DAYS))
    happens: dict[date, list[str]] = {day: [] for day in week}
    for broadcast in db.session.scalars(
        select(Broadcast).where(
            Broadcast.ended_at.is_(None), Broadcast.planned_from < end, Broadcast.planned_to > begin
        )
    ):
        _mark(happens, "live", _span(broadcast.planned_from, broadcast.planned_to))
    rounds = db.session.scalars(
        select(Round).where(Round.opens_at < end, Round.closes_at >= begin - timedelta(days=60))
    ).all()
    for one in rounds:
        _mark(happens, "closing", [clock.local(one.closes_at).date()])
    for one in rounds:
        _mark(happens, "harvest", _days(one.harvest_from, one.harvest_to))
    for one in rounds:
        _mark(happens, "handover", [one.handover_on])
    return [FairDay(day, tuple(kinds)) for day, kinds in happens.items()]


def round_of(offer_id: int) -> Round | None:
    """Return the round in which an offer stands, None for any other offer."""
    return db.session.scalar(select(Round).join(RoundOffer).where(RoundOffer.offer_id == offer_id))


def _span(first: datetime, last: datetime) -> list[date]:
    return _days(clock.local(first).date(), clock.local(last).date())


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]


def _mark(happens: dict[date, list[str]], kind: str, days: Iterable[date]) -> None:
    for day in days:
        if day in happens and kind not in happens[day]:
            happens[day].append(kind)


def instead_of(card: Card, at: datetime) -> list[Card]:
    """Return what the shop sells under the same name, else what else its seller sells there."""
    for narrowed in (ShelfFilters(q=card.name_zh), ShelfFilters(seller=card.seller)):
        listed = shelf(narrowed, page_size=INSTEAD_OF, at=at).items
        if left := [one for one in listed if one.left > 0]:
            return left[:INSTEAD_SHOWN]
    return []
