"""Sales that have happened are written down once, whole, and promise nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import ledger
from kernel.db import db, transaction
from kernel.errors import KeyReused, NotFound
from kernel.ledger import AccountKind
from orders.actions.counter import CounterSale, record_sales
from orders.books import BOOK
from orders.model import CreditKind, Order, OrderState, Payment, PaymentMethod, PaymentState
from sellers.model import Lot, Offer, Place
from sellers.supply import promise_lots
from tests import builders
from tests.at_once import at_once


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def in_slot(units: int = 10) -> Offer:
    """An offer of oranges at ¥5.00 in a slot."""
    lot = builders.lot(builders.product(builders.seller()), offered=units)
    return builders.offer(lot, 500, Place.SLOT)


def sale_of(offer: Offer, units: int = 2, reference: str = "cabinet:one:1") -> CounterSale:
    """A sale from a cabinet."""
    source = builders.credit_source(CreditKind.CABINET, "one")
    return CounterSale(reference, offer.id, units, source.id, "重庆市")


def record_sale(sale: CounterSale) -> int:
    """Record one sale; return its order's id."""
    return record_sales([sale])[sale.reference]


def count(table: type) -> int:
    """Rows of a table."""
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_a_sale_is_a_paid_order_that_is_handed_over_and_credited() -> None:
    offer = in_slot()
    order = db.session.get_one(Order, record_sale(sale_of(offer)))
    [line] = order.lines
    assert order.state is OrderState.HANDED
    assert (order.total_fen, order.city) == (1000, "重庆市")
    assert order.paid_at is not None
    assert (line.price_fen, line.quantity, line.from_slot) == (500, 2, True)
    assert line.credit.kind is CreditKind.CABINET
    assert line.seller_name_zh == "某村合作社"
    assert [event.kind for event in order.events] == ["handed"]
    payment = db.session.scalars(select(Payment)).one()
    assert (payment.method, payment.state) == (PaymentMethod.CASH, PaymentState.CAPTURED)
    assert payment.captured_fen == 1000
    assert ledger.balance(BOOK, AccountKind.CASH_CLEARING).fen == 1000
    assert ledger.balance(BOOK, AccountKind.BUYER_PREPAID).fen == -1000


def test_a_sale_promises_nothing_again() -> None:
    offer = in_slot(2)
    promise_lots({offer.lot_id: 2})
    record_sale(sale_of(offer, units=2))
    db.session.expire_all()
    assert db.session.get_one(Lot, offer.lot_id).promised == 2
    assert db.session.get_one(Offer, offer.id).sold == 0


def test_the_same_reference_is_one_sale() -> None:
    offer = in_slot()
    assert record_sale(sale_of(offer)) == record_sale(sale_of(offer))
    assert (count(Order), count(Payment)) == (1, 1)
    assert ledger.balance(BOOK, AccountKind.CASH_CLEARING).fen == 1000


def test_a_reference_cannot_name_another_sale() -> None:
    offer = in_slot()
    record_sale(sale_of(offer))
    with pytest.raises(KeyReused):
        record_sale(sale_of(offer, units=3))
    assert (count(Order), count(Payment)) == (1, 1)


def test_a_later_price_changes_no_recorded_sale() -> None:
    offer = in_slot()
    record_sale(sale_of(offer))
    with transaction() as session:
        session.get_one(Offer, offer.id).price_fen = 900
    assert record_sale(sale_of(offer)) == db.session.scalars(select(Order.id)).one()
    assert db.session.scalars(select(Order)).one().total_fen == 1000


def test_an_unknown_offer_leaves_nothing_behind() -> None:
    source = builders.credit_source(CreditKind.CABINET, "one")
    with pytest.raises(NotFound):
        record_sale(CounterSale("cabinet:one:1", 10**12, 1, source.id))
    assert (count(Order), count(Payment)) == (0, 0)


def test_a_batch_is_all_or_none_and_repeats_within_it_are_one_sale() -> None:
    offer = in_slot()
    first, second = sale_of(offer), sale_of(offer, 1, "cabinet:one:2")
    known = record_sale(first)
    orders = record_sales([second, first, second])
    assert orders["cabinet:one:1"] == known
    assert (count(Order), count(Payment)) == (2, 2)
    assert ledger.balance(BOOK, AccountKind.CASH_CLEARING).fen == 1500
    for refused in (sale_of(offer, 3), sale_of(offer, 3, "cabinet:one:3")):
        with pytest.raises(KeyReused):
            record_sales([sale_of(offer, 2, "cabinet:one:3"), refused])
    assert (count(Order), record_sales([])) == (2, {})
    with pytest.raises(ValueError, match="at least one"):
        record_sales([sale_of(offer, 0)])


def test_two_who_record_the_same_sale_at_once_record_it_once(app: Flask) -> None:
    offer = in_slot()
    sale = sale_of(offer)
    orders = at_once(app, *[lambda: record_sale(sale)] * 3)
    assert len(set(orders)) == 1
    assert (count(Order), count(Payment)) == (1, 1)
