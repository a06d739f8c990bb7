"""Lots that a slot may sell, as an operator looks for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import contains_eager, joinedload

from kernel.db import db
from sellers.model import Lot, LotMode, Product, Seller, SellerState
from sellers.search import query_terms

LOTS_TO_CHOOSE = 60


@dataclass(frozen=True, slots=True)
class LotChoice:
    """Lots that a slot may sell; `more` tells that others answer the search as well."""

    lots: Sequence[Lot]
    more: bool


def lots_to_choose(search: str = "", chosen: Collection[str] = ()) -> LotChoice:
    """Return lots in hand that answer a search, the newest first, after those already chosen.

    A lot is found by its product, seller and place, by its own code or by its public id;
    `chosen` are public ids, which stay whatever is searched.
    """
    query = (
        select(Lot)
        .join(Seller, Lot.seller_id == Seller.id)
        .join(Product, Lot.product_id == Product.id)
        .where(
            Lot.mode == LotMode.IN_HAND,
            Lot.promised < Lot.offered,
            Seller.state == SellerState.VERIFIED,
        )
        .options(contains_eager(Lot.product), contains_eager(Lot.seller))
        .options(joinedload(Lot.seller, Seller.organisation))
        .order_by(Lot.public_id.in_(chosen).desc(), Lot.id.desc())
        .limit(LOTS_TO_CHOOSE + len(chosen) + 1)
    )
    asked = search.strip()
    if asked:
        words = query_terms(asked)
        known_by = Lot.public_id.in_([*chosen, asked]) | Lot.code.istartswith(
            asked, autoescape=True
        )
        query = query.where(known_by | Product.terms.contains(words) if words else known_by)
    lots = db.session.scalars(query).all()
    most = LOTS_TO_CHOOSE + len(chosen)
    return LotChoice(lots[:most], len(lots) > most)
