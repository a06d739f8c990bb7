"""Products, lots and offers, added and changed by their seller."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound, OfferClosed
from sellers import actions
from sellers.model import Category, Lot, LotMode, Offer, Place, Product, SellerState
from sellers.queries import ShelfFilters, offer_by_public_id, shelf, workspace
from sellers.supply import promise
from tests import builders

ORANGE = actions.ProductFacts(
    name_zh="玫瑰香橙", category=Category.FRUIT, unit_name="箱", unit_g=5000
)
IN_HAND = actions.LotFacts(mode=LotMode.IN_HAND, offered=100)


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def how_many(table: type) -> int:
    """Rows of a table."""
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_listed_stock_is_in_the_shop_at_once() -> None:
    seller = builders.seller()
    terms = actions.OfferTerms(price_fen=5900, quota=50, limit_per_buyer=5)
    offer = actions.list_stock(seller.id, ORANGE, IN_HAND, terms)
    [card] = shelf(ShelfFilters(q="香橙")).items
    assert card.public_id == offer.public_id
    assert (card.price_fen, card.left, card.picture) == (5900, 50, "orange.webp")


@pytest.mark.parametrize(
    ("field", "product", "lot", "terms"),
    [
        ("unit_g", {"unit_g": 0}, {}, {}),
        ("name_zh", {"name_zh": " "}, {}, {}),
        ("offered", {}, {"offered": 0}, {}),
        ("harvest_from", {}, {"mode": LotMode.IN_FIELD}, {}),
        ("price_fen", {}, {}, {"price_fen": 0}),
        ("limit_per_buyer", {}, {}, {"limit_per_buyer": 0}),
        ("closes_at", {}, {}, {"closes_at": clock.now() - timedelta(days=1)}),
    ],
)
def test_stock_with_one_wrong_figure_leaves_nothing_behind(
    field: str, product: dict[str, Any], lot: dict[str, Any], terms: dict[str, Any]
) -> None:
    seller = builders.seller()
    what = {"name_zh": "橙", "category": Category.FRUIT, "unit_name": "箱", "unit_g": 5000}
    with pytest.raises(Invalid) as refusal:
        actions.list_stock(
            seller.id,
            actions.ProductFacts(**{**what, **product}),
            actions.LotFacts(**{"mode": LotMode.IN_HAND, "offered": 1, **lot}),
            actions.OfferTerms(**{"price_fen": 1, **terms}),
        )
    assert set(refusal.value.fields) == {field}
    assert (how_many(Product), how_many(Lot), how_many(Offer)) == (0, 0, 0)


def test_a_seller_who_is_not_verified_lists_nothing() -> None:
    seller = builders.seller(SellerState.SUBMITTED)
    with pytest.raises(Conflict) as refusal:
        actions.list_stock(seller.id, ORANGE, IN_HAND, actions.OfferTerms(price_fen=5900))
    assert refusal.value.code == "seller_not_verified"
    assert (how_many(Product), how_many(Lot), how_many(Offer)) == (0, 0, 0)


def test_a_lot_cannot_shrink_below_what_is_promised() -> None:
    offer = builders.offer()
    promise({offer.id: 30}, buyer="v:one", at=clock.now())
    with pytest.raises(Conflict) as refusal:
        actions.change_lot(offer.lot_id, 29)
    assert refusal.value.extra["promised"] == 30
    db.session.expire_all()
    assert db.session.get_one(Lot, offer.lot_id).offered == 100
    actions.change_lot(offer.lot_id, 30)
    db.session.expire_all()
    assert db.session.get_one(Lot, offer.lot_id).offered == 30


def test_a_quota_cannot_shrink_below_what_is_sold() -> None:
    offer = builders.offer(quota=20)
    promise({offer.id: 10}, buyer="v:one", at=clock.now())
    with pytest.raises(Conflict):
        actions.change_offer(offer.id, actions.OfferTerms(price_fen=6000, quota=9))
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    assert (kept.price_fen, kept.quota) == (5900, 20)
    actions.change_offer(offer.id, actions.OfferTerms(price_fen=6000, quota=10))
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    assert (kept.price_fen, kept.quota) == (6000, 10)


def test_a_withdrawn_offer_leaves_the_shop_and_stays_as_it_was() -> None:
    offer = builders.offer()
    actions.withdraw_offer(offer.id)
    assert shelf().items == []
    with pytest.raises(Conflict):
        actions.change_offer(offer.id, actions.OfferTerms(price_fen=1))
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    first, price = kept.withdrawn_at, kept.price_fen
    assert actions.withdraw_offer(offer.id).withdrawn_at == first
    assert price == 5900


def test_the_sale_unit_is_fixed_once_a_lot_counts_it() -> None:
    seller = builders.seller()
    product = actions.add_product(seller.id, ORANGE)
    lighter = actions.ProductFacts(
        name_zh="玫瑰香橙", category=Category.FRUIT, unit_name="箱", unit_g=2500
    )
    assert actions.change_product(product.id, lighter).unit_g == 2500
    actions.add_lot(product.id, IN_HAND)
    with pytest.raises(Conflict) as refusal:
        actions.change_product(product.id, ORANGE)
    assert refusal.value.code == "unit_in_use"
    db.session.expire_all()
    assert db.session.get_one(Product, product.id).unit_g == 2500


def test_what_another_seller_has_does_not_exist() -> None:
    offer, stranger = builders.offer(), builders.seller()
    own: list[tuple[Callable[[int, str], Any], str]] = [
        (workspace.own_product, offer.product.public_id),
        (workspace.own_lot, offer.lot.public_id),
        (workspace.own_offer, offer.public_id),
    ]
    for read, public_id in own:
        with pytest.raises(NotFound):
            read(stranger.id, public_id)
        assert read(offer.seller_id, public_id).public_id == public_id


def test_an_offer_for_another_place_is_not_in_the_shop() -> None:
    lot = builders.lot(builders.product(builders.seller()))
    offer = actions.list_offer(lot.id, Place.ROUND, actions.OfferTerms(price_fen=4900))
    assert offer.place is Place.ROUND
    assert shelf().items == []


def test_what_is_harvested_is_no_pre_order_any_more() -> None:
    lot = builders.lot(builders.product(builders.seller()), mode=LotMode.IN_FIELD)
    offer, when = builders.offer(lot), clock.now()
    before = workspace.stock_figures(lot.seller_id)
    assert (before.lots_in_field, before.units[0].left_in_field) == (1, 100)
    [card] = shelf(at=when).items
    assert card.is_open(when)
    with transaction() as session:
        kept = session.get_one(Lot, lot.id)
        kept.harvest_from = kept.harvest_to = clock.today() - timedelta(days=1)

    assert shelf(at=when).items == []
    facts = offer_by_public_id(offer.public_id)
    assert facts is not None
    assert not facts.card.is_open(when)
    with pytest.raises(OfferClosed):
        promise({offer.id: 1}, buyer="v:one", at=when)
    with pytest.raises(Conflict) as refusal:
        actions.list_offer(lot.id, Place.SHOP, actions.OfferTerms(price_fen=4900))
    assert refusal.value.code == "lot_harvested"
    figures = workspace.stock_figures(lot.seller_id)
    assert (figures.lots_in_field, figures.units[0].left_in_field) == (0, 0)
    db.session.expire_all()
    assert (db.session.get_one(Lot, lot.id).promised, how_many(Offer)) == (0, 1)


def test_a_lot_is_sold_to_the_end_of_the_last_day_of_its_harvest() -> None:
    lot = builders.lot(
        builders.product(builders.seller()),
        mode=LotMode.IN_FIELD,
        harvest_to=clock.today(),
        harvest_from=clock.today(),
    )
    offer = actions.list_offer(lot.id, Place.SHOP, actions.OfferTerms(price_fen=4900))
    assert [card.public_id for card in shelf().items] == [offer.public_id]
    assert promise({offer.id: 1}, buyer="v:one", at=clock.now())


def test_a_harvest_that_has_ended_is_refused_but_does_not_freeze_a_lot() -> None:
    product = builders.product(builders.seller())
    past = clock.today() - timedelta(days=1)
    with pytest.raises(Invalid) as refusal:
        actions.add_lot(
            product.id,
            actions.LotFacts(mode=LotMode.IN_FIELD, offered=10, harvest_from=past, harvest_to=past),
        )
    assert list(refusal.value.fields) == ["harvest_to"]
    assert how_many(Lot) == 0
    lot = builders.lot(product, mode=LotMode.IN_FIELD, harvest_from=past, harvest_to=past)
    assert actions.change_lot(lot.id, 50, past, past).offered == 50
    with pytest.raises(Invalid):
        actions.change_lot(lot.id, 50, past - timedelta(days=1), past - timedelta(days=1))
