"""The one path of a purchase: whose sale it is, then the order, once for each key.

The checkout page and `POST /api/v1/orders` both come through `purchase`. It parses nothing
and waits for nobody: the payment is opened later, through the `pay_url` that it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from kernel import clock, throttle
from kernel.access import Viewer, ask_factor
from kernel.db import transaction
from kernel.errors import Denied, Invalid, NotFound, OfferClosed
from kernel.idempotency import Attempt, once_within
from kernel.identity import Role
from kernel.language import local
from kernel.throttle import Gate
from livestream.attribution import Ware, wares
from orders.model import OrderState, PaymentMethod
from orders.payments.actions import record_cash
from orders.payments.terms import HOLD
from orders.placing import Buyer, Draft, Keep, Placed, Recipient, check_lines, place
from sellers.model import Place
from sellers.queries import cards
from sellers.supply import PriceChanged

ENDPOINT = "orders"
LONG_HOLD = timedelta(days=1)
GUESTS_LONG_HOLDS = 20
"""Free orders of guests from one address that hold stock for days; after that each costs time."""
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
    address: str = "",
) -> dict[str, Any]:
    """Place an order for `lines` (offer public id → whole units), once for the key.

    Returns number, state, total_fen, pay_url (None for cash) and expires_at, JSON-ready. Raises
    PriceChanged when the total is not the expected one, TooMany for guests who place many orders
    from one `address` that hold stock for days, and what `_check_terms`, `_wares`,
    `orders.placing.place` and `kernel.idempotency.once_within` raise.
    """
    _check_terms(who, method, recipient, len(lines))

    def answer(draft: Draft) -> dict[str, Any]:
        if expected_total_fen is not None and draft.total.fen != expected_total_fen:
            raise PriceChanged(total_fen=draft.total.fen)
        return _answer(draft, method)

    def act(attempt: Attempt) -> dict[str, Any]:
        buyer = Buyer(account_id=who.account_id, visitor=who.visitor)
        known = _wares(buyer, lines, touch_code)
        if who.account_id is None and HOLD[method] > LONG_HOLD:
            throttle.enter(Gate(f"hold:{address}", GUESTS_LONG_HOLDS))
        keep = Keep(attempt, answer)
        return _answer(_place(buyer, lines, known, method, recipient, keep), method)

    body = {
        "lines": sorted(lines.items()),
        "recipient": recipient.as_text() if recipient else None,
        "payment": method,
        "touch": touch_code,
    }
    return once_within(who.actor, ENDPOINT, idempotency_key, body, act)


def _check_terms(
    who: Viewer, method: PaymentMethod, recipient: Recipient | None, lines: int
) -> None:
    """See that `who` may pay so, and that goods have somewhere to go.

    Raises Denied for cash away from a counter, FactorNeeded for whoever takes it without having
    shown a second factor, Invalid for no recipient and for too many lines.
    """
    if method is PaymentMethod.CASH and not who.has(Role.STAFF, Role.OPERATOR):
        raise Denied(
            _l("现金只在柜台收，由工作人员下单。请换在线支付或对公转账。"),
            code="cash_at_counter_only",
        )
    if method is PaymentMethod.CASH:
        ask_factor(who)  # it records money that nobody else has seen
    if recipient is None and method is not PaymentMethod.CASH:
        raise Invalid(fields={"recipient": _l("填收货人、电话和地址。")})
    check_lines(lines)


def _place(
    buyer: Buyer,
    lines: Mapping[str, int],
    known: Mapping[str, Ware],
    method: PaymentMethod,
    recipient: Recipient | None,
    keep: Keep,
) -> Placed:
    """Place the order; cash is taken in the same transaction."""
    order = partial(
        place,
        buyer,
        {ware.offer_id: lines[code] for code, ware in known.items()},
        {ware.offer_id: ware.credited for ware in known.values()},
        method,
        recipient,
        prices={ware.offer_id: ware.price_fen for ware in known.values()},
        keep=keep,
    )
    if method is not PaymentMethod.CASH:
        return order()
    with transaction():
        placed = order()
        record_cash(placed.payment_id or "")
    return placed


def _wares(buyer: Buyer, lines: Mapping[str, int], touch_code: str | None) -> dict[str, Ware]:
    """Return what is bought, by public id. Raises NotFound, and OfferClosed if sold elsewhere."""
    known = wares(lines.keys(), buyer, touch_code, clock.now())
    if len(known) != len(lines):
        raise NotFound(code="offer_not_found")
    for code, ware in known.items():
        if ware.place not in SOLD_HERE:
            raise elsewhere(code)
    return known


def elsewhere(code: str) -> OfferClosed:
    """Return the refusal of an offer that is not sold online; it names the goods."""
    card = cards([code])[code]
    if card.place is Place.SLOT:
        words = _("“%(name)s”只在智能柜上卖，到柜前扫码买。", name=local(card))
    else:
        words = _("“%(name)s”由单位集体订购，不能单独买。到预订期里登记你要的。", name=local(card))
    return OfferClosed(words, offer_id=code)


def _answer(draft: Draft, method: PaymentMethod) -> dict[str, Any]:
    """Return what the buyer is told. Cash is taken at once, so nothing is left to expire."""
    is_paid = method is PaymentMethod.CASH
    return {
        "number": draft.number,
        "state": OrderState.CONFIRMED if is_paid else draft.state,
        "total_fen": draft.total.fen,
        "pay_url": pay_url(draft.payment_id, method),
        "expires_at": draft.expires_at.isoformat() if draft.expires_at and not is_paid else None,
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
