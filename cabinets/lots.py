"""Lots that a slot may sell, as an operator looks for them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import contains_eager, joinedload

from sellers.model import Lot, LotMode, Product, Seller, SellerState
from sellers.queries.choosing import Choices, choose
from sellers.search import finds_lot


def lots_to_choose(search: str = "", chosen: Collection[str] = ()) -> Choices[Lot]:
    """Return lots in hand that answer a search, the newest first, after those already chosen.

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
    )
    return choose(query, Lot, finds_lot(search), chosen).each(lambda row: row.Lot)
