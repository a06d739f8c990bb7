"""The shop with its stock rule taken out: the control of the races, never a shop to sell from.

What is left is how stock is often counted: read what is there, compare, write what is taken.
The database's own CHECKs are dropped by whoever starts this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from kernel.db import transaction
from kernel.errors import LimitReached, OutOfStock
from kernel.reads import Write
from orders import placing
from sellers.model import BuyerTake, Lot, Offer
from sellers.supply import Then, freeze
from wsgi import app

__all__ = ["app"]


_KEPT = """
    WITH promised AS (
        SELECT * FROM jsonb_to_recordset(CAST(:frozen AS jsonb)) AS f (offer_id bigint,
            lot_id bigint, seller_id bigint, product_id bigint, name_zh text, name_en text,
            seller_name_zh text, seller_name_en text, unit_name text, unit_g bigint, picture text,
            category text, certificate_number text, harvest_from date, harvest_to date,
            price_fen bigint, units bigint)
    ), {then} SELECT * FROM done
"""


def naive_promise(
    wanted: Mapping[int, int],
    *,
    buyer: str,
    at: datetime,
    then: Then,
    values: Mapping[str, Any],
    **_: object,
) -> list[Any]:
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
        frozen = [
            {**asdict(one), "price_fen": one.price.fen, "units": wanted[offer_id]}
            for offer_id, one in freeze(wanted.keys(), at).items()
        ]
        kept = Write(text(_KEPT.format(then=then.words)).bindparams(*then.values))
        told = json.dumps(frozen, default=str)
        return kept.rows(**values, at=at, frozen=told)


vars(placing)["promise"] = naive_promise
