"""Promising: units are taken from lots, under offers' quotas and limits, all or none.

Lots are locked before offers and both by id, so that two buyers of the same things never wait
for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from kernel.db import transaction
from kernel.errors import LimitReached, NotFound, OfferClosed, OutOfStock
from kernel.money import Money
from sellers.model import BuyerTake, Lot, Offer, Place, Seller, SellerState


@dataclass(frozen=True, slots=True)
class Promised:
    """One offer as it was when its units were promised: what a line freezes (law 9)."""

    offer_id: int
    lot_id: int
    seller_id: int
    product_id: int
    place: Place
    units: int
    price: Money
    name_zh: str
    name_en: str
    seller_name_zh: str
    seller_name_en: str
    unit_name: str
    unit_g: int
    picture: str
    category: str
    harvest_from: date | None
    harvest_to: date | None
    certificate_number: str


# What a line says of a product and its seller, and the certificate that held on the day.
_IN_WORDS = """
        p.name_zh, p.name_en, p.unit_name, p.unit_g, p.picture, p.category,
        org.name_zh AS seller_name_zh, org.name_en AS seller_name_en,
        coalesce((
            SELECT c.number FROM certificate c
            WHERE c.seller_id = o.seller_id
                AND (c.product_id IS NULL OR c.product_id = o.product_id)
                AND (c.valid_until IS NULL OR c.valid_until >= :day) AND c.state = 'accepted'
            ORDER BY c.product_id NULLS LAST, c.id DESC LIMIT 1
        ), '') AS certificate_number
"""

# One statement: lots first, then offers, then the buyer's own count. Each step runs only
# after the one before found room for every row, and each UPDATE checks its rule again on
# the newest version of the row, so two buyers can never both take the last unit.
_PROMISE = f"""
    WITH wanted AS (
        SELECT offer_id, units, (SELECT lot_id FROM offer WHERE id = offer_id) AS lot_id
        FROM (VALUES %s) AS w (offer_id, units)
    ), lot_wanted AS (
        SELECT lot_id, CAST(sum(units) AS bigint) AS units FROM wanted GROUP BY lot_id
    ), lot_locked AS (
        SELECT lot.id, lot_wanted.units FROM lot JOIN lot_wanted ON lot.id = lot_wanted.lot_id
        ORDER BY lot.id FOR UPDATE OF lot
    ), lot_done AS (
        UPDATE lot SET promised = promised + lot_locked.units
        FROM lot_locked WHERE lot.id = lot_locked.id
            AND lot.promised + lot_locked.units <= lot.offered
        RETURNING lot.id, lot.harvest_from, lot.harvest_to
    ), lots_ok AS (
        SELECT 1 AS yes WHERE (SELECT count(*) FROM lot_done) = (SELECT count(*) FROM lot_wanted)
    ), offer_locked AS (
        SELECT offer.id, wanted.units FROM offer
        JOIN wanted ON offer.id = wanted.offer_id CROSS JOIN lots_ok
        ORDER BY offer.id FOR UPDATE OF offer
    ), offer_done AS (
        UPDATE offer SET sold = sold + offer_locked.units
        FROM offer_locked WHERE offer.id = offer_locked.id
            AND (offer.quota IS NULL OR offer.sold + offer_locked.units <= offer.quota)
            AND offer.withdrawn_at IS NULL AND offer.opens_at <= :at
            AND (offer.closes_at IS NULL OR offer.closes_at > :at)
        RETURNING offer.*, offer_locked.units AS units
    ), taken AS (
        INSERT INTO buyer_take AS t (offer_id, buyer, units)
        SELECT id, :buyer, units FROM offer_done
        WHERE limit_per_buyer IS NOT NULL AND units <= limit_per_buyer
        ON CONFLICT (offer_id, buyer) DO UPDATE SET units = t.units + EXCLUDED.units
        WHERE t.units + EXCLUDED.units
            <= (SELECT limit_per_buyer FROM offer_done WHERE id = EXCLUDED.offer_id)
        RETURNING offer_id
    )
    SELECT o.id AS offer_id, o.lot_id, o.seller_id, o.product_id, o.place, o.units, o.price_fen,
        lot_done.harvest_from, lot_done.harvest_to,
        {_IN_WORDS}
    FROM offer_done o
    JOIN lot_done ON lot_done.id = o.lot_id
    JOIN product p ON p.id = o.product_id
    JOIN seller s ON s.id = o.seller_id AND s.state = 'verified'
    JOIN organisation org ON org.id = o.seller_id
    WHERE o.limit_per_buyer IS NULL OR o.id IN (SELECT offer_id FROM taken)
    ORDER BY o.id
    """  # noqa: S608 - put together from our own words alone


@cache
def _promise_of(count: int) -> TextClause:
    """Return the statement for that many offers.

    Each stands in it by itself, so that PostgreSQL knows how many there are, whatever their
    values, and plans the statement once: planning takes longer than all the rest.
    """
    numbers = range(count)
    rows = ", ".join(f"(:offer_{n}, :units_{n})" for n in numbers)
    names = (f"{name}_{n}" for n in numbers for name in ("offer", "units"))
    return text(_PROMISE % rows).bindparams(*(bindparam(name, type_=BigInteger) for name in names))


def lock(offer_ids: Collection[int]) -> None:
    """Lock the lots of these offers, then the offers, both by id, until the transaction ends.

    Whoever gives units back and promises others in one transaction calls this first for
    all of them, so that two such buyers never wait for each other in a circle.
    """
    with transaction() as session:
        lots = select(Offer.lot_id).where(Offer.id.in_(offer_ids))
        session.execute(select(Lot.id).where(Lot.id.in_(lots)).order_by(Lot.id).with_for_update())
        session.execute(
            select(Offer.id).where(Offer.id.in_(offer_ids)).order_by(Offer.id).with_for_update()
        )


def promise(
    wanted: Mapping[int, int],
    *,
    buyer: str,
    at: datetime,
    returning: Mapping[int, int] | None = None,
) -> list[Promised]:
    """Promise units of offers (offer id → whole units) to `buyer`, all or none.

    Returns what each line freezes, by offer id. `buyer` is a stable name of the buyer
    (`a:<account>` or `v:<visitor>`), for limits per buyer. `returning` says what the same
    buyer gave back earlier in this transaction, so that a refusal names what is left for
    this buyer. Raises NotFound, OfferClosed, LimitReached or OutOfStock (with offer_id and
    left), each of which rolls back the surrounding transaction.
    """
    if not wanted or any(units <= 0 for units in wanted.values()):
        raise ValueError("units are whole and at least one")
    with transaction() as session:
        rows = session.execute(
            _promise_of(len(wanted)),
            {
                **{f"offer_{n}": offer_id for n, offer_id in enumerate(wanted)},
                **{f"units_{n}": units for n, units in enumerate(wanted.values())},
                "buyer": buyer,
                "at": at,
                "day": at.date(),
            },
        ).all()
        if len(rows) != len(wanted):
            raise _why_not(wanted, buyer, at, returning or {})
    return [_promised(row) for row in rows]


def _promised(row: Row[Any]) -> Promised:
    return Promised(
        place=Place(row.place),
        price=Money(row.price_fen),
        **{
            name: getattr(row, name)
            for name in Promised.__slots__
            if name not in {"place", "price"}
        },
    )


_FREEZE = text(
    f"""
    SELECT o.id AS offer_id, o.lot_id, o.seller_id, o.product_id, o.place,
        CAST(1 AS bigint) AS units, o.price_fen,
        lot.harvest_from, lot.harvest_to,
        {_IN_WORDS}
    FROM offer o
    JOIN lot ON lot.id = o.lot_id
    JOIN product p ON p.id = o.product_id
    JOIN organisation org ON org.id = o.seller_id
    WHERE o.id = ANY(:offers)
    """  # noqa: S608 - put together from our own words alone
).bindparams(bindparam("offers", type_=ARRAY(BigInteger)))


def freeze(offer_ids: Collection[int], at: datetime) -> dict[int, Promised]:
    """Return what a line of one unit freezes of each offer as it is at `at`; promise nothing.

    For sales that have happened, whatever an offer's window, quota or lot would say now.
    Raises NotFound if one of them does not exist.
    """
    with transaction() as session:
        rows = session.execute(_FREEZE, {"offers": sorted(offer_ids), "day": at.date()}).all()
    if len(rows) != len(set(offer_ids)):
        raise NotFound()
    return {row.offer_id: _promised(row) for row in rows}


_PROMISE_LOTS = text(
    """
    WITH wanted AS (
        SELECT lot_id, units FROM unnest(:lots, :units) AS w (lot_id, units)
    ), locked AS (
        SELECT lot.id, wanted.units FROM lot JOIN wanted ON lot.id = wanted.lot_id
        ORDER BY lot.id FOR UPDATE OF lot
    )
    UPDATE lot SET promised = promised + locked.units FROM locked
    WHERE lot.id = locked.id AND lot.promised + locked.units <= lot.offered
    RETURNING lot.id
    """
).bindparams(
    bindparam("lots", type_=ARRAY(BigInteger)), bindparam("units", type_=ARRAY(BigInteger))
)


def promise_lots(wanted: Mapping[int, int]) -> None:
    """Move units out of lots (lot id → whole units), all or none, to where they are sold later.

    A cabinet's slots are filled so: the lot's promise is made when they are, and a sale from
    a slot promises nothing again. Raises OutOfStock (with lot_id and left).
    """
    if not wanted or any(units <= 0 for units in wanted.values()):
        raise ValueError("units are whole and at least one")
    with transaction() as session:
        done = set(
            session.scalars(
                _PROMISE_LOTS, {"lots": list(wanted.keys()), "units": list(wanted.values())}
            )
        )
        for lot_id in sorted(wanted.keys() - done):
            lot = session.execute(
                select(Lot.public_id, (Lot.offered - Lot.promised).label("left")).where(
                    Lot.id == lot_id
                )
            ).one_or_none()
            if lot is None:
                raise NotFound()
            raise OutOfStock(lot_id=lot.public_id, left=lot.left)


def _why_not(
    wanted: Mapping[int, int], buyer: str, at: datetime, returning: Mapping[int, int]
) -> Exception:
    """Find the first offer that cannot be promised, and name the reason.

    What the statement already took goes by the rollback, and so does what the buyer gave
    back in this transaction; `returning` adds the latter again.
    """
    with transaction() as session:
        session.rollback()
        rows = session.execute(
            select(Offer, Lot, Seller.state, BuyerTake.units)
            .join(Lot, Offer.lot_id == Lot.id)
            .join(Seller, Offer.seller_id == Seller.id)
            .outerjoin(BuyerTake, (BuyerTake.offer_id == Offer.id) & (BuyerTake.buyer == buyer))
            .where(Offer.id.in_(wanted))
            .order_by(Offer.id)
        ).all()
    if len(rows) != len(wanted):
        return NotFound()
    by_lot: dict[int, int] = {}
    for offer, lot, state, taken in rows:
        units, back = wanted[offer.id], returning.get(offer.id, 0)
        by_lot[lot.id] = by_lot.get(lot.id, 0) + units - back
        if state != SellerState.VERIFIED or not offer.is_open(at):
            return OfferClosed(offer_id=offer.public_id)
        limit = offer.limit_per_buyer
        held = (taken or 0) - back
        if limit is not None and held + units > limit:
            return LimitReached(offer_id=offer.public_id, limit=limit, taken=held)
        left = max(0, offer.left + back)
        if units > left or by_lot[lot.id] > lot.left:
            return OutOfStock(offer_id=offer.public_id, left=left)
    # Somebody else gave units back between the two reads: trying again will succeed.
    return OutOfStock(offer_id=rows[0][0].public_id, left=0)
