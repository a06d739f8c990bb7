"""Queueing for lots."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from kernel import clock
from kernel.db import db, transaction
from sellers import supply
from sellers.actions import close_lot
from sellers.model import Lot, Offer
from sellers.supply import GivenBack
from tests import builders
from tests.at_once import PATIENCE_S

_WAITING = text("SELECT locktype FROM pg_locks WHERE NOT granted")


def promise(offer: Offer) -> None:
    """Take one unit through the offer."""
    supply.promise({offer.id: 1}, buyer="v:one", at=clock.now())


def give_back(offer: Offer) -> None:
    """Return one unit."""
    supply.release([GivenBack(offer.id, offer.lot_id, 1, "v:one")])


def move_out(offer: Offer) -> None:
    """Take one unit for a slot."""
    supply.promise_lots({offer.lot_id: 1})


def lock(offer: Offer) -> None:
    """Only wait for it."""
    supply.lock([offer.id])


def close(offer: Offer) -> None:
    """Sell no more of its lot."""
    close_lot(offer.lot_id)


@pytest.mark.parametrize("change", [promise, give_back, move_out, lock, close])
def test_whoever_changes_what_is_left_of_a_lot_waits_in_its_queue_and_not_at_its_row(
    app: Flask, change: Callable[[Offer], None]
) -> None:
    def come() -> None:
        with app.app_context():
            change(offer)
            db.session.remove()

    with app.app_context():
        offer = builders.offer()
        supply.promise({offer.id: 2}, buyer="v:one", at=clock.now())
        promised = db.session.get_one(Lot, offer.lot_id).promised
        db.session.expunge_all()
        comers = [threading.Thread(target=come, daemon=True) for _ in range(2)]
        with transaction() as session:
            supply.lock([offer.id])
            for comer in comers:
                comer.start()
            while len(waiting := session.scalars(_WAITING).all()) < len(comers):
                assert all(comer.is_alive() for comer in comers)
            assert set(waiting) == {"advisory"}
            assert session.get_one(Lot, offer.lot_id).promised == promised
        for comer in comers:
            comer.join(PATIENCE_S)
        assert not any(comer.is_alive() for comer in comers)
