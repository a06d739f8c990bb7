"""Who holds how much of an offer, by the lines."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, String, case, cast, func, select

from orders.model import Order, OrderLine


def held_units(offer_id: int) -> Select[str, int]:
    """Return a query of the buyers of an offer, by `Buyer.name`, and the units that each holds.

    What was given back is not held; a buyer who gave back everything holds nothing. Sales from
    a slot are left out: no limit per buyer ever stood before them.
    """
    # `kernel.access.actor_name`, said in SQL.
    buyer: ColumnElement[str] = case(
        (Order.account_id.is_(None), func.concat("v:", Order.visitor)),
        else_=func.concat("a:", cast(Order.account_id, String)),
    )
    return (
        select(buyer, func.sum(OrderLine.quantity - OrderLine.released))
        .join(Order, Order.id == OrderLine.order_id)
        .where(OrderLine.offer_id == offer_id, ~OrderLine.from_slot)
        .group_by(buyer)
    )
