"""The one way to place an order."""

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db
from kernel.errors import Invalid, OutOfStock
from orders.model import CreditKind, LineAssist, Order, OrderLine, OrderState, Payment
from orders.model import PaymentMethod as Method
from orders.placing import Credited, Recipient, place
from tests import builders


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def test_an_order_freezes_its_lines_and_awaits_its_payment() -> None:
    offer, other = builders.offer(), builders.offer(price_fen=180)
    placed = place(
        builders.buyer(),
        {offer.id: 2, other.id: 30},
        builders.credited_to_shop(offer, other),
        Method.STRIPE,
        Recipient("某人", "13800000000", "韶关市", "某路 1 号"),
    )
    assert placed.total.fen == 2 * 5900 + 30 * 180
    order = db.session.scalars(select(Order)).one()
    assert order.state is OrderState.DUE
    assert order.expires_at is not None
    assert [(line.quantity, line.amount_fen) for line in order.lines] == [(2, 11800), (30, 5400)]
    payment = db.session.scalars(select(Payment)).one()
    assert payment.public_id == placed.payment_id
    assert [share.amount_fen for share in payment.shares] == [placed.total.fen]


def test_every_line_has_one_credit_and_its_assists() -> None:
    offer = builders.offer()
    shop = builders.credit_source()
    live = builders.credit_source(CreditKind.BROADCAST, "b1")
    place(builders.buyer(), {offer.id: 1}, {offer.id: Credited(live.id, (shop.id,))}, Method.STRIPE)
    assert db.session.scalars(select(OrderLine.credit_source_id)).all() == [live.id]
    assert db.session.scalars(select(LineAssist.credit_source_id)).all() == [shop.id]


def test_a_refused_order_leaves_nothing() -> None:
    plenty = builders.offer()
    scarce = builders.offer(quota=1)
    with pytest.raises(OutOfStock):
        place(
            builders.buyer(),
            {plenty.id: 1, scarce.id: 2},
            builders.credited_to_shop(plenty, scarce),
            Method.STRIPE,
        )
    assert db.session.scalars(select(Order)).all() == []
    assert db.session.scalars(select(Payment)).all() == []
    db.session.refresh(plenty)
    assert plenty.sold == 0


def test_less_than_the_provider_takes_is_refused_before_anything_is_promised() -> None:
    offer = builders.offer(price_fen=150)
    with pytest.raises(Invalid) as refusal:
        place(builders.buyer(), {offer.id: 2}, builders.credited_to_shop(offer), Method.STRIPE)
    assert refusal.value.code == "amount_too_small"
    db.session.refresh(offer)
    assert offer.sold == 0
