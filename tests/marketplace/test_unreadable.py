"""Text that no column can hold, and JSON that no parser finishes, are refused and never a fault."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from cabinets.device import sign
from cabinets.forms import count_lines
from cabinets.model import DeviceReport
from cabinets.queries import SlotStock
from kernel import clock
from kernel.db import db
from kernel.errors import Invalid
from marketplace.report import periods
from orders.model import WebhookEvent
from orders.payments.sandbox.courier import signature
from tests.cabinets.cabinet_builders import cabinet, operator


@pytest.mark.parametrize("path", ["/offers/a%00b", "/api/v1/offers/%00", "/join/%00/qr.svg"])
def test_a_nul_in_an_address_names_nothing(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/offers?region=%00", "/offers?cursor=%00", "/?%00=1"])
def test_a_nul_in_a_query_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "这个请求读不懂" in answer.text


UNREADABLE = [
    b'{"login": "a\\u0000", "password": "b"}',
    b'{"login": "a\\ud800", "password": "b"}',
    b'{"login": "a", "password": {"\\u0000": ["b"]}}',
    b"[" * 50_000,
    b'{"login": {"a":' * 20_000,
    b"[" * 900 + b"]" * 900,
    b"1" * 6_000,
    b"{",
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_json_that_cannot_be_kept_is_a_problem_document(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.mimetype == "application/problem+json"


def test_json_is_refused_at_any_depth_at_which_a_second_reader_could_give_up(
    client: FlaskClient,
) -> None:
    answers = set()
    for depth in (60, *range(850, 1_000)):
        body = b'{"login": ' + b"[" * depth + b"]" * depth + b', "password": "b"}'
        answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
        answers.add(answer.status_code)
    assert answers == {400}


SIGNED_BY_A_DEVICE = [
    *UNREADABLE,
    b'{"events": [{"sequence": ' + b"9" * 6_000 + b', "kind": "heartbeat"}]}',
    b'{"events": [{"sequence": 1, "kind": "heartbeat", "at": "\\u0000"}]}',
    b'{"events": [{"sequence": 1, "kind": "heartbeat", "at": "\\udc00"}]}',
    b'{"events": [{"sequence": 1, "kind": "sale", "slot": 1, "units": 1e999}]}',
    b'{"events": [{"sequence": NaN, "kind": "heartbeat"}]}',
    b'{"events": 1}',
    b"7",
]


def test_a_right_key_makes_no_sense_of_what_a_device_signs(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        key = cabinet(operator()).device_key
    for body, content_type in itertools.product(
        SIGNED_BY_A_DEVICE, ("application/json", "text/plain", "")
    ):
        answer = client.post(
            "/api/v1/cabinets/one-1/events",
            data=body,
            headers={"Signature": sign(key, 1, body)},
            content_type=content_type,
        )
        assert answer.status_code in (400, 422), body[:80]
        assert answer.mimetype == "application/problem+json"
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(DeviceReport)) == 0


def _event(**about: object) -> bytes:
    facts = {"metadata": {"payment": "P-1", "refund": "R-1"}, **about}
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1_700_000_000,
        "data": {"object": facts},
    }
    return json.dumps(event).encode()


SIGNED_BY_STRIPE = [
    *UNREADABLE,
    b"[]",
    b"{}",
    b'{"object": "event", "data": []}',
    _event(id="pi_1", amount_received="many"),
    _event(id="pi_1", amount_received=True),
    _event(id="pi_1"),
    _event(id={"a": 1}, amount_received=1),
    _event(id="pi_1", amount_received=1, metadata=["payment"]),
    _event(id="pi_1", amount_received=1, metadata={"payment": {"a": 1}}),
    _event(id="re_1", object="refund", status={"a": 1}),
    _event(id="pi_1", amount_received=1).replace(b"1700000000", b"9" * 30),
    _event(id="pi_1\0", amount_received=1),
]


def test_a_signed_event_that_says_nothing_readable_is_a_problem_document(
    app: Flask, client: FlaskClient
) -> None:
    secret, at = app.extensions["settings"].stripe_webhook_secret, int(time.time())
    for body in SIGNED_BY_STRIPE:
        answer = client.post(
            "/webhooks/stripe",
            data=body,
            headers={"Stripe-Signature": signature(body, secret, at)},
            content_type="application/json",
        )
        assert answer.status_code in (400, 422), body[:200]
        assert answer.mimetype == "application/problem+json"
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(WebhookEvent)) == 0


def test_an_escaped_backslash_is_ordinary_text(client: FlaskClient) -> None:
    body = b'{"login": "a\\\\u0000", "password": "b"}'
    answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
    assert answer.get_json()["code"] != "bad_request"


def test_a_nul_in_a_form_is_refused(client: FlaskClient) -> None:
    answer = client.post("/language", data={"language": "en\0", "next": "/"})
    assert answer.status_code == 400
    assert "这个请求读不懂" in answer.text


def test_a_checkout_with_endless_units_is_no_fault(client: FlaskClient) -> None:
    for units in ("9" * 5_000, "99999999999999999999", "-1", "²"):
        answer = client.post("/checkout", data={"lines-0": f"abc:{units}"})
        assert answer.status_code < 500


def test_what_a_count_expected_may_come_back_spoilt() -> None:
    slot = SlotStock(
        1, 1, 1, 10, 4, None, None, 0, 0, "", "", "", 0, "", None, "", "", "", (), False
    )
    for seen in ("--5", "9" * 5_000, "-", "²"):
        (line,) = count_lines({"counted-1": "3", "expected-1": seen}, [slot])
        assert line.expected == 4


@pytest.mark.parametrize("year", [1, 1999, 2200, 9999])
def test_a_year_that_nobody_means_is_refused(year: int) -> None:
    far = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(Invalid) as refused:
        clock.check_years(closes_at=far, opens_at=None)
    assert set(refused.value.fields) == {"closes_at"}
    with pytest.raises(Invalid):
        periods.between(far.date(), far.date())
