"""Releasing: units go back to lots, offers and buyers' counts; lots first, as in promising.

Who has queued for a lot has its offers' rows to itself, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import joinedload
from sqlalchemy.types import BigInteger, Text

from kernel.db import transaction
from sellers.model import BuyerTake, Lot, Offer, SellerState
from sellers.supply.promising import lock
from sellers.supply.queueing import in_turn


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Units that return from a line to its lot and offer."""

    offer_id: int
    lot_id: int
    units: int
    buyer: str


_RELEASE_LOTS = text(
    f"""
    WITH back AS (
        SELECT lot_id, sum(units) AS units FROM unnest(:lots, :units) AS b (lot_id, units)
        GROUP BY lot_id
    ), {in_turn("back")}
    UPDATE lot SET promised = promised - back.units FROM back CROSS JOIN their_turn
    WHERE lot.id = back.lot_id
    """  # noqa: S608 - put together from our own words alone
).bindparams(
    bindparam("lots", type_=ARRAY(BigInteger)), bindparam("units", type_=ARRAY(BigInteger))
)
_RELEASE_OFFERS = text(
    """
    WITH back AS (
        SELECT offer_id, sum(units) AS units FROM unnest(:offers, :units) AS b (offer_id, units)
        GROUP BY offer_id
    )
    UPDATE offer SET sold = sold - back.units FROM back WHERE offer.id = back.offer_id
    """
).bindparams(
    bindparam("offers", type_=ARRAY(BigInteger)), bindparam("units", type_=ARRAY(BigInteger))
)
_RELEASE_TAKES = text(
    """
    UPDATE buyer_take t SET units = t.units - b.units
    FROM (
        SELECT offer_id, buyer, sum(units) AS units
        FROM unnest(:offers, :buyers, :units) AS b (offer_id, buyer, units)
        GROUP BY offer_id, buyer
    ) b
    WHERE t.offer_id = b.offer_id AND t.buyer = b.buyer
    """
).bindparams(
    bindparam("offers", type_=ARRAY(BigInteger)),
    bindparam("buyers", type_=ARRAY(Text)),
    bindparam("units", type_=ARRAY(BigInteger)),
)


def release_lots(given_back: Mapping[int, int]) -> None:
    """Give units that `promise_lots` moved out back to their lots (lot id → whole units)."""
    if any(units <= 0 for units in given_back.values()):
        raise ValueError("units are whole and at least one")
    with transaction() as session:
        session.execute(
            _RELEASE_LOTS, {"lots": list(given_back.keys()), "units": list(given_back.values())}
        )


def release(given_back: Sequence[GivenBack]) -> None:
    """Give units back to their lots, offers and buyers' counts: lots first, then offers."""
    kept = [one for one in given_back if one.units > 0]
    if not kept:
        return
    units = [one.units for one in kept]
    offers = [one.offer_id for one in kept]
    with transaction() as session:
        session.execute(_RELEASE_LOTS, {"lots": [one.lot_id for one in kept], "units": units})
        session.execute(_RELEASE_OFFERS, {"offers": offers, "units": units})
        session.execute(
            _RELEASE_TAKES,
            {"offers": offers, "buyers": [one.buyer for one in kept], "units": units},
        )


def take_again(units_back: Sequence[GivenBack]) -> bool:
    """Promise once more what was given back, all of it or none; tell whether it was.

    For a payment that came late: its buyer chose in time, so an offer's window and limit no
    longer count, but the lot, the quota and the seller's verification do.
    """
    kept = [one for one in units_back if one.units > 0]
    by_offer, by_lot = Counter[int](), Counter[int]()
    for one in kept:
        by_offer[one.offer_id] += one.units
        by_lot[one.lot_id] += one.units
    with transaction() as session:
        lock(by_offer.keys())
        offers = session.scalars(
            select(Offer)
            .where(Offer.id.in_(by_offer))
            .options(joinedload(Offer.lot).joinedload(Lot.seller))
            .execution_options(populate_existing=True)
        ).all()
        for offer in offers:
            room = offer.quota is None or offer.sold + by_offer[offer.id] <= offer.quota
            verified = offer.lot.seller.state == SellerState.VERIFIED
            if not (room and verified and by_lot[offer.lot_id] <= offer.lot.left):
                return False
        for offer in offers:
            offer.sold += by_offer[offer.id]
            offer.lot.promised += by_lot.pop(offer.lot_id, 0)
        for one in kept:
            session.execute(
                update(BuyerTake)
                .where(BuyerTake.offer_id == one.offer_id, BuyerTake.buyer == one.buyer)
                .values(units=BuyerTake.units + one.units)
            )
    return True
