"""Reads of the supply side: the storefront, a seller's workspace and the staff's desk."""

from kernel.paging import Page
from sellers.queries.offer_facts import OfferFacts, offer_by_public_id
from sellers.queries.paging import page_of
from sellers.queries.storefront import (
    MAX_PAGE_SIZE,
    PAGE_SIZE,
    Card,
    Shelf,
    ShelfFilters,
    cards,
    shelf,
)

__all__ = [
    "MAX_PAGE_SIZE",
    "PAGE_SIZE",
    "Card",
    "OfferFacts",
    "Page",
    "Shelf",
    "ShelfFilters",
    "cards",
    "offer_by_public_id",
    "page_of",
    "shelf",
]
