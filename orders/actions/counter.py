"""Sales that have happened, at a cabinet or a counter: written down, never refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from kernel import clock
from kernel.db import public_code, transaction
from kernel.errors import KeyReused
from kernel.money import Money
from orders import books
from orders.model import (
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
)
from orders.placing import order_number
from sellers.supply import FROZEN, Promised, freeze


@dataclass(frozen=True, slots=True)
class CounterSale:
    """What was sold: `units` of an offer, credited to one source, in a city if it is known.

    `reference` is the caller's own name of the sale (at most 80 characters) and makes it
    recorded once.
    """

    reference: str
    offer_id: int
    units: int
    credit_source_id: int
    city: str = ""

    @property
    def facts(self) -> tuple[int, int, int]:
        """What a repeat under the same reference must agree in."""
        return self.offer_id, self.units, self.credit_source_id


def record_sales(sales: Iterable[CounterSale]) -> dict[str, int]:
    """Record sales that have happened, at their offers' prices of now; return reference → order.

    Each is an order of its own, paid in cash and handed over, all in one transaction and the
    same few statements however many they are. No stock is promised: the units left their lot
    when they were moved to where they were sold. A repeat under the same reference returns
    the order that there is. Raises ValueError unless units are at least one, NotFound for no
    such offer, and KeyReused for a reference that names another sale; then none is recorded.
    """
    named = _by_reference(sales)
    if not named:
        return {}
    at = clock.now()
    with transaction() as session:
        frozen = freeze({sale.offer_id for sale in named.values()}, at)
        new = _write_orders(session, named, frozen, at)
        known = _recorded(session, [sale for name, sale in named.items() if name not in new])
        if new:
            sold = [(order_id, named[name]) for name, order_id in new.items()]
            session.execute(
                insert(OrderLine),
                [_line(order_id, sale, frozen[sale.offer_id]) for order_id, sale in sold],
            )
            session.execute(
                insert(OrderEvent),
                [{"order_id": order_id, "at": at, "kind": "handed"} for order_id, _ in sold],
            )
            _take_cash(
                session,
                {order: frozen[sale.offer_id].price * sale.units for order, sale in sold},
                at,
            )
    return {**known, **new}


def _by_reference(sales: Iterable[CounterSale]) -> dict[str, CounterSale]:
    """Return each sale once, in the order of references, so that two batches never deadlock."""
    named: dict[str, CounterSale] = {}
    for sale in sorted(sales, key=lambda one: one.reference):
        if sale.units < 1:
            raise ValueError("units are whole and at least one")
        if named.setdefault(sale.reference, sale).facts != sale.facts:
            raise KeyReused()
    return named


def _write_orders(
    session: Session,
    named: Mapping[str, CounterSale],
    frozen: Mapping[int, Promised],
    at: datetime,
) -> dict[str, int]:
    """Write the orders that are new and return reference → id of those."""
    # Two who record the same sale at once wait for each other here.
    rows = session.execute(
        insert(Order)
        .on_conflict_do_nothing(
            index_elements=[Order.reference], index_where=Order.reference.is_not(None)
        )
        .returning(Order.reference, Order.id),
        [
            {
                "number": order_number(),
                "state": OrderState.HANDED,
                "total_fen": (frozen[sale.offer_id].price * sale.units).fen,
                "city": sale.city,
                "placed_at": at,
                "paid_at": at,
                "handed_at": at,
                "reference": reference,
            }
            for reference, sale in named.items()
        ],
    )
    return {row.reference: row.id for row in rows}


def _recorded(session: Session, sales: Sequence[CounterSale]) -> dict[str, int]:
    """Return the orders that these sales already have. Raises KeyReused for another sale's."""
    if not sales:
        return {}
    rows = session.execute(
        select(
            Order.reference,
            Order.id,
            OrderLine.offer_id,
            OrderLine.quantity,
            OrderLine.credit_source_id,
        )
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.reference.in_([sale.reference for sale in sales]))
    )
    kept = {row.reference: row for row in rows}
    for sale in sales:
        row = kept[sale.reference]
        if (row.offer_id, row.quantity, row.credit_source_id) != sale.facts:
            raise KeyReused()
    return {reference: row.id for reference, row in kept.items()}


def _line(order_id: int, sale: CounterSale, frozen: Promised) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "offer_id": frozen.offer_id,
        "credit_source_id": sale.credit_source_id,
        **{name: getattr(frozen, name) for name in FROZEN},
        "price_fen": frozen.price.fen,
        "quantity": sale.units,
        "amount_fen": frozen.price.fen * sale.units,
        "from_slot": True,
    }


def _take_cash(session: Session, totals: Mapping[int, Money], at: datetime) -> None:
    """Write the captured payment of each order (id → total) and post them to the ledger."""
    paid_for = {public_code(): order_id for order_id in totals}
    rows = session.execute(
        insert(Payment).returning(Payment.public_id, Payment.id),
        [
            {
                "public_id": public_id,
                "method": PaymentMethod.CASH,
                "state": PaymentState.CAPTURED,
                "amount_fen": totals[order_id].fen,
                "captured_fen": totals[order_id].fen,
                "created_at": at,
                "captured_at": at,
            }
            for public_id, order_id in paid_for.items()
        ],
    )
    session.execute(
        insert(PaymentShare),
        [
            {
                "payment_id": row.id,
                "order_id": paid_for[row.public_id],
                "amount_fen": totals[paid_for[row.public_id]].fen,
            }
            for row in rows
        ],
    )
    books.captured_all(
        PaymentMethod.CASH,
        {public_id: totals[order_id] for public_id, order_id in paid_for.items()},
    )
