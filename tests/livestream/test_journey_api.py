"""The host's way through JSON alone: plan, pin, go live, sell through the link, read the board."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel import clock
from kernel.identity import OrganisationKind, Role
from orders.payments.captures import Captured, record_capture
from tests import builders
from tests.laws import assert_laws_hold


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


def signed_in(client: FlaskClient, login: str) -> dict[str, str]:
    """The header of a program that signed in as `login`."""
    answer = client.post("/api/v1/tokens", json={"login": login, "password": builders.PASSWORD})
    return {"Authorization": f"Bearer {answer.get_json()['token']}"}


def planned(client: FlaskClient, host: dict[str, str]) -> str:
    """A broadcast planned for the next two hours; its code."""
    now = clock.now()
    plan = {
        "title_zh": "春橙直播",
        "planned_from": now.isoformat(),
        "planned_to": (now + timedelta(hours=2)).isoformat(),
    }
    answer = client.post("/api/v1/broadcasts", json=plan, headers=host)
    assert answer.status_code == 201
    return str(answer.get_json()["code"])


def board(client: FlaskClient, code: str, host: dict[str, str]) -> dict[str, Any]:
    """The board's figures."""
    figures: dict[str, Any] = client.get(
        f"/api/v1/broadcasts/{code}/board", headers=host
    ).get_json()
    return figures


def test_a_host_sells_through_json_and_the_board_counts_it(app: Flask) -> None:
    organiser = builders.organisation(OrganisationKind.PLATFORM, "某平台")
    stage, shopper = app.test_client(), app.test_client()
    host = signed_in(stage, builders.account(Role.HOST, organiser).login)
    buyer = signed_in(shopper, builders.account().login)
    lot = builders.lot(builders.product(builders.seller()), offered=100)
    # What the buyer takes from the shop afterwards is the broadcast's too: it was touched.
    in_shop = builders.offer(lot, price_fen=6500)
    code = planned(stage, host)
    pin = {"lot_id": lot.public_id, "price_fen": 5900, "quota": 20}
    key = host | {"Idempotency-Key": "pin-1"}
    pinned = [
        stage.post(f"/api/v1/broadcasts/{code}/pins", json=pin, headers=key) for _ in range(2)
    ]
    assert [answer.status_code for answer in pinned] == [201, 201]
    [offer] = {answer.get_json()["offer_id"] for answer in pinned}
    assert stage.post(f"/api/v1/broadcasts/{code}/start", headers=host).get_json()["is_live"]

    assert shopper.post(f"/api/v1/broadcasts/{code}/touches", headers=buyer).status_code == 201
    order = {
        "lines": [
            {"offer_id": offer, "quantity": 2},
            {"offer_id": in_shop.public_id, "quantity": 1},
        ],
        "recipient": {
            "name": "某人",
            "phone": "13800000000",
            "city": "重庆市",
            "address": "某路 1 号",
        },
        "payment": "stripe",
        "touch": code,
    }
    placed = shopper.post(
        "/api/v1/orders", json=order, headers=buyer | {"Idempotency-Key": "order-1"}
    )
    assert placed.status_code == 201
    assert board(stage, code, host)["paid_fen"] == 0
    payment = placed.get_json()["pay_url"].rsplit("/", 1)[-1]
    record_capture(payment, Captured(2 * 5900 + 6500, clock.now(), "pi_of_the_journey"))

    figures = board(stage, code, host)
    assert (figures["paid_fen"], figures["orders"], figures["units"]) == (18300, 1, 3)
    assert [pin["paid_fen"] for pin in figures["pins"]] == [11800]
    ended = stage.post(f"/api/v1/broadcasts/{code}/end", headers=host).get_json()
    assert not ended["is_live"]
    again = shopper.post(
        "/api/v1/orders",
        json=order | {"lines": [{"offer_id": offer, "quantity": 1}]},
        headers=buyer | {"Idempotency-Key": "order-2"},
    )
    assert (again.status_code, again.get_json()["code"]) == (409, "offer_closed")
    assert_laws_hold()
