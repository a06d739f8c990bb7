"""THE stock rule."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.audit import AuditEntry
from kernel.db import db, transaction
from kernel.errors import LimitReached, NotFound, OfferClosed, OutOfStock
from sellers.actions import OfferTerms, list_offer
from sellers.model import Certificate, CertificateState, Lot, Offer, Place, SellerState
from sellers.queries import offer_by_public_id
from sellers.supply import (
    GivenBack,
    PriceChanged,
    Then,
    freeze,
    lock,
    promise,
    promise_lots,
    release,
    release_lots,
)
from tests import builders
from tests.locks import waiting_for_locks


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def counts(offer: Offer) -> tuple[int, int]:
    """(promised on the lot, sold on the offer), as the database has them."""
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    return db.session.get_one(Lot, kept.lot_id).promised, kept.sold


def test_promising_counts_on_the_lot_and_on_the_offer() -> None:
    offer = builders.offer()
    [promised] = promise({offer.id: 3}, buyer="v:one", at=clock.now())
    assert promised.units == 3
    assert promised.price_fen == 5900
    assert promised.seller_name_zh == "某村合作社"
    assert counts(offer) == (3, 3)


def test_a_buyer_cannot_take_more_than_the_lot_offers() -> None:
    offer = builders.offer(builders.lot(builders.product(builders.seller()), offered=5))
    with pytest.raises(OutOfStock) as refusal:
        promise({offer.id: 6}, buyer="v:one", at=clock.now())
    assert refusal.value.extra["left"] == 5
    assert counts(offer) == (0, 0)


def test_a_quota_is_a_ceiling_below_the_lot() -> None:
    offer = builders.offer(quota=2)
    with pytest.raises(OutOfStock) as refusal:
        promise({offer.id: 3}, buyer="v:one", at=clock.now())
    assert refusal.value.extra["left"] == 2
    assert counts(offer) == (0, 0)


def test_two_offers_of_one_lot_share_its_stock() -> None:
    lot = builders.lot(builders.product(builders.seller()), offered=5)
    first, second = builders.offer(lot), builders.offer(lot, price_fen=100)
    with pytest.raises(OutOfStock):
        promise({first.id: 3, second.id: 3}, buyer="v:one", at=clock.now())
    assert counts(first) == (0, 0)
    promise({first.id: 3, second.id: 2}, buyer="v:one", at=clock.now())
    assert counts(first) == (5, 3)
    assert counts(second) == (5, 2)


def test_a_limit_per_buyer_counts_all_that_the_buyer_holds() -> None:
    offer = builders.offer(limit_per_buyer=3)
    promise({offer.id: 2}, buyer="v:one", at=clock.now())
    with pytest.raises(LimitReached):
        promise({offer.id: 2}, buyer="v:one", at=clock.now())
    assert counts(offer) == (2, 2)
    promise({offer.id: 3}, buyer="v:two", at=clock.now())
    assert counts(offer) == (5, 5)


def test_what_is_given_back_can_be_promised_again() -> None:
    offer = builders.offer(limit_per_buyer=3)
    promise({offer.id: 3}, buyer="v:one", at=clock.now())
    release([GivenBack(offer.id, offer.lot_id, 3, "v:one")])
    assert counts(offer) == (0, 0)
    promise({offer.id: 3}, buyer="v:one", at=clock.now())
    assert counts(offer) == (3, 3)


def test_a_price_that_is_not_the_agreed_one_promises_nothing() -> None:
    offer = builders.offer()
    with pytest.raises(PriceChanged):
        promise({offer.id: 1}, buyer="v:one", at=clock.now(), prices={offer.id: 5800})
    assert counts(offer) == (0, 0)
    promise({offer.id: 1}, buyer="v:one", at=clock.now(), prices={offer.id: 5900})
    assert counts(offer) == (1, 1)


def test_whoever_comes_too_late_locks_nothing_that_others_wait_for() -> None:
    offer = builders.offer(quota=1)
    with db.engine.connect() as other:
        other.execution_options(isolation_level="READ COMMITTED")
        other.execute(select(Lot.id).where(Lot.id == offer.lot_id).with_for_update())
        with pytest.raises(OutOfStock):
            promise({offer.id: 2}, buyer="v:one", at=clock.now())
    assert counts(offer) == (0, 0)


LOCKING: list[Callable[[Offer], object]] = [
    lambda offer: promise({offer.id: 1}, buyer="v:one", at=clock.now()),
    lambda offer: promise_lots({offer.lot_id: 1}),
    lambda offer: release_lots({offer.lot_id: 1}),
    lambda offer: lock([offer.id]),
]


@pytest.mark.parametrize("act", LOCKING)
def test_whoever_only_names_a_lot_holds_up_nobody_who_moves_its_units(
    app: Flask, act: Callable[[Offer], object]
) -> None:
    offer = builders.offer(builders.lot(builders.product(builders.seller()), promised=1))

    def move() -> None:
        with app.app_context():
            act(offer)

    mover = threading.Thread(target=move, daemon=True)
    with transaction():
        list_offer(offer.lot_id, Place.SLOT, OfferTerms(price_fen=500))
        mover.start()
        while mover.is_alive():
            assert not waiting_for_locks()


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_written_with_the_promise_stands_and_falls_with_it(inside: bool) -> None:
    lot = builders.lot(builders.product(builders.seller()), offered=5)
    offers = builders.offer(lot), builders.offer(lot)

    def note(units: int) -> None:
        words = """
            done AS (
                INSERT INTO audit_entry (at, act, subject, reason)
                SELECT now(), 'target_set', 'thing', '' FROM promised LIMIT 1 RETURNING id
            )
        """
        wanted = {offer.id: units for offer in offers}
        with transaction() if inside else nullcontext():
            promise(wanted, buyer="v:one", at=clock.now(), then=Then(words))

    # Each alone is there, both together are not: the statement finds out half way.
    with pytest.raises(OutOfStock):
        note(3)
    assert counts(offers[0]) == (0, 0)
    assert db.session.scalar(select(func.count(AuditEntry.id))) == 0
    note(2)
    assert counts(offers[0]) == (4, 2)
    assert db.session.scalar(select(func.count(AuditEntry.id))) == 1


@pytest.mark.parametrize(
    "closed",
    [
        {"opens_at_h": 1},
        {"closes_at_h": -1},
        {"withdrawn": True},
        {"state": SellerState.SUBMITTED},
    ],
)
def test_an_offer_that_is_not_on_sale_cannot_be_promised(closed: dict[str, object]) -> None:
    now = clock.now()
    offer = builders.offer(opens_at=now - timedelta(days=1))
    with transaction() as session:
        kept = session.get_one(Offer, offer.id)
        if "opens_at_h" in closed:
            kept.opens_at = now + timedelta(hours=1)
        if "closes_at_h" in closed:
            kept.closes_at = now - timedelta(hours=1)
        if "withdrawn" in closed:
            kept.withdrawn_at = now
        if "state" in closed:
            kept.lot.seller.state = SellerState.SUBMITTED
    with pytest.raises(OfferClosed):
        promise({offer.id: 1}, buyer="v:one", at=now)
    assert counts(offer) == (0, 0)


def test_an_unknown_offer_is_not_found() -> None:
    with pytest.raises(NotFound):
        promise({10**12: 1}, buyer="v:one", at=clock.now())


def frozen_by_a_promise(offer: Offer, at: datetime) -> str:
    """The certificate that a line freezes when its units are promised at `at`."""
    [promised] = promise({offer.id: 1}, buyer="v:one", at=at)
    return str(promised.certificate_number)


def frozen_afterwards(offer: Offer, at: datetime) -> str:
    """The certificate that a line freezes of a sale which has happened at `at`."""
    return freeze([offer.id], at)[offer.id].certificate_number


def shown(offer: Offer, at: datetime) -> str:
    """The certificate that the product page shows first at `at`."""
    with clock.frozen(at):
        facts = offer_by_public_id(offer.public_id)
    assert facts is not None
    return next((one.number for one in facts.certificates), "")


@pytest.mark.parametrize("seen", [frozen_by_a_promise, frozen_afterwards, shown])
def test_a_certificate_counts_to_the_end_of_its_last_day_in_shanghai(
    seen: Callable[[Offer, datetime], str],
) -> None:
    last = date(2026, 3, 1)
    midnight = clock.start_of_day(last + timedelta(days=1))
    offer = builders.offer(opens_at=midnight - timedelta(days=1))
    with transaction() as session:
        session.add(
            Certificate(
                seller_id=offer.seller_id,
                kind="organic",
                number="O-1",
                valid_until=last,
                state=CertificateState.ACCEPTED,
            )
        )
    half_an_hour = timedelta(minutes=30)
    assert seen(offer, midnight - half_an_hour) == "O-1"
    assert seen(offer, midnight + half_an_hour) == ""
