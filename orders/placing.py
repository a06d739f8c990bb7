"""The one way to place an order: promise the stock, freeze the lines, write what is due.

Pages, API, group orders and benches all come through `place`. It is one statement (the stock
rule's, which goes on to write every row), because a hot offer's row stays locked from the first
step to the commit: nobody waits there for an answer of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, DateTime, Text, bindparam
from sqlalchemy.dialects.postgresql import JSONB

from kernel import clock
from kernel.access import actor_name
from kernel.crypt import encrypt
from kernel.db import public_code
from kernel.errors import Invalid
from kernel.idempotency import KEEPING_VALUES, NO_ATTEMPT, UNKEPT, Attempt, keeping
from kernel.money import Money
from orders.model import OrderState, PaymentMethod
from orders.payments.terms import HOLD, NEEDS_MAXIMUM_FEN, check_amount, check_payable
from sellers.supply import FROZEN, Then, prices_of, promise

MAX_LINES = 50


@dataclass(frozen=True, slots=True)
class Credited:
    """Whose sale a line is: one primary source, and sources that only assisted (ids)."""

    source_id: int
    assists: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys: an account, or a guest known by the visitor key of a browser."""

    account_id: int | None
    visitor: str = ""

    @property
    def name(self) -> str:
        """The stable name under which limits per buyer are counted."""
        return actor_name(self.account_id, self.visitor)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where goods go. Kept encrypted; only the city is readable in lists."""

    name: str = ""
    phone: str = ""
    city: str = ""
    address: str = ""

    def as_text(self) -> str:
        """Return JSON, for the encrypted column."""
        return json.dumps(
            {"name": self.name, "phone": self.phone, "city": self.city, "address": self.address},
            ensure_ascii=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order that is about to be written.

    `payment_id` is the payment's public id, None when nothing is due yet.
    """

    number: str
    state: OrderState
    total: Money
    payment_id: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Draft):
    """What became of it."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Keep:
    """The idempotency key that is kept with the order, and the answer that repeats will get.

    `answer` is asked before anything is written; what it raises refuses the order.
    """

    attempt: Attempt
    answer: Callable[[Draft], dict[str, Any]]


_ROWS = f"""
    the_order AS (
        INSERT INTO orders (number, account_id, visitor, group_order_id, state, total_fen,
            recipient, city, placed_at, expires_at)
        SELECT :number, :account_id, :visitor, :group_order_id, :state, :total_fen,
            :recipient, :city, :at, :expires_at
        WHERE EXISTS (SELECT FROM promised)
        RETURNING id
    ), the_lines AS (
        INSERT INTO order_line (order_id, offer_id, credit_source_id, {", ".join(FROZEN)},
            price_fen, quantity, amount_fen, from_slot, released)
        SELECT the_order.id, l.offer_id, c.source_id, {", ".join(f"l.{name}" for name in FROZEN)},
            l.price_fen, l.units, l.price_fen * l.units, false, 0
        FROM the_order CROSS JOIN promised l
        JOIN jsonb_to_recordset(:credits) AS c (offer_id bigint, source_id bigint)
            ON c.offer_id = l.offer_id
        ORDER BY l.offer_id
        RETURNING id, offer_id
    ), the_assists AS (
        INSERT INTO line_assist (line_id, credit_source_id)
        SELECT the_lines.id, a.source_id
        FROM the_lines
        JOIN jsonb_to_recordset(:assists) AS a (offer_id bigint, source_id bigint) USING (offer_id)
    ), the_payment AS (
        INSERT INTO payment (public_id, method, state, amount_fen, captured_fen, refunded_fen,
            session_try, wallet, fee_fen, transfer_code, created_at, expires_at, unit_id)
        SELECT :payment_id, :method, 'due', :total_fen, 0, 0, 0, '', 0, :transfer_code, :at,
            :expires_at, NULL
        FROM the_order WHERE :payment_id IS NOT NULL
        RETURNING id
    ), the_share AS (
        INSERT INTO payment_share (payment_id, order_id, amount_fen)
        SELECT the_payment.id, the_order.id, :total_fen FROM the_payment, the_order
    ), the_event AS (
        INSERT INTO order_event (order_id, at, kind, facts)
        SELECT id, :at, :event, '' FROM the_order
    ), done AS (SELECT id FROM the_order)
    """  # noqa: S608 - put together from our own words alone
_WRITE = Then(
    _ROWS + "," + keeping("the_order"),
    (
        *KEEPING_VALUES,
        *(
            bindparam(name, type_=BigInteger)
            for name in ("account_id", "group_order_id", "total_fen")
        ),
        *(
            bindparam(name, type_=Text)
            for name in (
                *("number", "visitor", "state", "recipient", "city"),
                *("payment_id", "method", "transfer_code", "event"),
            )
        ),
        bindparam("credits", type_=JSONB),
        bindparam("assists", type_=JSONB),
        bindparam("at", type_=DateTime(timezone=True)),
        bindparam("expires_at", type_=DateTime(timezone=True)),
    ),
    provided=UNKEPT,
)


def check_lines(count: int) -> None:
    """Raise Invalid for more lines than an order holds, or none."""
    if not 0 < count <= MAX_LINES:
        raise Invalid(
            _l("一张订单放 1 到 50 种。分成几张来下。"), code="lines_out_of_bounds", most=MAX_LINES
        )


def place(
    buyer: Buyer,
    wanted: Mapping[int, int],
    credited: Mapping[int, Credited],
    method: PaymentMethod,
    recipient: Recipient | None = None,
    *,
    prices: Mapping[int, int] | None = None,
    group_order_id: int | None = None,
    returning: Mapping[int, int] | None = None,
    keep: Keep | None = None,
) -> Placed:
    """Place one order for `wanted` (offer id → whole units) and return what became of it.

    `credited` names the primary credit (and assists) of each offer, `prices` what each costs
    in fen as just read (read here without them). With a `group_order_id` the order is a member's
    need: its stock is promised, nothing is charged yet, and `returning` says what the member gave
    back earlier in this transaction. Raises what `sellers.supply.promise` raises, Invalid for too
    many lines or an amount that the method cannot take, and breaks if `keep` was kept meanwhile.
    """
    check_lines(len(wanted))
    at = clock.now()
    prices = prices_of(wanted.keys()) if prices is None else prices
    draft = _draft(wanted, prices, method, at, is_need=group_order_id is not None)
    [written] = promise(
        wanted,
        buyer=buyer.name,
        at=at,
        prices=prices,
        returning=returning,
        then=_WRITE,
        values={
            **_values(draft, method),
            **_buyer_values(buyer, recipient),
            **_credit_values(wanted, credited),
            **(keep.attempt.values(keep.answer(draft)) if keep else NO_ATTEMPT),
            "group_order_id": group_order_id,
        },
    )
    return _placed(draft, written.id)


def _placed(draft: Draft, order_id: int) -> Placed:
    return Placed(
        order_id=order_id,
        number=draft.number,
        state=draft.state,
        total=draft.total,
        payment_id=draft.payment_id,
        expires_at=draft.expires_at,
    )


def _draft(
    wanted: Mapping[int, int],
    prices: Mapping[int, int],
    method: PaymentMethod,
    at: datetime,
    *,
    is_need: bool,
) -> Draft:
    amount = sum(prices[offer_id] * units for offer_id, units in wanted.items())
    if is_need:
        check_amount(amount, NEEDS_MAXIMUM_FEN)
    else:
        check_payable(amount, method)
    return Draft(
        number=order_number(),
        state=OrderState.REGISTERED if is_need else OrderState.DUE,
        total=Money(amount),
        payment_id=None if is_need else public_code(),
        expires_at=None if is_need else at + HOLD[method],
    )


def _values(draft: Draft, method: PaymentMethod) -> dict[str, Any]:
    """Return what the draft and its payment are written with."""
    return {
        "number": draft.number,
        "state": draft.state.value,
        "total_fen": draft.total.fen,
        "payment_id": draft.payment_id,
        "expires_at": draft.expires_at,
        "method": method.value,
        "transfer_code": transfer_code() if method is PaymentMethod.TRANSFER else None,
        "event": "registered" if draft.state is OrderState.REGISTERED else "placed",
    }


def _buyer_values(buyer: Buyer, recipient: Recipient | None) -> dict[str, Any]:
    """Return whose the order is, and where it goes."""
    return {
        "account_id": buyer.account_id,
        "visitor": "" if buyer.account_id else buyer.visitor,
        "recipient": encrypt(recipient.as_text()) if recipient else None,
        "city": recipient.city if recipient else "",
    }


def _credit_values(wanted: Mapping[int, int], credited: Mapping[int, Credited]) -> dict[str, Any]:
    """Return what sold each line, and what assisted."""
    sources = [
        {"offer_id": offer_id, "source_id": credited[offer_id].source_id} for offer_id in wanted
    ]
    assists = [
        {"offer_id": offer_id, "source_id": source}
        for offer_id in wanted
        for source in credited[offer_id].assists
    ]
    return {"credits": Jsonb(sources), "assists": Jsonb(assists)}


def order_number() -> str:
    """Return a fresh number for an order, which cannot be guessed: X…"""
    return "X" + public_code(11).upper()


def transfer_code() -> str:
    """Return a fresh identification code that a payer writes beside a transfer: XJ-…"""
    return "XJ-" + public_code(8).upper()
