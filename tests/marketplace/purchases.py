"""How tests buy: bodies, keys, and what a form hides."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select

from kernel.db import db
from orders.model import (
    Order,
)
from sellers.model import Offer
from tests import builders
from tests.visitors import Visitor

ADDRESS = {"name": "某人", "phone": "13800000000", "city": "韶关市", "address": "某路 1 号"}


def order_body(*offers: Offer, quantity: int = 2, **more: Any) -> dict[str, Any]:
    lines = [{"offer_id": offer.public_id, "quantity": quantity} for offer in offers]
    return {"lines": lines, "recipient": ADDRESS, "payment": "stripe", **more}


def key(value: str = "one") -> dict[str, str]:
    return {"Idempotency-Key": value}


def hidden(page: str) -> dict[str, str]:
    fields = re.findall(r'<input [^>]*type="hidden"[^>]*>', page)
    pairs = (
        (re.search(r'name="([^"]+)"', one), re.search(r'value="([^"]*)"', one)) for one in fields
    )
    return {name[1]: value[1] for name, value in pairs if name and value}


def bearer(visitor: Visitor, login: str) -> dict[str, str]:
    visitor = Visitor(visitor.application, visitor.application.response_class)
    pair = {"login": login, "password": builders.PASSWORD}
    token = visitor.post("/api/v1/tokens", json=pair).get_json()["token"]
    return {"Authorization": f"Bearer {token}"}


def orders() -> list[Order]:
    db.session.expire_all()
    return list(db.session.scalars(select(Order).order_by(Order.id)))
