"""What a buyer sees of its own orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, false, select
from sqlalchemy.orm import joinedload, selectinload, undefer

from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, decode, page_of
from orders.model import (
    Consignment,
    GroupOrder,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    PaymentShare,
    PayMode,
    Refund,
    RefundState,
)
from orders.placing import Recipient
from sellers.model import Offer, Seller

REFUNDING = frozenset({"refunded", "refund_failed"})
"""Kinds of events that tell what became of a refund, by its sum."""


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """Everything that an order's page shows. `payment` is None while nothing is due."""

    order: Order
    payment: Payment | None
    refunds: Sequence[Refund]
    consignments: Sequence[Consignment]
    sellers: dict[int, Seller]
    group_order: GroupOrder | None
    is_mine: bool

    @property
    def given_back_fen(self) -> int:
        """What was or will be given back of the total, in fen."""
        lowers = [one for one in self.refunds if one.line_id is not None or one.is_outside]
        return sum(one.amount_fen for one in lowers)

    def line_of(self, refund: Refund) -> OrderLine | None:
        """Return the line that a refund pays back; None for what never paid for goods."""
        return next((line for line in self.order.lines if line.id == refund.line_id), None)

    @property
    def is_units(self) -> bool:
        """Tell whether the buyer's unit pays for it, as a whole."""
        return self.group_order is not None and self.group_order.pay_mode is PayMode.UNIT

    def refund_of(self, event: OrderEvent) -> Refund | None:
        """Return the refund of which an event tells, None where it could be one of several."""
        owed = [one for one in self.refunds if one.state is not RefundState.CUT]
        told = [one for one in self.order.events if one.kind == "refund_owed"]
        if event in told:  # each was written with its refund
            return owed[told.index(event)] if len(told) == len(owed) else None
        same = [one for one in owed if str(Money(one.amount_fen)) == event.facts]
        return same[0] if event.kind in REFUNDING and len(same) == 1 else None

    @property
    def recipient(self) -> Recipient | None:
        """Where the goods go, None when the order is handed over at the unit."""
        return read_recipient(self.order.recipient)


def owned_by(who: Viewer) -> ColumnElement[bool]:
    """Return the condition that an order is the viewer's own: by account, else by cookie.

    A guest's order stays with the browser, also after somebody signed in there.
    """
    conditions: list[ColumnElement[bool]] = []
    if who.account_id is not None:
        conditions.append(Order.account_id == who.account_id)
    if who.visitor:
        conditions.append((Order.account_id.is_(None)) & (Order.visitor == who.visitor))
    if not conditions:
        return false()
    return conditions[0] if len(conditions) == 1 else conditions[0] | conditions[1]


def is_own(order: Order, who: Viewer) -> bool:
    """Tell whether an order is the viewer's own, as `owned_by` has it."""
    if order.account_id is not None:
        return order.account_id == who.account_id
    return order.visitor == who.visitor != ""


def orders_of(who: Viewer, *, cursor: str | None, page_size: int) -> Page[Order]:
    """Return the viewer's orders with their lines, newest first.

    Each change of a member's needs leaves an order behind that a newer one replaced; those
    are left out.
    """
    replaced = exists().where(OrderEvent.order_id == Order.id, OrderEvent.kind == "changed")
    statement = (
        select(Order)
        .where(owned_by(who), ~replaced)
        .options(selectinload(Order.lines).joinedload(OrderLine.photo))
        .order_by(Order.id.desc())
        .limit(page_size + 1)
    )
    if cursor:
        [before] = decode(cursor, int)
        statement = statement.where(Order.id < before)
    return page_of(db.session.scalars(statement).all(), page_size, lambda one: (one.id,))


def order_for(number: str, who: Viewer) -> Order:
    """Return the viewer's own order, or any for staff. Raises NotFound for everybody else."""
    statement = (
        select(Order)
        .where(Order.number == number)
        .options(
            selectinload(Order.lines).options(
                joinedload(OrderLine.photo), joinedload(OrderLine.credit)
            ),
            selectinload(Order.events),
        )
    )
    if not who.has(Role.STAFF, Role.AUDITOR):
        statement = statement.where(owned_by(who)).options(undefer(Order.recipient))
    return found(db.session.scalar(statement))


def last_recipient(who: Viewer) -> Recipient | None:
    """Return where the viewer's latest order with an address went, None without one."""
    return read_recipient(
        db.session.scalar(
            select(Order.recipient)
            .where(owned_by(who), Order.recipient.is_not(None))
            .order_by(Order.id.desc())
            .limit(1)
        )
    )


def read_recipient(kept: str | None) -> Recipient | None:
    """Return where an order goes, as it was kept; None when it is handed over at the unit."""
    return Recipient(**json.loads(kept)) if kept else None


def bought(number: str, who: Viewer) -> dict[str, int]:
    """Return what the viewer's own order had: offer public id → units. Raises NotFound."""
    rows = db.session.execute(
        select(Offer.public_id, OrderLine.quantity)
        .join(OrderLine, OrderLine.offer_id == Offer.id)
        .join(Order, OrderLine.order_id == Order.id)
        .where(Order.number == number, owned_by(who))
        .order_by(OrderLine.id)
    ).all()
    return {row.public_id: row.quantity for row in found(rows or None)}


def payment_of(order_id: int) -> Payment | None:
    """Return the newest payment that covers an order."""
    return db.session.scalar(
        select(Payment)
        .join(PaymentShare)
        .where(PaymentShare.order_id == order_id)
        .order_by(Payment.id.desc())
        .limit(1)
    )


def sheet(number: str, who: Viewer) -> OrderSheet:
    """Return what the page of order `number` shows. Raises NotFound like `order_for`."""
    order = order_for(number, who)
    sellers = db.session.scalars(
        select(Seller).where(Seller.id.in_({line.seller_id for line in order.lines}))
    ).all()
    return OrderSheet(
        order=order,
        payment=payment_of(order.id),
        refunds=db.session.scalars(
            select(Refund).where(Refund.order_id == order.id).order_by(Refund.id)
        ).all(),
        consignments=db.session.scalars(
            select(Consignment).where(Consignment.order_id == order.id).order_by(Consignment.id)
        ).all(),
        sellers={one.id: one for one in sellers},
        group_order=db.session.get(GroupOrder, order.group_order_id)
        if order.group_order_id
        else None,
        is_mine=is_own(order, who),
    )
