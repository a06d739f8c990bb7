"""What became of closed group orders: asked for, allocated, refunded, paid; from their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from kernel.db import db
from kernel.money import Money
from orders.model import (
    Order,
    OrderLine,
    Payment,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
)
from orders.queries.rounds import STANDING


def asked_for() -> ColumnElement[bool]:
    """Choose lines that were asked for when it closed: who then got nothing is among them."""
    return Order.state.in_(STANDING) | OrderLine.allocated.is_not(None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Sums of one group order.

    `came` is what was allocated, None before any of it was; `paid` is what was paid and not
    refunded. What fell short before it was paid is neither refunded nor paid.
    """

    asked: Money
    came: Money | None
    refunded: Money
    paid: Money


def outcomes(group_order_ids: Sequence[int]) -> dict[int, Outcome]:
    """Return the outcome of each of these group orders, in three statements."""

    def by_group(query: Select[*tuple[Any, ...]]) -> dict[int, Row[*tuple[Any, ...]]]:
        mine = query.where(Order.group_order_id.in_(group_order_ids))
        return {row[0]: row for row in db.session.execute(mine.group_by(Order.group_order_id))}

    lines = by_group(
        select(
            Order.group_order_id,
            func.sum(OrderLine.amount_fen),
            func.sum(OrderLine.price_fen * OrderLine.allocated),
        )
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(asked_for())
    )
    refunds = by_group(
        select(Order.group_order_id, func.sum(Refund.amount_fen))
        .join(OrderLine, OrderLine.order_id == Order.id)
        .join(Refund, Refund.line_id == OrderLine.id)
        .where(Refund.state != RefundState.CUT)
    )
    payments = by_group(
        select(Order.group_order_id, func.sum(PaymentShare.amount_fen))
        .join(PaymentShare, PaymentShare.order_id == Order.id)
        .join(Payment, Payment.id == PaymentShare.payment_id)
        # What came too late, or too little, was captured too, and went back without paying.
        .where(Payment.state == PaymentState.CAPTURED, Order.paid_at.is_not(None))
    )
    found = {}
    for one in group_order_ids:
        _, asked, came = lines.get(one, (one, 0, None))
        refunded = Money(int(refunds[one][1])) if one in refunds else Money(0)
        captured = Money(int(payments[one][1])) if one in payments else Money(0)
        found[one] = Outcome(
            Money(int(asked)),
            None if came is None else Money(int(came)),
            refunded,
            captured - refunded,
        )
    return found
