"""Orders and their money, as tests of payments make and read them."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel import clock, ledger
from kernel.db import db, transaction
from kernel.ledger import AccountKind
from kernel.money import Money
from orders import books, lifecycle
from orders.model import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentMethod,
    Refund,
    RefundState,
)
from orders.payments import checkout
from orders.payments.actions import (
    refund_line,
)
from orders.payments.sandbox.courier import signature
from orders.placing import Buyer, Placed, place
from sellers.model import Lot, Offer
from tests import builders
from tests.payment_sandbox import SECRET, SandboxServer

BACK = "http://localhost/pay/back"


def buy(
    units: int = 2,
    *,
    offer: Offer | None = None,
    buyer: Buyer | None = None,
    method: PaymentMethod = PaymentMethod.STRIPE,
) -> Placed:
    """An order of `units`, waiting for its payment."""
    offer = offer or builders.offer()
    return place(
        buyer or builders.buyer(), {offer.id: units}, builders.credited_to_shop(offer), method
    )


def opened(placed: Placed) -> str:
    """Open the order's checkout and return the session's id."""
    assert placed.payment_id is not None
    checkout.open_checkout(placed.payment_id, BACK)
    session_id = payment_of(placed).session_id
    assert session_id is not None
    db.session.rollback()
    return session_id


def payment_of(placed: Placed) -> Payment:
    """The payment as the database has it."""
    db.session.rollback()
    return db.session.scalars(select(Payment).where(Payment.public_id == placed.payment_id)).one()


def order_of(placed: Placed) -> Order:
    """The order as the database has it."""
    db.session.rollback()
    return db.session.get_one(Order, placed.order_id)


def lot_of(placed: Placed) -> Lot:
    """The lot of an order's only line."""
    db.session.rollback()
    return db.session.get_one(Lot, order_of(placed).lines[0].lot_id)


def refunds_of(placed: Placed) -> list[Refund]:
    """All refunds of an order."""
    db.session.rollback()
    return list(
        db.session.scalars(
            select(Refund).where(Refund.order_id == placed.order_id).order_by(Refund.id)
        )
    )


def balance(kind: AccountKind) -> int:
    """Debits minus credits of an account, in fen."""
    return ledger.balance(books.BOOK, kind).fen


def check_laws() -> None:
    """Laws 1, 2 and 3, over everything there is."""
    db.session.rollback()
    assert db.session.scalar(select(func.coalesce(func.sum(ledger.Posting.amount_fen), 0))) == 0
    lines = select(OrderLine.lot_id, func.sum(OrderLine.quantity - OrderLine.released))
    rows = db.session.execute(lines.group_by(OrderLine.lot_id)).all()
    held = {row[0]: row[1] for row in rows}
    for lot in db.session.scalars(select(Lot)):
        assert lot.promised == held.get(lot.id, 0)
    for payment in db.session.scalars(select(Payment)):
        assert sum(share.amount_fen for share in payment.shares) == payment.amount_fen
        back = db.session.scalar(
            select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
                Refund.payment_id == payment.id, Refund.state != RefundState.CUT
            )
        )
        assert back == payment.refunded_fen <= payment.captured_fen
    db.session.rollback()


def events(shop: SandboxServer) -> list[dict[str, Any]]:
    """Every event that the sandbox has recorded, the oldest first."""
    page = shop.client().v1.events.list({"limit": 100})
    return [event.to_dict() for event in reversed(page.data)]


def deliver(client: FlaskClient, event: dict[str, Any], **change: Any) -> int:
    """Send one signed event and return the status; `at`, `secret` and `tail` forge it."""
    payload = json.dumps(event).encode()
    header = signature(payload, change.get("secret", SECRET), change.get("at", int(time.time())))
    answer = client.post(
        "/webhooks/stripe",
        data=payload + change.get("tail", b""),
        headers={"Stripe-Signature": header},
        content_type="application/json",
    )
    db.session.rollback()
    return answer.status_code


def lapse(placed: Placed) -> None:
    """Let half an hour pass."""
    assert lifecycle.lapse_due(clock.now() + timedelta(minutes=31)) >= 1
    assert order_of(placed).state is OrderState.LAPSED


def paid_order(shop: SandboxServer, how: str = "success", units: int = 2) -> Placed:
    """An order that was paid by card; `how` says how its refunds go."""
    placed = buy(units)
    shop.pay(opened(placed), "card", how)
    checkout.ask(placed.payment_id or "")
    assert order_of(placed).state is OrderState.CONFIRMED
    return placed


def give_one_back(placed: Placed, cause: str) -> None:
    """One unit short: its promise and its money go back."""
    with transaction() as session:
        order = lifecycle.lock_order(session, placed.order_id)
        [line] = order.lines
        refund_line(line, 1, Money(line.price_fen), cause)
        if line.released == 0:
            lifecycle.give_back(line, 1)
