"""A limit per buyer that comes to an offer which has sold already."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db, transaction
from kernel.errors import Conflict, LimitReached
from orders.lifecycle import cancel
from orders.model import Order, PaymentMethod
from orders.placing import Buyer, place
from sellers import actions
from sellers.model import BuyerTake, Offer
from tests import builders
from tests.laws import assert_laws_hold
from tests.locks import start_and_wait


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def buy(offer: Offer, buyer: Buyer, units: int) -> Order:
    """An order of one line that awaits its payment."""
    placed = place(buyer, {offer.id: units}, builders.credited_to_shop(offer), PaymentMethod.CASH)
    order = db.session.scalar(select(Order).where(Order.number == placed.number))
    assert order is not None
    return order


def limit(offer: Offer, most: int | None) -> None:
    """The seller changes the limit per buyer and nothing else."""
    terms = actions.OfferTerms(price_fen=offer.price_fen, limit_per_buyer=most)
    actions.change_offer(offer.id, terms)


def counted() -> dict[str, int]:
    """What counts against limits, by buyer."""
    db.session.expire_all()
    return {one.buyer: one.units for one in db.session.scalars(select(BuyerTake))}


def test_a_new_limit_counts_what_a_buyer_holds_already() -> None:
    offer = builders.offer()
    guest, member = builders.buyer(), Buyer(account_id=builders.account().id)
    buy(offer, guest, 2)
    buy(offer, guest, 1)
    buy(offer, member, 5)
    limit(offer, 4)
    assert counted() == {guest.name: 3, member.name: 5}
    with pytest.raises(LimitReached) as refusal:
        buy(offer, guest, 2)
    assert refusal.value.extra["taken"] == 3
    with pytest.raises(LimitReached):
        buy(offer, member, 1)
    buy(offer, guest, 1)
    assert counted() == {guest.name: 4, member.name: 5}
    assert_laws_hold()


def test_what_was_given_back_before_the_limit_is_free_again() -> None:
    offer, guest = builders.offer(), builders.buyer()
    cancel(buy(offer, guest, 3))
    order = buy(offer, guest, 2)
    limit(offer, 2)
    assert counted() == {guest.name: 2}
    cancel(order)
    assert counted() == {guest.name: 0}
    buy(offer, guest, 2)
    assert_laws_hold()


def test_a_limit_that_is_lowered_taken_away_and_set_again_counts_every_unit() -> None:
    offer, guest = builders.offer(limit_per_buyer=5), builders.buyer()
    buy(offer, guest, 3)
    limit(offer, 2)
    with pytest.raises(Conflict):
        buy(offer, guest, 1)
    assert counted() == {guest.name: 3}
    limit(offer, None)
    buy(offer, guest, 4)
    assert counted() == {}
    assert_laws_hold()
    limit(offer, 8)
    assert counted() == {guest.name: 7}
    buy(offer, guest, 1)
    assert_laws_hold()


def test_a_refused_change_counts_nothing() -> None:
    offer, guest = builders.offer(), builders.buyer()
    buy(offer, guest, 3)
    terms = actions.OfferTerms(price_fen=5900, quota=2, limit_per_buyer=1)
    with pytest.raises(Conflict):
        actions.change_offer(offer.id, terms)
    assert counted() == {}
    with transaction() as session:
        assert session.get_one(Offer, offer.id).limit_per_buyer is None


@pytest.mark.parametrize(("before", "after", "sells"), [(None, 3, True), (5, 2, False)])
def test_whoever_buys_while_the_limit_changes_is_held_to_the_new_one(
    app: Flask, before: int | None, after: int, sells: bool
) -> None:
    offer, guest = builders.offer(limit_per_buyer=before), builders.buyer()
    buy(offer, guest, 2)
    credited = builders.credited_to_shop(offer)
    offer_id, said = offer.id, list[str]()

    def buy_one_more() -> None:
        with app.app_context():
            try:
                place(guest, {offer_id: 1}, credited, PaymentMethod.CASH)
                said.append("sold")
            except LimitReached:
                said.append("limit")

    other = threading.Thread(target=buy_one_more)
    with transaction():
        limit(offer, after)
        db.session.flush()
        start_and_wait(other)
    other.join(20)
    assert said == (["sold"] if sells else ["limit"])
    assert counted() == {guest.name: 3 if sells else 2}
    assert_laws_hold()
