"""The shop's pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from kernel import clock
from kernel.access import allow, found
from kernel.money import MAX_FEN
from marketplace import cart
from marketplace.addresses import address
from marketplace.storefront import chips, queries
from marketplace.storefront.picture import houses
from marketplace.storefront.shown import shown_cards
from sellers.model import Category, LotMode, Place
from sellers.queries import ShelfFilters, offer_by_public_id, shelf
from sellers.words import CERTIFICATES

blueprint = Blueprint("storefront", __name__)

HOME_SHELF = 8
MAX_WORDS = 60

blueprint.add_app_template_global(shown_cards)

Choice = TypeVar("Choice", Category, LotMode)


@blueprint.get("/")
@allow.everyone
def home() -> ResponseReturnValue:
    """What is on now, this week, to order before the harvest, and ready to send."""
    at = clock.now()
    days = queries.fair_days(clock.today())
    return render_template(
        "storefront/home.html",
        on_air=queries.on_air(),
        days=days if any(day.kinds for day in days) else [],
        open_round=queries.open_round(at),
        shelf=shelf(ShelfFilters(mode=LotMode.IN_HAND), page_size=HOME_SHELF, at=at),
    )


@blueprint.get("/offers")
@allow.everyone
def offers() -> ResponseReturnValue:
    """The list, narrowed by words and chips."""
    filters = _filters()
    page = shelf(filters, request.args.get("cursor") or None)
    link = _links(filters)
    return render_template(
        "storefront/offers.html",
        page=page,
        filters=filters,
        link=link,
        kinds=chips.of_kind(filters, link),
        rest=chips.of_rest(filters, link, page.items),
    )


@blueprint.get("/offers/<public_id>")
@allow.everyone
def offer(public_id: str) -> ResponseReturnValue:
    """One offer: what, how much, when, who grew it, where the money goes, this lot."""
    facts = found(offer_by_public_id(public_id))
    found(facts if facts.card.place is not Place.SLOT else None)
    card, at = facts.card, clock.now()
    in_round, is_open = card.place is Place.ROUND, card.is_open(at)
    can_buy = is_open and card.left > 0
    return render_template(
        "storefront/offer.html",
        facts=facts,
        card=card,
        open=is_open,
        at=at,
        instead=[] if can_buy or in_round else queries.instead_of(card, at),
        most=cart.most_of(card),
        round=queries.round_of(card.offer_id) if in_round else None,
        certificate_words=CERTIFICATES,
        houses=houses(facts.households_count, facts.registered_count),
    )


def _filters() -> ShelfFilters:
    """Read the filters of a hand-typed or clicked address; what cannot be read narrows nothing."""
    asked = request.args
    top = asked.get("max_price_fen", "")[:16]
    return ShelfFilters(
        q=asked.get("q", "").strip()[:MAX_WORDS],
        category=_one_of(Category, asked.get("category")),
        mode=_one_of(LotMode, asked.get("mode")),
        region=asked.get("region", "").strip()[:20],
        seller=asked.get("seller", "")[:16],
        max_price_fen=int(top) if top.isdecimal() and 0 < int(top) <= MAX_FEN else None,
    )


def _one_of(kind: type[Choice], value: str | None) -> Choice | None:
    return kind(value) if value in list(kind) else None


def _links(filters: ShelfFilters) -> Callable[..., str]:
    """Return what gives the address of the list with some filters changed, from its first page."""
    asked = asdict(filters)

    def link(**changes: Any) -> str:
        words = {name: str(value) for name, value in {**asked, **changes}.items() if value}
        return address("storefront.offers", **words)

    return link
