"""What staff choose from when they put lots into a round."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, select

from kernel import clock
from kernel.db import db
from kernel.identity import Organisation
from kernel.language import of_unit, reads_english
from kernel.paging import Page, decode, page_of
from orders.model import RoundOffer
from sellers.model import Lot, Offer, Product, Seller, SellerState

MOST = 300


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot that may stand in a round."""

    id: int
    public_id: str
    name: str
    seller: str
    left: int
    unit_name: str
    name_en: str
    seller_en: str

    def words(self) -> dict[str, object]:
        """Return the parts of the sentence that a list of choices shows to this reader."""
        english = reads_english()
        return {
            "what": (english and self.name_en) or self.name,
            "who": (english and self.seller_en) or self.seller,
            "left": of_unit(self.left, self.unit_name),
        }


def lots_for(round_id: int) -> list[LotRow]:
    """Return lots of verified sellers with units left that are not in the round yet.

    Lots whose harvest is over are left out: what was not sold then is not coming again.
    """
    return _rows(
        _fitting(round_id).order_by(Lot.harvest_from.nulls_last(), Lot.id.desc()).limit(MOST)
    )


def lots_page(round_id: int, *, cursor: str | None, page_size: int) -> Page[LotRow]:
    """Return a page of the lots of `lots_for`, the newest first. Raises Invalid."""
    query = _fitting(round_id).order_by(Lot.id.desc()).limit(page_size + 1)
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(Lot.id < before)
    return page_of(_rows(query), page_size, lambda row: (row.id,))


def lot_for(round_id: int, public_id: str) -> LotRow | None:
    """Return one of the lots of `lots_for`, or None."""
    return next(iter(_rows(_fitting(round_id).where(Lot.public_id == public_id))), None)


def _fitting(round_id: int) -> Select[int, str, str, str, int, str, str, str]:
    standing = (
        select(Offer.lot_id)
        .join(RoundOffer, RoundOffer.offer_id == Offer.id)
        .where(RoundOffer.round_id == round_id, Offer.withdrawn_at.is_(None))
    )
    return (
        select(
            Lot.id,
            Lot.public_id,
            Product.name_zh.label("name"),
            Organisation.name_zh.label("seller"),
            (Lot.offered - Lot.promised).label("left"),
            Product.unit_name,
            Product.name_en,
            Organisation.name_en.label("seller_en"),
        )
        .join(Product, Product.id == Lot.product_id)
        .join(Seller, Seller.id == Lot.seller_id)
        .join(Organisation, Organisation.id == Seller.id)
        .where(
            Seller.state == SellerState.VERIFIED,
            Lot.offered > Lot.promised,
            Lot.harvest_to.is_(None) | (Lot.harvest_to >= clock.today()),
            Lot.id.not_in(standing),
        )
    )


def _rows(query: Select[int, str, str, str, int, str, str, str]) -> list[LotRow]:
    return [LotRow(**row._mapping) for row in db.session.execute(query)]
