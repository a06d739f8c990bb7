"""What is open, or asked about one thing, is found by an index, however much was done before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from cabinets.stock import expected_of
from kernel import ledger
from kernel.db import db, transaction
from kernel.ledger import ABOUT, LedgerTransaction, Seal
from marketplace.office import queries as office
from orders import books
from orders.actions.handover import pack_order, packable, receive, send
from orders.actions.settlement import state_settlement
from orders.model import Order, PaymentMethod
from orders.placing import place
from orders.queries import packable as places
from orders.queries.settlement import to_settle
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace import market_day
from tests.orders.harvest_builders import pay


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are sent meanwhile, with their values."""
    sent: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        sent.append((str(arguments[2]), arguments[3]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plans(ask: Callable[[], object]) -> str:
    """How PostgreSQL would answer what `ask` sends, if reading whole tables were to be avoided."""
    with asked() as sent:
        ask()
    with transaction() as session:
        connection = session.connection()
        for one in ("seqscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{one} = off")
        told = [
            row[0]
            for statement, values in sent
            if statement.lstrip().startswith(("SELECT", "WITH"))
            for row in connection.exec_driver_sql("EXPLAIN " + statement, values)
        ]
    return "\n".join(told)


def bought(*sellers: Any) -> Order:
    """A guest's paid order of one unit from each of these sellers."""
    offers = [builders.offer(builders.lot(builders.product(one), 50)) for one in sellers]
    wanted = dict.fromkeys([one.id for one in offers], 1)
    credited = builders.credited_to_shop(*offers)
    placed = place(builders.buyer(), wanted, credited, PaymentMethod.STRIPE)
    order = db.session.get_one(Order, placed.order_id)
    pay(order)
    return order


def test_what_waits_to_be_settled_is_looked_for_among_what_is_open() -> None:
    assert "ix_orders_unsettled" in plans(to_settle)


def test_an_order_is_open_until_the_last_of_its_sellers_was_stated_what_it_is_owed() -> None:
    first, second = builders.seller(), builders.seller()
    order = bought(first, second)
    for seller in (first, second):
        send(pack_order(seller.id, order.id).id, "自己送")
    receive(order.id, account_id=None)

    def settled() -> object:
        return db.session.scalar(select(Order.settled_at).where(Order.id == order.id))

    state_settlement(first.id, None)
    assert settled() is None
    assert [one.seller.id for one in to_settle()] == [second.id]
    last = state_settlement(second.id, None)
    assert settled() == last.stated_at
    assert to_settle() == []
    assert_laws_hold()


def test_movements_are_found_by_what_they_are_about_also_by_its_beginning() -> None:
    order = bought(builders.seller())
    [payment] = office.payments_of(order.id)
    assert [one.kind for one in office.transactions_of(order.id)] == ["payment"]
    for about in (ABOUT.in_(["whole"]), ABOUT.startswith("begins")):
        found = plans(partial(db.session.scalars, select(LedgerTransaction.id).where(about)))
        assert "ix_ledger_transaction_about" in found
    page = office.transactions("", payment.public_id[:6], None)
    assert [one.reference for one in page.items] == [payment.public_id]


def test_a_slot_is_summed_from_an_index_alone() -> None:
    assert "ix_slot_event_units" in plans(lambda: expected_of([1]))


def test_the_book_is_sealed_from_a_link_long_ago_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        bought(builders.seller())
    while ledger.seal(books.BOOK):
        continue
    links = db.session.scalar(select(func.count()).select_from(Seal)) or 0
    monkeypatch.setattr(ledger, "LATE", 2)
    found = plans(lambda: ledger.seal(books.BOOK))
    assert "(id > COALESCE" in found, "neither transactions"
    assert "(transaction_id > COALESCE" in found, "nor seals are read from the first one on"
    assert office.chain() == office.Chain(links, 0, ledger.check_chain(books.BOOK).head)


def test_what_was_committed_very_late_is_sealed_at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "LATE", 1)
    for _ in range(3):
        bought(builders.seller())
    known = db.session.scalars(select(LedgerTransaction.id).order_by(LedgerTransaction.id)).all()
    with transaction() as session:
        book = ledger.book_id(books.BOOK)
        # As if the first one had been committed only now.
        for number, moved in enumerate(known[1:], 1):
            session.add(Seal(transaction_id=moved, book_id=book, sequence=number, hash="0" * 64))
    assert ledger.seal(books.BOOK) == 0
    assert ledger.seal(books.BOOK, whole=True) == 1


def test_the_ledger_offers_the_kinds_that_it_has() -> None:
    assert office.kinds() == []
    market_day.shop_sales()
    kept = db.session.scalars(select(LedgerTransaction.kind).distinct()).all()
    assert office.kinds() == sorted(kept)


def test_a_page_shows_so_many_places_to_pack_for_and_then_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seller = builders.seller()
    orders = [bought(seller) for _ in range(3)]
    monkeypatch.setattr(places, "PLACES_SHOWN", 2)

    def shown() -> list[int]:
        return [one.first_order_id for one in places.to_pack(packable(seller.id))]

    assert shown() == [orders[0].id, orders[1].id]
    pack_order(seller.id, orders[0].id)
    assert shown() == [orders[1].id, orders[2].id]
