"""Which certificates count for an offer on a day, in SQL, and in which order.

What a line freezes and what a product page shows ask this of the table `certificate`.
"""

from __future__ import annotations

OWN_FIRST = "certificate.product_id NULLS LAST, certificate.id DESC"
"""The product's own before its seller's, and the newest first."""


def counts(offer: str, day: str) -> str:
    """Return what holds of a certificate that staff accepted and that is valid on `day`.

    `offer` names the offer's table in the statement; `day` is SQL for a day in Shanghai.
    """
    return f"""certificate.seller_id = {offer}.seller_id
        AND (certificate.product_id IS NULL OR certificate.product_id = {offer}.product_id)
        AND (certificate.valid_until IS NULL OR certificate.valid_until >= {day})
        AND certificate.state = 'accepted'"""
