"""THE crediting rule: whose sale is it?

An offer in a broadcast, a round or a cabinet slot credits that place. A shop offer is
credited to the latest broadcast touch within its window, else to the latest share link
within its window, else to the shop. Every other touch within its window is an assist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import BigInteger, DateTime, Text, bindparam, text

from kernel.reads import Read
from orders.model import CreditKind
from orders.placing import Buyer, Credited
from sellers.model import Place

SHOP_CODE = "shop"


@dataclass(frozen=True, slots=True)
class Seen:
    """A touch of one buyer that is still within its window."""

    kind: CreditKind
    code: str
    source_id: int
    at: datetime


def decide(
    place: Place,
    place_source_id: int | None,
    shop_source_id: int,
    touches: Sequence[Seen],
    touch_code: str | None = None,
) -> Credited:
    """Return the primary credit and the assists of one offer. Pure.

    `place_source_id` is the source of a broadcast, round or slot, None for the shop.
    `touch_code`, sent by a client, counts as the latest touch of its kind, and only if it
    names one of `touches`: a code alone proves nothing.
    """
    latest = sorted(touches, key=lambda seen: (seen.code == touch_code, seen.at), reverse=True)
    primary = place_source_id
    if place is Place.SHOP or primary is None:
        primary = _latest_of(latest, (CreditKind.BROADCAST, CreditKind.SHARE)) or shop_source_id
    assists = dict.fromkeys(seen.source_id for seen in latest if seen.source_id != primary)
    return Credited(primary, tuple(assists))


def _latest_of(latest: Iterable[Seen], kinds: Sequence[CreditKind]) -> int | None:
    newest: dict[CreditKind, int] = {}
    for seen in latest:
        newest.setdefault(seen.kind, seen.source_id)
    return next((newest[kind] for kind in kinds if kind in newest), None)


# What is bought, where it stands, and what its buyer has seen: one statement, however many
# offers. The touches are looked for once, not for each offer.
_WARES = """
    WITH seen AS (
        SELECT DISTINCT ON (touch.credit_source_id)
            touch.kind, touch.code, touch.credit_source_id AS source_id, touch.at
        FROM touch
        CROSS JOIN LATERAL (
            SELECT days FROM credit_window w
            WHERE w.kind = touch.kind AND w.valid_from <= :at ORDER BY valid_from DESC LIMIT 1
        ) allowed
        LEFT JOIN share_link ON share_link.credit_source_id = touch.credit_source_id
        WHERE (touch.visitor = :visitor OR touch.account_id = :account)
            AND touch.at > :at - allowed.days * interval '24 hours'
            AND touch.at <= :at
            -- Nobody is credited for what they buy through their own link.
            AND (share_link.owner_id IS NULL OR share_link.owner_id IS DISTINCT FROM :account)
        ORDER BY touch.credit_source_id, touch.at DESC
    )
    SELECT o.public_id, o.id, o.place, o.price_fen,
        coalesce(
            (SELECT b.credit_source_id FROM broadcast_offer bo
                JOIN broadcast b ON b.id = bo.broadcast_id WHERE bo.offer_id = o.id),
            (SELECT r.credit_source_id FROM round_offer ro
                JOIN round r ON r.id = ro.round_id WHERE ro.offer_id = o.id)
        ) AS place_source_id,
        (SELECT id FROM credit_source WHERE kind = 'shop' AND code = :shop) AS shop_source_id,
        (SELECT jsonb_agg(jsonb_build_array(kind, code, source_id, at)) FROM seen) AS touches
    FROM offer o WHERE o.public_id IN (%s)
"""


@cache
def _wares_of(count: int) -> Read:
    """Return the read of that many offers.

    Each stands in it by itself: only then a plan that was made once is as good as a new one.
    """
    names = [f"offer_{n}" for n in range(count)]
    return Read(
        text(_WARES % ", ".join(f":{name}" for name in names)).bindparams(
            bindparam("at", type_=DateTime(timezone=True)),
            bindparam("account", type_=BigInteger),
            *(bindparam(name, type_=Text) for name in ("visitor", "shop", *names)),
        )
    )


@dataclass(frozen=True, slots=True)
class Ware:
    """An offer about to be bought: its key inside, place and price, whose sale it would be."""

    offer_id: int
    place: Place
    price_fen: int
    credited: Credited


def wares(
    offers: Collection[str], buyer: Buyer, touch_code: str | None, at: datetime
) -> dict[str, Ware]:
    """Return what `buyer` would buy at `at` and whose sale each would be, by public id.

    One statement, however many offers; unknown ones are left out.
    """
    rows = _wares_of(len(offers)).rows(
        **{f"offer_{n}": offer for n, offer in enumerate(offers)},
        shop=SHOP_CODE,
        visitor=buyer.visitor or None,
        account=buyer.account_id,
        at=at,
    )
    return {row[0]: _ware(touch_code, *row[1:]) for row in rows}


def _ware(
    touch_code: str | None,
    offer_id: int,
    place: str,
    price_fen: int,
    place_source_id: int | None,
    shop_source_id: int,
    touched: Sequence[tuple[str, str, int, str]] | None,
) -> Ware:
    touches = [
        Seen(CreditKind(kind), code, source_id, datetime.fromisoformat(at))
        for kind, code, source_id, at in touched or ()
    ]
    credited = decide(Place(place), place_source_id, shop_source_id, touches, touch_code)
    return Ware(offer_id, Place(place), price_fen, credited)
