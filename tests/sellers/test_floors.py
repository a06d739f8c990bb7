"""How low a broadcast may sell a seller's goods is what the seller itself says in its shop."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from kernel import clock
from kernel.db import db
from kernel.errors import Conflict, Invalid, Refusal
from sellers import actions
from sellers.model import Lot, Offer, Place
from tests import builders

HOUR = timedelta(hours=1)
PRICE = st.integers(1, 60)
SHOP_OFFERS = st.lists(
    st.tuples(PRICE, st.none() | PRICE, st.sampled_from(["on", "withdrawn", "closed", "later"])),
    max_size=4,
)


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def window(state: str) -> dict[str, Any]:
    """When an offer in such a state is on sale."""
    now = clock.now()
    return {
        "on": {"closes_at": now + HOUR},
        "withdrawn": {"withdrawn_at": now},
        "closed": {"opens_at": now - 2 * HOUR, "closes_at": now - HOUR},
        "later": {"opens_at": now + HOUR},
    }[state]


def pinned(lot: Lot, price_fen: int) -> bool:
    """Whether the lot can be put into a broadcast at this price."""
    try:
        actions.list_offer(lot.id, Place.BROADCAST, actions.OfferTerms(price_fen=price_fen))
    except Refusal:
        return False
    return True


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(in_shop=SHOP_OFFERS, price_fen=PRICE)
def test_a_broadcast_sells_what_is_on_sale_in_the_shop_and_never_below_its_lowest_floor(
    in_shop: list[tuple[int, int | None, str]], price_fen: int
) -> None:
    lot = builders.lot(builders.product(builders.seller()))
    floors = []
    for price, named, state in in_shop:
        floor = None if named is None else min(named, price)
        builders.offer(lot, price, broadcast_floor_fen=floor, **window(state))
        floors += [floor or price] if state == "on" else []
    assert pinned(lot, price_fen) == (floors != [] and price_fen >= min(floors))


def test_a_price_below_the_floor_is_refused_with_the_floor() -> None:
    lot = builders.offer(price_fen=5900, broadcast_floor_fen=5000).lot
    with pytest.raises(Invalid) as refusal:
        actions.list_offer(lot.id, Place.BROADCAST, actions.OfferTerms(price_fen=4999))
    assert set(refusal.value.fields) == {"price_fen"}
    assert "¥50.00" in str(refusal.value.fields["price_fen"])
    assert refusal.value.extra == {"floor_fen": 5000}
    assert db.session.scalar(select(func.count(Offer.id))) == 1


def test_what_is_on_sale_in_another_place_only_is_in_no_broadcast() -> None:
    lot = builders.offer(price_fen=100, place=Place.ROUND).lot
    with pytest.raises(Conflict) as refusal:
        actions.list_offer(lot.id, Place.BROADCAST, actions.OfferTerms(price_fen=5900))
    assert refusal.value.code == "not_in_shop"


def test_another_floor_is_for_later_pins_and_leaves_earlier_ones_as_they_are() -> None:
    offer = builders.offer(price_fen=5900, broadcast_floor_fen=5000)
    early = actions.list_offer(offer.lot_id, Place.BROADCAST, actions.OfferTerms(price_fen=5000))
    actions.change_offer(offer.id, actions.OfferTerms(price_fen=5900))
    assert not pinned(offer.lot, 5899)
    assert pinned(offer.lot, 5900)
    db.session.expire_all()
    kept = db.session.get_one(Offer, early.id)
    assert (kept.price_fen, kept.withdrawn_at) == (5000, None)


def test_price_and_floor_fall_together_also_when_a_limit_per_buyer_comes() -> None:
    offer = builders.offer(price_fen=5900, broadcast_floor_fen=5000)
    terms = actions.OfferTerms(price_fen=4000, limit_per_buyer=2)
    changed = actions.change_offer(offer.id, terms)
    assert (changed.price_fen, changed.broadcast_floor_fen) == (4000, None)


@pytest.mark.parametrize("terms", [{"price_fen": 4999}, {"price_fen": 6000, "floor": 6001}])
def test_a_price_never_falls_below_its_floor(terms: dict[str, int]) -> None:
    offer = builders.offer(price_fen=5900, broadcast_floor_fen=5000)
    price_fen, floor = terms["price_fen"], terms.get("floor", 5000)
    with pytest.raises(Invalid) as refusal:
        actions.change_offer(
            offer.id, actions.OfferTerms(price_fen=price_fen, broadcast_floor_fen=floor)
        )
    assert set(refusal.value.fields) == {"broadcast_floor_fen"}
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    assert (kept.price_fen, kept.broadcast_floor_fen) == (5900, 5000)


def test_only_a_shop_offer_has_a_floor() -> None:
    lot = builders.offer(price_fen=5900).lot
    with pytest.raises(Invalid) as refusal:
        actions.list_offer(
            lot.id, Place.ROUND, actions.OfferTerms(price_fen=5900, broadcast_floor_fen=5000)
        )
    assert set(refusal.value.fields) == {"broadcast_floor_fen"}


@pytest.mark.parametrize(
    ("place", "price_fen", "floor"),
    [(Place.SHOP, 5900, 0), (Place.SHOP, 5900, 5901), (Place.ROUND, 5900, 5000)],
)
def test_the_database_keeps_no_other_floor(place: Place, price_fen: int, floor: int) -> None:
    with pytest.raises(IntegrityError, match="ck_offer_floor"):
        builders.offer(price_fen=price_fen, place=place, broadcast_floor_fen=floor)
