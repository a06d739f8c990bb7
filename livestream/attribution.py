"""THE crediting rule: whose sale is it?

An offer in a broadcast, a round or a cabinet slot credits that place. A shop offer is
credited to the latest broadcast touch within its window, else to the latest share link
within its window, else to the shop. Every other touch within its window is an assist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, null, select, text, union_all

from kernel.db import db
from livestream.model import Broadcast, BroadcastOffer
from orders.model import CreditKind, CreditSource, Round, RoundOffer
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


_TOUCHES = text(
    """
    SELECT DISTINCT ON (touch.credit_source_id)
        touch.kind, touch.code, touch.credit_source_id, touch.at
    FROM touch
    CROSS JOIN LATERAL (
        SELECT days FROM credit_window w
        WHERE w.kind = touch.kind AND w.valid_from <= :at ORDER BY valid_from DESC LIMIT 1
    ) allowed
    LEFT JOIN share_link ON share_link.credit_source_id = touch.credit_source_id
    WHERE (touch.visitor = :visitor OR touch.account_id = :account)
        AND touch.at > CAST(:at AS timestamptz) - allowed.days * interval '1 day'
        AND touch.at <= :at
        -- Nobody is credited for what they buy through their own link.
        AND (share_link.owner_id IS NULL
            OR share_link.owner_id IS DISTINCT FROM CAST(:account AS bigint))
    ORDER BY touch.credit_source_id, touch.at DESC
    """
)


def _touches_of(buyer: Buyer, at: datetime) -> list[Seen]:
    if not buyer.visitor and buyer.account_id is None:
        return []
    rows = db.session.execute(
        _TOUCHES, {"visitor": buyer.visitor or None, "account": buyer.account_id, "at": at}
    )
    return [Seen(CreditKind(r.kind), r.code, r.credit_source_id, r.at) for r in rows]


def credits_for(
    offers: Iterable[tuple[int, Place]],
    buyer: Buyer,
    touch_code: str | None,
    at: datetime,
) -> dict[int, Credited]:
    """Return whose sale each offer (id and place) would be for `buyer` at `at`.

    Two statements, however many offers.
    """
    asked = dict(offers)
    elsewhere = [offer_id for offer_id, place in asked.items() if place is not Place.SHOP]
    query: CompoundSelect[Any] = union_all(
        select(null().label("offer_id"), CreditSource.id.label("source_id")).where(
            CreditSource.kind == CreditKind.SHOP, CreditSource.code == SHOP_CODE
        ),
        select(BroadcastOffer.offer_id, Broadcast.credit_source_id)
        .join(Broadcast, BroadcastOffer.broadcast_id == Broadcast.id)
        .where(BroadcastOffer.offer_id.in_(elsewhere)),
        select(RoundOffer.offer_id, Round.credit_source_id)
        .join(Round, RoundOffer.round_id == Round.id)
        .where(RoundOffer.offer_id.in_(elsewhere)),
    )
    by_offer = {row.offer_id: row.source_id for row in db.session.execute(query)}
    touches = _touches_of(buyer, at)
    return {
        offer_id: decide(place, by_offer.get(offer_id), by_offer[None], touches, touch_code)
        for offer_id, place in asked.items()
    }
