"""Rounds, their legs and offers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid
from orders.actions.group_orders import set_needs
from orders.actions.rounds import (
    RoundProcessed,
    add_offer,
    create_round,
    remove_offer,
    revise_round,
    set_leg,
)
from orders.model import Round, RoundLeg
from sellers.model import LotMode, Offer, Place, SellerState
from tests import builders
from tests.orders.fairs import fair, plan


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_an_offer_of_a_round_is_on_sale_from_its_opening_to_the_sellers_cut_off() -> None:
    at = fair()
    assert at.eggs.place is Place.ROUND
    assert (at.eggs.opens_at, at.eggs.closes_at) == (at.round.opens_at, at.round.closes_at)
    early = at.closes_at - timedelta(hours=5)
    set_leg(at.round.id, at.eggs.seller_id, early)
    db.session.expire_all()
    assert db.session.get_one(Offer, at.eggs.id).closes_at == early
    assert db.session.get_one(Offer, at.ginger.id).closes_at == at.round.closes_at


def test_moving_a_rounds_cut_off_moves_its_offers() -> None:
    at = fair()
    early = at.closes_at - timedelta(hours=5)
    set_leg(at.round.id, at.eggs.seller_id, early)
    later = plan(timedelta(days=4))
    revise_round(at.round.id, later)
    db.session.expire_all()
    assert db.session.get_one(Offer, at.eggs.id).closes_at == early
    assert db.session.get_one(Offer, at.ginger.id).closes_at == later.closes_at


def test_a_round_cannot_open_after_a_sellers_own_cut_off() -> None:
    at = fair()
    early = at.closes_at - timedelta(hours=5)
    set_leg(at.round.id, at.eggs.seller_id, early)
    with pytest.raises(Invalid) as refusal:
        revise_round(at.round.id, plan(opens_at=at.closes_at - timedelta(hours=4)))
    assert set(refusal.value.fields) == {"opens_at"}
    db.session.expire_all()
    assert db.session.get_one(Round, at.round.id).opens_at == at.round.opens_at
    assert db.session.get_one(Offer, at.eggs.id).closes_at == early


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title_zh": " "}, "title_zh"),
        ({"opens_at": clock.now() + timedelta(days=9)}, "closes_at"),
        ({"harvest_from": clock.today()}, "harvest_from"),
        ({"harvest_to": clock.today()}, "harvest_to"),
        ({"handover_on": clock.today()}, "handover_on"),
        ({"pay_within_h": 0}, "pay_within_h"),
    ],
)
def test_a_round_whose_dates_do_not_follow_one_another_is_refused(
    wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        create_round(plan(**wrong))
    assert field in refusal.value.fields
    assert db.session.scalar(select(func.count(Round.id))) == 0


def test_a_round_cannot_be_made_in_the_past() -> None:
    with pytest.raises(Invalid):
        create_round(plan(timedelta(minutes=-1)))
    assert db.session.scalar(select(func.count(Round.id))) == 0


def test_a_lot_stands_once_in_a_round() -> None:
    at = fair()
    with pytest.raises(Conflict) as refusal:
        add_offer(at.round.id, at.eggs.lot_id, 160)
    assert refusal.value.code == "lot_in_round"
    assert db.session.scalar(select(func.count(Offer.id))) == 2


def test_only_a_verified_seller_gets_a_leg() -> None:
    at = fair()
    unknown = builders.seller(SellerState.SUBMITTED)
    lot = builders.lot(builders.product(unknown), 10, LotMode.IN_FIELD)
    with pytest.raises(Invalid):
        add_offer(at.round.id, lot.id, 500)
    assert db.session.scalar(select(func.count(RoundLeg.id))) == 2


def test_an_offer_that_somebody_ordered_stays() -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    with pytest.raises(Conflict):
        remove_offer(at.round.id, at.eggs.public_id)
    remove_offer(at.round.id, at.ginger.public_id)
    db.session.expire_all()
    assert db.session.get_one(Offer, at.eggs.id).withdrawn_at is None
    assert db.session.get_one(Offer, at.ginger.id).withdrawn_at is not None


def test_a_processed_round_is_not_changed() -> None:
    at = fair()
    with transaction() as session:
        session.get_one(Round, at.round.id).processed_at = clock.now()
    with pytest.raises(RoundProcessed):
        revise_round(at.round.id, plan(timedelta(days=4)))
    with pytest.raises(RoundProcessed):
        set_leg(at.round.id, at.eggs.seller_id)
    db.session.expire_all()
    assert db.session.get_one(Round, at.round.id).closes_at == at.closes_at


def test_a_round_does_not_open_behind_the_early_cut_off_of_a_leg() -> None:
    at = fair()
    set_leg(at.round.id, at.eggs.seller_id, clock.now() + timedelta(hours=5))
    later = plan(timedelta(days=5), opens_at=clock.now() + timedelta(days=1))
    before = db.session.get_one(Round, at.round.id).opens_at
    with pytest.raises(Invalid) as refusal:
        revise_round(at.round.id, later)
    assert list(refusal.value.fields) == ["opens_at"]
    db.session.expire_all()
    assert db.session.get_one(Round, at.round.id).opens_at == before
