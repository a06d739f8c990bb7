"""The one path of a purchase: whose sale it is, then the order, once for each key.

The checkout page and `POST /api/v1/orders` both come through `purchase`. It parses nothing
and waits for nobody: the payment is opened later, through the `pay_url` that it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from kernel import clock
from kernel.access import Viewer
from kernel.db import transaction
from kernel.errors import Conflict, Denied, Invalid, NotFound, OfferClosed
from kernel.idempotency import once
from kernel.identity import Role
from livestream.attribution import credits_for
from orders.model import OrderState, PaymentMethod
from orders.payments.actions import record_cash
from orders.placing import MAX_LINES, Buyer, Placed, Recipient, place
from sellers.model import Offer, Place

ENDPOINT = "orders"
SOLD_HERE = frozenset({Place.SHOP, Place.BROADCAST})
"""Round offers are ordered through a group order, slot offers at their cabinet."""


def purchase(
    who: Viewer,
    lines: Mapping[str, int],
    recipient: Recipient | None,
    method: PaymentMethod,
    touch_code: str | None,
    idempotency_key: str | None,
    *,
    expected_total_fen: int | None = None,
) -> dict[str, Any]:
    """Place an order for `lines` (offer public id → whole units), once for the key.

    Returns number, state, total_fen, pay_url (None for cash) and expires_at, JSON-ready; the
    same key and lines return the same answer. Raises Denied for cash away from a counter,
    Conflict (`price_changed`) when the total is not the expected one, OfferClosed for what
    is not sold here, and what `orders.placing.place` and `kernel.idempotency.once` raise.
    """
    if method is PaymentMethod.CASH and not who.has(Role.STAFF, Role.OPERATOR):
        raise Denied(
            _l("现金只在柜台收，由工作人员下单。请换在线支付或对公转账。"),
            code="cash_at_counter_only",
        )
    if recipient is None and method is not PaymentMethod.CASH:
        raise Invalid(fields={"recipient": _l("填收货人、电话和地址。")})
    if not 0 < len(lines) <= MAX_LINES:
        raise Invalid(
            _l("一张订单放 1 到 50 种。分成几张来下。"), code="lines_out_of_bounds", most=MAX_LINES
        )
    body = {
        "lines": sorted(lines.items()),
        "recipient": recipient.as_text() if recipient else None,
        "payment": method,
        "touch": touch_code,
    }

    def act() -> dict[str, Any]:
        placed = _place(who, lines, recipient, method, touch_code)
        if expected_total_fen is not None and placed.total.fen != expected_total_fen:
            raise Conflict(
                _l("价格刚刚变了，还没有下单。看看新的合计，再点一次。"),
                code="price_changed",
                total_fen=placed.total.fen,
            )
        return _answer(placed, method)

    return once(who.actor, ENDPOINT, idempotency_key, body, act)


def _place(
    who: Viewer,
    lines: Mapping[str, int],
    recipient: Recipient | None,
    method: PaymentMethod,
    touch_code: str | None,
) -> Placed:
    buyer = Buyer(account_id=who.account_id, visitor=who.visitor)
    with transaction() as session:
        offers = session.execute(
            select(Offer.public_id, Offer.id, Offer.place).where(Offer.public_id.in_(lines))
        ).all()
        if len(offers) != len(lines):
            raise NotFound(code="offer_not_found")
        for offer in offers:
            if offer.place not in SOLD_HERE:
                raise OfferClosed(offer_id=offer.public_id)
        credited = credits_for(
            [(offer.id, offer.place) for offer in offers], buyer, touch_code, clock.now()
        )
        wanted = {offer.id: lines[offer.public_id] for offer in offers}
        placed = place(buyer, wanted, credited, method, recipient)
        if method is PaymentMethod.CASH and placed.payment_id is not None:
            record_cash(placed.payment_id)
            return replace(placed, state=OrderState.CONFIRMED, expires_at=None)
    return placed


def _answer(placed: Placed, method: PaymentMethod) -> dict[str, Any]:
    return {
        "number": placed.number,
        "state": placed.state,
        "total_fen": placed.total.fen,
        "pay_url": pay_url(placed.payment_id, method),
        "expires_at": placed.expires_at.isoformat() if placed.expires_at else None,
    }


def pay_path(payment_id: str, method: PaymentMethod) -> str:
    """Return the path of the page on which a payment is made."""
    tail = "/transfer" if method is PaymentMethod.TRANSFER else ""
    return f"/pay/{payment_id}{tail}"


def pay_url(payment_id: str | None, method: PaymentMethod) -> str | None:
    """Return the address at which a payment is made; None where nothing is left to pay."""
    if payment_id is None or method is PaymentMethod.CASH:
        return None
    public_url: str = current_app.extensions["settings"].public_url
    return public_url + pay_path(payment_id, method)
