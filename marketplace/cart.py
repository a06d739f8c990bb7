"""The cart: which offers, how many units; kept in the visitor's session until bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import session
from flask_babel import lazy_gettext as _l

from kernel.errors import Invalid
from kernel.money import Money
from kernel.quantity import MAX_UNITS
from marketplace.checkout import SOLD_HERE
from orders.payments.terms import missing_online
from orders.placing import MAX_LINES
from sellers.queries import Card, cards

_NAME = "cart"
MAX_ID_LENGTH = 16
NEVER = frozenset({"elsewhere", "closed", "sold_out"})
"""Faults that no other quantity mends."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """One offer in the cart as it stands now. `fault` is why it cannot be bought so, or ''.

    Faults: elsewhere (sold through a unit or at a cabinet), closed (not on sale now), sold_out,
    short (less is left than wanted), limit.
    """

    card: Card
    units: int
    fault: str

    @property
    def amount(self) -> Money:
        """Price now times units."""
        return self.card.price * self.units

    @property
    def most(self) -> int:
        """The most units that may be wanted of it now."""
        return most_of(self.card)


@dataclass(frozen=True, slots=True)
class SellerGroup:
    """The lines of one seller, in the order in which they were put in."""

    seller: Card
    lines: Sequence[CartLine]


@dataclass(frozen=True, slots=True)
class Cart:
    """What the visitor wants, seen against what is on sale."""

    lines: Sequence[CartLine]

    @property
    def groups(self) -> list[SellerGroup]:
        """Lines by seller, in the order of their first lines."""
        by_seller: dict[int, list[CartLine]] = {}
        for line in self.lines:
            by_seller.setdefault(line.card.seller_id, []).append(line)
        return [SellerGroup(lines[0].card, lines) for lines in by_seller.values()]

    @property
    def total(self) -> Money:
        """The sum of all lines at today's prices; what is due is fixed by the order."""
        return sum((line.amount for line in self.lines), Money(0))

    @property
    def missing_online(self) -> Money:
        """What is missing to the least that can be paid online; a cart becomes one order."""
        return Money(missing_online(self.total.fen))

    @property
    def ready(self) -> bool:
        """Tell whether there is something in it and every line can be bought as it stands."""
        return bool(self.lines) and not any(line.fault for line in self.lines)


def wanted() -> dict[str, int]:
    """Return the visitor's cart: offer public id → units."""
    kept = session.get(_NAME)
    return dict(kept) if isinstance(kept, dict) else {}


def count() -> int:
    """Return how many kinds of things are in the cart: what the badge shows."""
    return len(wanted())


def put(offer: str, units: int) -> None:
    """Set how many units of an offer are wanted; 0 takes it out.

    Raises Invalid beyond 50 offers, or for units that no lot could hold.
    """
    if not 0 <= units <= MAX_UNITS or len(offer) > MAX_ID_LENGTH:
        raise Invalid(_l("数量填 1 到 10,000,000 的整数。"), code="units_invalid")
    kept = wanted()
    if units == 0:
        kept.pop(offer, None)
    else:
        kept[offer] = units
    if len(kept) > MAX_LINES:
        raise Invalid(_l("购物车最多放 50 种。先付一部分，再加新的。"), code="cart_full")
    session[_NAME] = kept
    session.permanent = True


def add(offer: str, units: int) -> None:
    """Add units of an offer to what is wanted already. Raises Invalid like `put`."""
    put(offer, wanted().get(offer, 0) + units)


def drop(offers: Sequence[str]) -> None:
    """Take what was bought out of the cart."""
    kept = {offer: units for offer, units in wanted().items() if offer not in offers}
    session[_NAME] = kept


def most_of(card: Card) -> int:
    """Return the most units that one buyer may want of a card's offer now."""
    return min(card.left, card.limit_per_buyer or card.left)


def seen(wanted_units: dict[str, int], at: datetime) -> Cart:
    """Return the cart's lines as offers stand at `at`, in one statement.

    An offer that no longer exists is left out.
    """
    known = cards(wanted_units)
    return Cart(
        [
            CartLine(known[offer], units, _fault(known[offer], units, at))
            for offer, units in wanted_units.items()
            if offer in known
        ]
    )


def _fault(card: Card, units: int, at: datetime) -> str:
    if card.place not in SOLD_HERE:
        return "elsewhere"
    if not card.is_open(at):
        return "closed"
    if card.left <= 0:
        return "sold_out"
    if units > card.left:
        return "short"
    if card.limit_per_buyer is not None and units > card.limit_per_buyer:
        return "limit"
    return ""
