"""The shop with its stock rule taken out: the control of the races, never a shop to sell from.

What is left is how stock is often counted: read what is there, compare, write what is taken.
The database's own CHECKs are dropped by whoever starts this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from kernel.db import transaction
from kernel.errors import LimitReached, OutOfStock
from orders import placing
from sellers.model import BuyerTake, Lot, Offer
from sellers.supply import Promised, freeze
from wsgi import app

__all__ = ["app"]


def naive_promise(
    wanted: Mapping[int, int],
    *,
    buyer: str,
    at: datetime,
    returning: Mapping[int, int] | None = None,
) -> list[Promised]:
    """Promise as `sellers.supply.promise` does, for a shop with one buyer at a time."""
    with transaction() as session:
        offers = [session.get_one(Offer, offer_id) for offer_id in wanted]
        for offer in offers:
            taken = session.scalar(
                select(BuyerTake.units).where(
                    BuyerTake.offer_id == offer.id, BuyerTake.buyer == buyer
                )
            )
            units = wanted[offer.id]
            if units > offer.left:
                raise OutOfStock(offer_id=offer.public_id, left=offer.left)
            if offer.limit_per_buyer and (taken or 0) + units > offer.limit_per_buyer:
                raise LimitReached(offer_id=offer.public_id)
        for offer in offers:
            units = wanted[offer.id]
            take = insert(BuyerTake).values(offer_id=offer.id, buyer=buyer, units=units)
            session.execute(
                update(Lot).where(Lot.id == offer.lot_id).values(promised=Lot.promised + units)
            )
            session.execute(
                update(Offer).where(Offer.id == offer.id).values(sold=Offer.sold + units)
            )
            session.execute(
                take.on_conflict_do_update(
                    index_elements=[BuyerTake.offer_id, BuyerTake.buyer],
                    set_={"units": BuyerTake.units + units},
                )
            )
        frozen = freeze(wanted.keys(), at)
        return [replace(frozen[offer_id], units=units) for offer_id, units in wanted.items()]


vars(placing)["promise"] = naive_promise
