"""Keeping products found by search when the way of making their terms has changed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from kernel.db import transaction
from sellers.model import Product, Seller
from sellers.search import RULE, write_terms

RENEWED_AT_ONCE = 500


def renew_terms() -> int:
    """Make terms anew where they were made in an older way; return how many products that were.

    At most RENEWED_AT_ONCE. A product that somebody changes meanwhile is left to its own change.
    """
    stale = (
        select(Product)
        .where(Product.terms_rule < RULE)
        .options(joinedload(Product.seller).joinedload(Seller.organisation))
        .limit(RENEWED_AT_ONCE)
        .with_for_update(of=Product, skip_locked=True)
    )
    with transaction() as session:
        products = session.scalars(stale).all()
        for product in products:
            write_terms(product, product.seller)
    return len(products)
