"""Promising: units are taken from lots, under offers' quotas and limits, all or none.

Lots are queued for by id, and changed before offers, so that two buyers of the same things never
wait for each other in a circle. Locks leave the rows' keys free (NO KEY, as an UPDATE does):
whoever only writes a row that names a lot, as a listing or a device's sale does, waits for no
buyer, and none for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from psycopg.errors import DivisionByZero
from sqlalchemy import BindParameter, Row, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, LimitReached, NotFound, OfferClosed, OutOfStock
from kernel.money import Money
from kernel.reads import Write
from sellers import certificates
from sellers.model import BuyerTake, Lot, Offer, Place, Seller
from sellers.supply.queueing import in_turn


class PriceChanged(Conflict):
    """The offer costs something else than what the buyer agreed to."""

    code = "price_changed"
    message = _l("价格刚刚变了，还没有下单。看看新的合计，再点一次。")


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


FROZEN = (
    *("lot_id", "seller_id", "product_id", "name_zh", "name_en", "seller_name_zh"),
    *("seller_name_en", "unit_name", "unit_g", "picture", "category", "certificate_number"),
    *("harvest_from", "harvest_to"),
)
"""What every line keeps of Promised as it stands; its price beside its units."""


# What a line says of a product and its seller, and the certificate that held on the day.
_IN_WORDS = f"""
        p.name_zh, p.name_en, p.unit_name, p.unit_g, p.picture, p.category,
        org.name_zh AS seller_name_zh, org.name_en AS seller_name_en,
        coalesce((
            SELECT certificate.number FROM certificate
            WHERE {certificates.counts("o", ":day")}
            ORDER BY {certificates.OWN_FIRST} LIMIT 1
        ), '') AS certificate_number
"""  # noqa: S608 - put together from our own words alone

# One statement: lots first, then offers, then the buyer's own count. Each step runs only
# after the one before found room for every row, and each UPDATE checks its rule again on
# the newest version of the row, so two buyers can never both take the last unit.
_PROMISE = f"""
    WITH asked AS (
        SELECT offer_id, units, price_fen FROM (VALUES %s) AS w (offer_id, units, price_fen)
    ), seen AS (
        -- Who comes too late sees it here, and locks nothing that others wait for.
        SELECT asked.*, o.lot_id FROM asked
        JOIN offer o ON o.id = asked.offer_id
        JOIN lot ON lot.id = o.lot_id AND lot.promised + asked.units <= lot.offered
        LEFT JOIN buyer_take t ON t.offer_id = o.id AND t.buyer = :buyer
        WHERE (o.quota IS NULL OR o.sold + asked.units <= o.quota)
            AND (o.limit_per_buyer IS NULL
                OR coalesce(t.units, 0) + asked.units <= o.limit_per_buyer)
    ), wanted AS (
        SELECT * FROM seen WHERE (SELECT count(*) FROM seen) = :count AND %s
    ), lot_wanted AS (
        SELECT lot_id, CAST(sum(units) AS bigint) AS units FROM wanted GROUP BY lot_id
    ), {in_turn("lot_wanted")}, lot_done AS (
        UPDATE lot SET promised = promised + lot_wanted.units
        FROM lot_wanted CROSS JOIN their_turn WHERE lot.id = lot_wanted.lot_id
            AND lot.promised + lot_wanted.units <= lot.offered
            -- `Lot.is_harvested`
            AND (lot.mode = 'in_hand' OR lot.harvest_to IS NULL OR lot.harvest_to >= :day)
        RETURNING lot.id, lot.harvest_from, lot.harvest_to
    ), lots_ok AS (
        SELECT 1 AS yes WHERE (SELECT count(*) FROM lot_done) = (SELECT count(*) FROM lot_wanted)
    ), offer_done AS (
        UPDATE offer SET sold = sold + wanted.units
        FROM wanted CROSS JOIN lots_ok WHERE offer.id = wanted.offer_id
            AND (offer.quota IS NULL OR offer.sold + wanted.units <= offer.quota)
            AND offer.withdrawn_at IS NULL AND offer.opens_at <= :at
            AND (offer.closes_at IS NULL OR offer.closes_at > :at)
            AND offer.price_fen = coalesce(wanted.price_fen, offer.price_fen)
        RETURNING offer.*, wanted.units AS units
    ), taken AS (
        INSERT INTO buyer_take AS t (offer_id, buyer, units)
        SELECT id, :buyer, units FROM offer_done
        WHERE limit_per_buyer IS NOT NULL AND units <= limit_per_buyer
        ON CONFLICT (offer_id, buyer) DO UPDATE SET units = t.units + EXCLUDED.units
        WHERE t.units + EXCLUDED.units
            <= (SELECT limit_per_buyer FROM offer_done WHERE id = EXCLUDED.offer_id)
        RETURNING offer_id
    ), promised AS (
        SELECT o.id AS offer_id, o.lot_id, o.seller_id, o.product_id, o.place, o.units, o.price_fen,
            lot_done.harvest_from, lot_done.harvest_to,
            {_IN_WORDS}
        FROM offer_done o
        JOIN lot_done ON lot_done.id = o.lot_id
        JOIN product p ON p.id = o.product_id
        JOIN seller s ON s.id = o.seller_id AND s.state = 'verified'
        JOIN organisation org ON org.id = o.seller_id
        WHERE o.limit_per_buyer IS NULL OR o.id IN (SELECT offer_id FROM taken)
    ), whole AS (
        -- All or none: who got a part and not the rest divides by nothing, which undoes it all.
        SELECT 1 / CASE WHEN count(*) = (SELECT count(*) FROM wanted) THEN 1 ELSE 0 END AS yes
        FROM promised
    ), %s
    SELECT done.*, whole.yes FROM whole LEFT JOIN done ON true
    """  # noqa: S608 - put together from our own words alone


@dataclass(frozen=True, slots=True, eq=False)
class Then:
    """What becomes of the units within the statement that promises them.

    `words` are further parts of its WITH: they read `promised` (columns as in Promised, with
    `price_fen`), and one of them is called `done` and returned. `values` are their parameters;
    nothing is promised unless `provided` holds. Made once, for each of them is planned once.
    """

    words: str
    values: tuple[BindParameter[Any], ...] = ()
    provided: str = "true"


SHOWN = Then("done AS (SELECT * FROM promised)")


@cache
def _promise_of(count: int, then: Then) -> Write:
    """Return the statement for that many offers.

    Each stands in it by itself, so that PostgreSQL knows how many there are, whatever their
    values, and plans the statement once: planning takes longer than all the rest.
    """
    rows = ", ".join(f"(:offer_{n}, :units_{n}, :price_{n})" for n in range(count))
    names = (f"{name}_{n}" for n in range(count) for name in ("offer", "units", "price"))
    return Write(
        text(_PROMISE % (rows, then.provided, then.words)).bindparams(
            *(bindparam(name, type_=BigInteger) for name in names), *then.values
        )
    )


_LOCK_LOTS = text(
    f"""
    WITH wanted AS (
        SELECT lot_id FROM offer WHERE id = ANY(:offers)
    ), {in_turn("wanted")}
    SELECT lot.id FROM lot JOIN wanted ON lot.id = wanted.lot_id CROSS JOIN their_turn
    ORDER BY lot.id FOR NO KEY UPDATE OF lot
    """  # noqa: S608 - put together from our own words alone
).bindparams(bindparam("offers", type_=ARRAY(BigInteger)))


def lock(offer_ids: Collection[int]) -> None:
    """Lock the lots of these offers, then the offers, both by id, until the transaction ends.

    Whoever gives units back and promises others in one transaction calls this first for
    all of them, so that two such buyers never wait for each other in a circle.
    """
    with transaction() as session:
        session.execute(_LOCK_LOTS, {"offers": list(offer_ids)})
        offers = select(Offer.id).where(Offer.id.in_(offer_ids)).order_by(Offer.id)
        session.execute(offers.with_for_update(key_share=True))


def prices_of(offer_ids: Collection[int]) -> dict[int, int]:
    """Return what each offer costs now, in fen, by id. Raises NotFound if there is none of them."""
    rows = db.session.execute(
        select(Offer.id, Offer.price_fen).where(Offer.id.in_(offer_ids))
    ).all()
    if len(rows) != len(set(offer_ids)):
        raise NotFound()
    return {row.id: row.price_fen for row in rows}


def promise(
    wanted: Mapping[int, int],
    *,
    buyer: str,
    at: datetime,
    prices: Mapping[int, int] | None = None,
    returning: Mapping[int, int] | None = None,
    then: Then = SHOWN,
    values: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Promise units of offers (offer id → whole units) to `buyer`, all or none; return `then.done`.

    One statement with what `then` writes. Outside `transaction()` it is committed with its end,
    so that others wait for no answer of ours; inside, a refusal has rolled back what was done.

    `buyer` is a stable name of the buyer (`a:<account>` or `v:<visitor>`), for limits per buyer.
    `prices` (offer id → fen) are those that the buyer agreed to. `returning` says what the same
    buyer gave back earlier in this transaction, so that a refusal names what is left for this
    buyer. Raises NotFound, OfferClosed, LimitReached, OutOfStock (with offer_id and left) or
    PriceChanged.
    """
    _check_units(wanted)
    try:
        rows = _promise_of(len(wanted), then).rows(
            **_asked(wanted, prices),
            **(values or {}),
            count=len(wanted),
            buyer=buyer,
            at=at,
            day=clock.local(at).date(),
        )
    except DivisionByZero:
        rows = []
    done = [row for row in rows if row[0] is not None]
    if not done:
        raise _why_not(wanted, buyer, at, prices or {}, returning or {})
    return done


def _check_units(wanted: Mapping[int, int]) -> None:
    if not wanted or any(units <= 0 for units in wanted.values()):
        raise ValueError("units are whole and at least one")


def _asked(wanted: Mapping[int, int], prices: Mapping[int, int] | None) -> dict[str, Any]:
    """Return the parameters of each offer, as `_promise_of` numbers them."""
    asked: dict[str, Any] = {}
    for n, (offer_id, units) in enumerate(wanted.items()):
        price = prices[offer_id] if prices is not None else None
        asked |= {f"offer_{n}": offer_id, f"units_{n}": units, f"price_{n}": price}
    return asked


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
        day = clock.local(at).date()
        rows = session.execute(_FREEZE, {"offers": sorted(offer_ids), "day": day}).all()
    if len(rows) != len(set(offer_ids)):
        raise NotFound()
    return {row.offer_id: _promised(row) for row in rows}


_PROMISE_LOTS = text(
    f"""
    WITH wanted AS (
        SELECT lot_id, units FROM unnest(:lots, :units) AS w (lot_id, units)
    ), {in_turn("wanted")}
    UPDATE lot SET promised = promised + wanted.units FROM wanted CROSS JOIN their_turn
    WHERE lot.id = wanted.lot_id AND lot.promised + wanted.units <= lot.offered
    RETURNING lot.id
    """  # noqa: S608 - put together from our own words alone
).bindparams(
    bindparam("lots", type_=ARRAY(BigInteger)), bindparam("units", type_=ARRAY(BigInteger))
)


def promise_lots(wanted: Mapping[int, int]) -> None:
    """Move units out of lots (lot id → whole units), all or none, to where they are sold later.

    A cabinet's slots are filled so: the lot's promise is made when they are, and a sale from
    a slot promises nothing again. Raises OutOfStock (with lot_id and left).
    """
    _check_units(wanted)
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
    wanted: Mapping[int, int],
    buyer: str,
    at: datetime,
    prices: Mapping[int, int],
    returning: Mapping[int, int],
) -> Exception:
    """Find the first offer that cannot be promised, and name the reason.

    What the buyer gave back in this transaction goes by the rollback; `returning` adds it again.
    """
    db.session.rollback()
    rows = db.session.execute(
        select(Offer, Lot, Seller, BuyerTake.units)
        .join(Lot, Offer.lot_id == Lot.id)
        .join(Seller, Offer.seller_id == Seller.id)
        .outerjoin(BuyerTake, (BuyerTake.offer_id == Offer.id) & (BuyerTake.buyer == buyer))
        .where(Offer.id.in_(wanted))
        .order_by(Offer.id)
    ).all()
    if len(rows) != len(wanted):
        return NotFound()
    by_lot: dict[int, int] = {}
    for offer, lot, _, taken in rows:
        units, back = wanted[offer.id], returning.get(offer.id, 0)
        by_lot[lot.id] = by_lot.get(lot.id, 0) + units - back
        if not offer.is_on_sale(at):
            return OfferClosed(offer_id=offer.public_id)
        limit = offer.limit_per_buyer
        held = (taken or 0) - back
        if limit is not None and held + units > limit:
            return LimitReached(offer_id=offer.public_id, limit=limit, taken=held)
        left = max(0, offer.left + back)
        if units > left or by_lot[lot.id] > lot.left:
            return OutOfStock(offer_id=offer.public_id, left=left)
        if offer.price_fen != prices.get(offer.id, offer.price_fen):
            return PriceChanged(offer_id=offer.public_id)
    # Somebody else gave units back between the two reads: trying again will succeed.
    return OutOfStock(offer_id=rows[0][0].public_id, left=0)
