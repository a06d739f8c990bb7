"""Offers: their quota, window and withdrawal, and who may write them."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from kernel import clock
from kernel.db import db
from kernel.errors import Conflict, Invalid, OutOfStock
from sellers import actions
from sellers.model import Offer, Place
from sellers.queries import shelf
from sellers.supply import promise
from tests import builders

ROOT = Path(__file__).parents[2]
OTHERS = ("kernel", "orders", "livestream", "cabinets", "marketplace")
TERMS = {
    "price_fen", "quota", "limit_per_buyer", "broadcast_floor_fen", "opens_at", "closes_at",
    "withdrawn_at", "sold",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def now_of(offer: Offer) -> Offer:
    """The offer as the database has it."""
    db.session.expire_all()
    return db.session.get_one(Offer, offer.id)


def test_a_higher_quota_lets_more_be_sold() -> None:
    offer = builders.offer(quota=2)
    promise({offer.id: 2}, buyer="v:one", at=clock.now())
    with pytest.raises(OutOfStock):
        promise({offer.id: 3}, buyer="v:two", at=clock.now())
    assert actions.raise_quota(offer.id, 3).quota == 5
    promise({offer.id: 3}, buyer="v:two", at=clock.now())
    assert now_of(offer).sold == 5


def test_an_offer_without_a_quota_stays_without() -> None:
    offer = builders.offer()
    promise({offer.id: 30}, buyer="v:one", at=clock.now())
    assert actions.raise_quota(offer.id, 10).quota is None


def test_a_quota_is_not_raised_by_nothing() -> None:
    offer = builders.offer(quota=2)
    with pytest.raises(Invalid) as refusal:
        actions.raise_quota(offer.id, 0)
    assert set(refusal.value.fields) == {"units"}
    assert now_of(offer).quota == 2


def test_terms_are_judged_by_what_is_sold_now_not_by_what_was_read_before() -> None:
    offer = db.session.get_one(Offer, builders.offer(quota=20).id)
    assert offer.sold == 0
    with db.engine.connect() as other:
        other.execution_options(isolation_level="READ COMMITTED")
        other.execute(update(Offer).where(Offer.id == offer.id).values(sold=10))
        other.commit()
    with pytest.raises(Conflict) as refusal:
        actions.change_offer(offer.id, actions.OfferTerms(price_fen=5900, quota=9))
    assert refusal.value.code == "below_sold"


def test_an_offer_never_closes_before_it_opens() -> None:
    now, hour = clock.now(), timedelta(hours=1)
    first, second = builders.offer(), builders.offer()
    good, bad = (now, now + hour), (now, now - hour)
    with pytest.raises(Invalid) as refusal:
        actions.set_windows({first.id: good, second.id: bad})
    assert set(refusal.value.fields) == {"closes_at"}
    assert (now_of(first).closes_at, now_of(second).closes_at) == (None, None)
    actions.set_windows({first.id: good, second.id: good})
    for offer in (first, second):
        kept = now_of(offer)
        assert (kept.opens_at, kept.closes_at) == good


@pytest.mark.parametrize("place", [Place.ROUND, Place.BROADCAST])
def test_a_seller_who_changes_a_price_leaves_the_window_to_the_round_or_broadcast(
    place: Place,
) -> None:
    cut_off = clock.now() + timedelta(hours=2)
    offer = builders.offer(place=place, closes_at=cut_off)
    changed = actions.change_offer(offer.id, actions.OfferTerms(price_fen=4800))
    assert (changed.price_fen, changed.closes_at) == (4800, cut_off)
    same = actions.OfferTerms(price_fen=4700, closes_at=cut_off)
    assert actions.change_offer(offer.id, same).price_fen == 4700
    later = actions.OfferTerms(price_fen=4600, closes_at=cut_off + timedelta(hours=1))
    with pytest.raises(Invalid) as refused:
        actions.change_offer(offer.id, later)
    assert set(refused.value.fields) == {"closes_at"}
    assert (now_of(offer).price_fen, now_of(offer).closes_at) == (4700, cut_off)


def test_offers_are_taken_off_sale_together() -> None:
    earlier, other = builders.offer(), builders.offer()
    withdrawn_at = actions.withdraw_offer(earlier.id).withdrawn_at
    ids, at = [earlier.id, other.id], clock.now() + timedelta(minutes=1)
    actions.withdraw_offers(ids, at)
    assert shelf().items == []
    assert (now_of(earlier).withdrawn_at, now_of(other).withdrawn_at) == (withdrawn_at, at)


def test_offers_open_together_but_for_what_was_withdrawn() -> None:
    later = clock.now() + timedelta(days=1)
    gone, other = builders.offer(opens_at=later), builders.offer(opens_at=later)
    actions.withdraw_offer(gone.id)
    actions.open_offers([gone.id, other.id], clock.now())
    assert [card.offer_id for card in shelf().items] == [other.id]


def written(source: str) -> list[str]:
    """What a module does to offers itself: makes one, changes a column, sends such a statement."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="Offer") | ast.Attribute(attr="Offer")):
                found.append("makes an offer")
            case ast.Call(
                func=ast.Name(id="insert" | "update" | "delete"),
                args=[ast.Name(id="Offer"), *_],
            ):
                found.append("changes offers")
            case ast.Constant(value=str(text)) if "UPDATE offer " in text:
                found.append("changes offers in SQL")
            # What is kept on `self` is a form's or a rule's own.
            case ast.Attribute(value=owner, attr=name, ctx=ast.Store()) if (
                name in TERMS and ast.unparse(owner) != "self"
            ):
                found.append(f"sets {name}")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "Offer(lot_id=1)",
        "model.Offer(lot_id=1)",
        "session.execute(update(Offer).values(quota=1))",
        "text('UPDATE offer SET quota = 1')",
        "offer.quota = 1",
        "offer.quota += 1",
        "offer.opens_at, offer.closes_at = window",
    ],
)
def test_a_careless_module_is_found(source: str) -> None:
    assert written(source)


def test_no_other_package_makes_offers_or_changes_their_terms() -> None:
    modules = [path for package in OTHERS for path in (ROOT / package).rglob("*.py")]
    careless = {
        str(path.relative_to(ROOT)): does
        for path in modules
        if (does := written(path.read_text("utf-8")))
    }
    assert modules
    assert careless == {}


def test_a_quota_rises_no_further_than_the_lot_can_fill() -> None:
    offer = builders.offer(quota=20)
    promise({offer.id: 15}, buyer="v:one", at=clock.now())
    elsewhere = builders.offer(offer.lot)
    promise({elsewhere.id: 40}, buyer="v:two", at=clock.now())
    assert (now_of(offer).lot.left, now_of(offer).may_add) == (45, 40)
    with pytest.raises(Conflict) as refusal:
        actions.raise_quota(offer.id, 41)
    assert refusal.value.code == "lot_too_small"
    assert str(refusal.value.message) == "这一批只剩 45 箱，最多再加 40 箱。"
    assert now_of(offer).quota == 20
    assert actions.raise_quota(offer.id, 40).quota == 60
    with pytest.raises(Conflict) as refusal:
        actions.raise_quota(offer.id, 1)
    assert "都能在这里卖" in str(refusal.value.message)
    assert now_of(offer).quota == 60
