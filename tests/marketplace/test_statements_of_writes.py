"""How many statements a fair's commonest writes send (an order: `test_storefront.py`)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextvars import Context

import pytest
from flask import Flask

from kernel.db import db
from kernel.identity import Role
from orders.model import PaymentMethod
from orders.payments.sandbox.courier import signature
from tests import builders
from tests.races import moves_orders
from tests.races.moves import MOVES
from tests.statements import counting
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


def taken_by(app: Flask, endpoint: str) -> int:
    """Statements of a program's valid call of an endpoint that moves money or stock."""
    move = MOVES[endpoint]()
    headers = {"Authorization": f"Bearer {move.token()}", "Idempotency-Key": "once"}
    db.session.rollback()
    client = app.test_client(use_cookies=False)
    with counting() as sent:
        answer = Context().run(
            client.open, move.path, method=move.method, json=move.body, headers=headers
        )
    assert answer.status_code in (200, 201), answer.text
    return len(sent)


def test_a_need_is_written_in_a_known_number_of_statements(app: Flask) -> None:
    assert taken_by(app, "rounds_api.put_needs") == 21


def test_signing_in_takes_a_known_number_of_statements(app: Flask) -> None:
    account = builders.account(Role.CONSUMER)
    visitor = Visitor(app, app.response_class)
    [token] = set(re.findall(r'name="csrf_token" value="([^"]+)"', visitor.page("/sign-in")))
    form = {"csrf_token": token, "login": account.login, "password": builders.PASSWORD}
    db.session.rollback()
    with counting() as sent:
        assert visitor.post("/sign-in", data=form).status_code == 302
    assert len(sent) == 12


def test_stripes_word_of_a_payment_is_kept_in_a_known_number_of_statements(app: Flask) -> None:
    placed = moves_orders.placed(builders.account(), PaymentMethod.STRIPE)
    facts = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount_received": placed.total.fen,
        "metadata": {"payment": placed.payment_id},
    }
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "data": {"object": facts},
    }
    body = json.dumps(event).encode()
    signed = signature(body, app.extensions["settings"].stripe_webhook_secret, int(time.time()))
    db.session.rollback()
    with counting() as sent:
        answer = Context().run(
            app.test_client(use_cookies=False).post,
            "/webhooks/stripe",
            data=body,
            headers={"Stripe-Signature": signed},
            content_type="application/json",
        )
    assert answer.status_code == 200, answer.text
    assert len(sent) == 19
