"""Lists in pages that follow each other by key, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, select

from kernel.db import db
from kernel.identity import Organisation
from sellers.model import Certificate, Household, Lot, Offer, OfferImport, Product

PAGE_SIZE = 24

T = TypeVar("T")
Listed = (
    type[Organisation]
    | type[Product]
    | type[Lot]
    | type[Offer]
    | type[Household]
    | type[Certificate]
    | type[OfferImport]
)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last one."""

    items: list[T]
    next_cursor: str | None


def page_of(
    query: Select[T], key: Listed, cursor: str | None, page_size: int = PAGE_SIZE
) -> Page[T]:
    """Return the page after `cursor` of a query of one entity, ordered by `key`'s id.

    The cursor is the public id of the last item, so that no inner key shows; one that is
    unknown gives an empty page.
    """
    if cursor:
        last_id = select(key.id).where(key.public_id == cursor).correlate(None).scalar_subquery()
        query = query.where(key.id < last_id)
    items = list(db.session.scalars(query.order_by(key.id.desc()).limit(page_size + 1)))
    shown: list[Any] = items[:page_size]
    more = len(items) > page_size
    return Page(shown, _public_id(shown[-1]) if more else None)


def _public_id(item: Any) -> str:
    """Return the item's public id; a seller's is its organisation's."""
    named = item if hasattr(item, "public_id") else item.organisation
    public_id: str = named.public_id
    return public_id
