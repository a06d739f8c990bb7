"""Sales that have happened, at a cabinet or a counter: written down, never refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from kernel import clock
from kernel.db import transaction
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
from sellers.supply import Promised, freeze


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


def record_sale(sale: CounterSale) -> int:
    """Record a sale that has happened, at the offer's price of now, and return its order's id.

    The order is paid in cash and handed over. No stock is promised: the units left their lot
    when they were moved to where they were sold. A repeat under the same reference returns
    the order that there is. Raises ValueError unless units are at least one, NotFound for no
    such offer, and KeyReused for a reference that names another sale.
    """
    if sale.units < 1:
        raise ValueError("units are whole and at least one")
    at = clock.now()
    with transaction() as session:
        frozen = freeze(sale.offer_id, sale.units, at)
        total = frozen.price * sale.units
        # Two who record the same sale at once wait for each other here.
        order_id: int | None = session.scalar(
            insert(Order)
            .values(
                number=order_number(),
                visitor="",
                state=OrderState.HANDED,
                total_fen=total.fen,
                city=sale.city,
                note="",
                placed_at=at,
                paid_at=at,
                handed_at=at,
                reference=sale.reference,
            )
            .on_conflict_do_nothing(
                index_elements=[Order.reference], index_where=Order.reference.is_not(None)
            )
            .returning(Order.id)
        )
        if order_id is None:
            return _recorded(session, sale)
        session.add_all(
            [
                _line(order_id, sale, frozen),
                OrderEvent(order_id=order_id, at=at, kind="handed", facts=""),
            ]
        )
        _take_cash(session, order_id, total, at)
    return order_id


def _recorded(session: Session, sale: CounterSale) -> int:
    """Return the order that a reference already has, if it is the same sale."""
    line = session.scalars(
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .where(Order.reference == sale.reference)
    ).one()
    kept = (line.offer_id, line.quantity, line.credit_source_id)
    if kept != (sale.offer_id, sale.units, sale.credit_source_id):
        raise KeyReused()
    return line.order_id


def _line(order_id: int, sale: CounterSale, frozen: Promised) -> OrderLine:
    return OrderLine(
        order_id=order_id,
        offer_id=frozen.offer_id,
        lot_id=frozen.lot_id,
        seller_id=frozen.seller_id,
        product_id=frozen.product_id,
        credit_source_id=sale.credit_source_id,
        name_zh=frozen.name_zh,
        name_en=frozen.name_en,
        seller_name_zh=frozen.seller_name_zh,
        seller_name_en=frozen.seller_name_en,
        unit_name=frozen.unit_name,
        unit_g=frozen.unit_g,
        picture=frozen.picture,
        category=frozen.category,
        certificate_number=frozen.certificate_number,
        harvest_from=frozen.harvest_from,
        harvest_to=frozen.harvest_to,
        price_fen=frozen.price.fen,
        quantity=frozen.units,
        amount_fen=frozen.price.fen * frozen.units,
        from_slot=True,
    )


def _take_cash(session: Session, order_id: int, total: Money, at: datetime) -> None:
    """Write the captured payment and post it to the ledger."""
    payment = Payment(
        method=PaymentMethod.CASH,
        state=PaymentState.CAPTURED,
        amount_fen=total.fen,
        captured_fen=total.fen,
        captured_at=at,
        shares=[PaymentShare(order_id=order_id, amount_fen=total.fen)],
    )
    session.add(payment)
    session.flush()
    books.captured(payment)
