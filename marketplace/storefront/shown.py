"""What a shelf's cards say, worked out for all of them at once: a list is mostly cards."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import NamedTuple

from flask_babel import gettext as _

from kernel import clock
from kernel.language import local, reads_english
from marketplace.addresses import address
from marketplace.filters import FenParts, fen_parts, per_unit, region
from sellers.queries import Card


class ShownCard(NamedTuple):
    """A product card in its reader's words.

    `look` is how its stall looks (classes); `fault` is why it cannot be bought, or ''.
    """

    public_id: str
    href: str
    name: str
    look: str
    picture: str
    price: FenParts
    per: str
    origin: str
    fault: str
    add: str


@cache
def _words(_english: bool) -> tuple[str, str, str]:
    """Return the cards' own words in the language of this request."""
    return _("加一份%(name)s到购物车"), _("现在不卖"), _("卖完了")


def shown_cards(cards: Iterable[Card], at: datetime | None = None) -> list[ShownCard]:
    """Return `cards` as they stand on a shelf at `at`."""
    when = at or clock.now()
    add, closed, sold_out = _words(reads_english())
    shown = []
    for card in cards:
        name = local(card)
        fault = "" if card.left > 0 else sold_out
        if not card.is_open(when):
            fault = closed
        look = f"t-{card.category} priced{' photo' if card.photo else ''}{' sold' if fault else ''}"
        shown.append(
            ShownCard(
                public_id=card.public_id,
                href=address("storefront.offer", public_id=card.public_id),
                name=name,
                look=look,
                picture=_picture(card),
                price=fen_parts(card.price_fen),
                per=per_unit(card),
                origin=region(card.places),
                fault=fault,
                add=add % {"name": name},
            )
        )
    return shown


def _picture(card: Card) -> str:
    if card.photo is not None:
        return address("files.photo", public_id=card.photo)
    return address("static", filename=f"vendor/produce/{card.picture}")
