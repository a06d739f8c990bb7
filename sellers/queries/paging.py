"""Lists in pages that follow each other by key, newest first."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Select

from kernel import paging
from kernel.db import db
from kernel.identity import Organisation
from kernel.paging import Page, decode
from sellers.model import Certificate, Household, Lot, Offer, OfferImport, Product, Seller

PAGE_SIZE = 24

T = TypeVar("T", Seller, Product, Lot, Offer, Household, Certificate, OfferImport)
Listed = (
    type[Organisation]
    | type[Product]
    | type[Lot]
    | type[Offer]
    | type[Household]
    | type[Certificate]
    | type[OfferImport]
)


def page_of(
    query: Select[T], key: Listed, cursor: str | None, page_size: int = PAGE_SIZE
) -> Page[T]:
    """Return the page after `cursor` of a query of one entity, ordered by `key`'s id.

    Raises Invalid for a cursor that no list gave.
    """
    if cursor:
        query = query.where(key.id < decode(cursor, int)[0])
    items = db.session.scalars(query.order_by(key.id.desc()).limit(page_size + 1)).all()
    return paging.page_of(items, page_size, lambda one: (one.id,))
