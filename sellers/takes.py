"""How many units each buyer holds of an offer, counted where there is a limit per buyer.

`promise` and `release` keep the count while a limit stands. When a limit comes to an offer that
has sold already, the earlier units are counted from the lines, which the buyers' side keeps: it
says how through `counted_by`, so that nothing here knows what a line is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Select, delete, insert, literal

from kernel.db import transaction
from sellers.model import BuyerTake, Offer

Held: TypeAlias = Callable[[int], Select[str, int]]
"""Gives, for an offer's key, a query of every buyer's name and the units that buyer holds."""

_held: list[Held] = []


def counted_by(held: Held) -> None:
    """Count earlier units with `held` from now on."""
    _held[:] = [held]


def limit_changed(offer: Offer, limit: int | None) -> None:
    """Give an offer another limit per buyer; earlier buyers are held to it too.

    The caller has locked the offer's row, so that nobody buys or gives back meanwhile. Buyers
    who gave everything back are counted with nothing, for what they may take again.
    """
    before, offer.limit_per_buyer = offer.limit_per_buyer, limit
    if (before is None) == (limit is None):
        return
    with transaction() as session:
        session.execute(delete(BuyerTake).where(BuyerTake.offer_id == offer.id))
        if limit is not None:
            [held] = _held
            rows = held(offer.id).add_columns(literal(offer.id))
            session.execute(insert(BuyerTake).from_select(["buyer", "units", "offer_id"], rows))
