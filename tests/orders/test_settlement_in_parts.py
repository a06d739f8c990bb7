"""A settlement in many small parts comes out for the households as one of all."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db, transaction
from orders.actions.closing import close_due_rounds
from orders.actions.handover import pack_order, receive, send
from orders.actions.harvest import split
from orders.actions.settlement import state_settlement
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import CreditKind, HouseholdShare, NoticeItem, Order, PaymentMethod
from orders.placing import Credited, place
from sellers.model import BenefitPlan, Household, Offer, Seller
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair
from tests.orders.harvest_builders import pay


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def households(seller_id: int, plan: str) -> Sequence[Household]:
    """Three equal households of a seller, and a plan that gives them everything."""
    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller_id, kind=plan, basis_points=10_000))
        seller = session.get_one(Seller, seller_id)
    return [builders.household(seller, share_weight=1) for _ in range(3)]


def bought(offer: Offer, credited: Mapping[int, Credited]) -> Order:
    """One unit, bought by a guest and paid."""
    placed = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE)
    order = db.session.get_one(Order, placed.order_id)
    pay(order)
    return order


def settle_each(seller_id: int, round_id: int | None, orders: Sequence[Order]) -> None:
    """Each order is handed over and settled before the next one is."""
    for order in orders:
        send(pack_order(seller_id, order.id).id, "自己送")
        receive(order.id, account_id=None)
        state_settlement(seller_id, round_id)


def got() -> list[tuple[int, int]]:
    """Units and fen of each household, from all settlements."""
    sums = func.sum(HouseholdShare.units), func.sum(HouseholdShare.amount_fen)
    of_each = select(*sums).group_by(HouseholdShare.household_id)
    rows = db.session.execute(of_each.order_by(HouseholdShare.household_id))
    return [(int(units), int(fen)) for units, fen in rows]


def test_units_and_money_by_delivery_favour_no_household_of_a_round() -> None:
    at = fair()
    seller_id = at.ginger.seller_id
    growers = households(seller_id, "delivery")
    source = builders.credit_source(CreditKind.ROUND, at.round.code)
    credited = builders.credited_to_shop(at.ginger, source=source)
    orders = [bought(at.ginger, credited) for _ in growers]
    with clock.frozen(at.closes_at):
        assert close_due_rounds(at.closes_at) == 1
    item = db.session.scalars(select(NoticeItem)).one()
    split(item.id, {one.public_id: 1 for one in growers})
    for one in growers:
        enter_yield(item.id, one.id, Harvested(1), account_id=None)
    allocate(item.id, "pro_rata", account_id=None)
    settle_each(seller_id, at.round.id, orders)
    assert got() == [(1, 900)] * 3
    assert_laws_hold()


def test_money_by_shares_favours_no_household_of_a_shop() -> None:
    offer = builders.offer(price_fen=1_000)
    households(offer.seller_id, "shares")
    credited = builders.credited_to_shop(offer)
    settle_each(offer.seller_id, None, [bought(offer, credited) for _ in range(3)])
    assert got() == [(0, 1_000)] * 3
    assert_laws_hold()
