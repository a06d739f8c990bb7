"""The chips above a list: what it can be narrowed to, and what it is narrowed to now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from kernel.language import reads_english
from marketplace.filters import region
from sellers.model import Category, LotMode
from sellers.queries import Card, ShelfFilters

PRICE_STEPS_YUAN = (20, 50, 100)
WORDS: dict[Category | LotMode | None, LazyString] = {
    None: _l("全部"),
    Category.FRUIT: _l("水果"),
    Category.EGGS: _l("蛋"),
    Category.POULTRY: _l("禽"),
    Category.VEGETABLE: _l("蔬菜"),
    Category.TEA: _l("茶"),
    Category.HONEY: _l("蜜"),
    Category.GRAIN: _l("粮"),
    Category.MUSHROOM: _l("菌菇"),
    Category.DRIED: _l("干货"),
    Category.OIL: _l("油"),
    Category.SPICE: _l("调味"),
    LotMode.IN_HAND: _l("现货"),
    LotMode.IN_FIELD: _l("还在地里"),
}

Link = Callable[..., str]
"""Gives the address of the list with some filters changed."""


class Chip(NamedTuple):
    """A word that narrows the list, or lets it be wide again when it is current."""

    text: str
    href: str
    is_current: bool


@cache
def _words(_english: bool) -> dict[Category | LotMode | None, str]:
    """Return WORDS in the language of this request."""
    return {one: str(word) for one, word in WORDS.items()}


@cache
def _prices(_english: bool) -> dict[int, str]:
    """Return what each highest price, in fen, is called in the language of this request."""
    return {yuan * 100: _("%(sum)s 以内", sum=f"¥{yuan}") for yuan in PRICE_STEPS_YUAN}


def of_kind(filters: ShelfFilters, link: Link) -> list[Chip]:
    """Return the kinds of produce, all of them first."""
    words, now = _words(reads_english()), filters.category
    kinds = [Chip(words[None], link(category=None), now is None)]
    for one in Category:
        kinds.append(Chip(words[one], link(category=None if one is now else one), one is now))
    return kinds


def of_rest(filters: ShelfFilters, link: Link, shown: Sequence[Card]) -> list[Chip]:
    """Return in hand or in the field, highest prices, and regions of what is shown."""
    words, prices = _words(reads_english()), _prices(reads_english())
    mode, most, rest = filters.mode, filters.max_price_fen, []
    for one in LotMode:
        rest.append(Chip(words[one], link(mode=None if one is mode else one), one is mode))
    for fen, text in prices.items():
        rest.append(Chip(text, link(max_price_fen=None if fen == most else fen), fen == most))
    if filters.region:
        return [*rest, Chip(filters.region, link(region=""), True)]
    regions = sorted({card.county for card in shown})
    return [*rest, *(Chip(region(one), link(region=one), False) for one in regions)]
