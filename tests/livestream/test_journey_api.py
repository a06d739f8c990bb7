"""The host's way through JSON alone: plan, pin, go live, sell through the link, read the board."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel import clock
from kernel.db import public_code
from kernel.identity import OrganisationKind, Role
from orders.payments.captures import Captured, record_capture
from tests import builders
from tests.laws import assert_laws_hold
from tests.visitors import Visitor


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
    now, room = clock.now(), public_code()
    plan = {
        "title_zh": "春橙直播",
        "platform": "某平台",
        "outside_rooms": [room],
        "planned_from": now.isoformat(),
        "planned_to": (now + timedelta(hours=2)).isoformat(),
    }
    answer = client.post("/api/v1/broadcasts", json=plan, headers=host)
    assert answer.status_code == 201
    assert answer.get_json()["outside_rooms"] == [room]
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
    in_shop = builders.offer(lot, price_fen=6500, broadcast_floor_fen=5900)
    code = planned(stage, host)
    pin = {"lot_id": lot.public_id, "price_fen": 5900, "quota": 20}
    low = stage.post(
        f"/api/v1/broadcasts/{code}/pins",
        json=pin | {"price_fen": 5899},
        headers=host | {"Idempotency-Key": "low"},
    )
    assert (low.status_code, low.get_json()["floor_fen"]) == (422, 5900)
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


def test_a_host_raises_a_quota_once_and_shows_one_offer_after_the_other(app: Flask) -> None:
    organiser = builders.organisation(OrganisationKind.PLATFORM, "某平台")
    stage = Visitor(app, app.response_class)
    host = signed_in(stage, builders.account(Role.HOST, organiser).login)
    elsewhere = builders.organisation(OrganisationKind.PLATFORM, "别的平台")
    stranger = Visitor(app, app.response_class)
    other = signed_in(stranger, builders.account(Role.HOST, elsewhere).login)
    code = planned(stage, host)
    way = f"/api/v1/broadcasts/{code}"
    assert stage.post(f"{way}/next", headers=host).get_json() == {"offer_id": None}
    offers = []
    for n in range(2):
        lot = builders.offer(price_fen=5900).lot
        pin = {"lot_id": lot.public_id, "price_fen": 5900, "quota": 20}
        answer = stage.post(f"{way}/pins", json=pin, headers=host | {"Idempotency-Key": f"p{n}"})
        offers.append(answer.get_json()["offer_id"])
    quota = f"{way}/offers/{offers[0]}/quota"
    key = host | {"Idempotency-Key": "more"}
    raised = [stage.post(quota, json={"units": 5}, headers=key).get_json() for _ in range(2)]
    assert raised == [{"offer_id": offers[0], "quota": 25}] * 2
    assert stage.post(quota, json={"units": 0}, headers=key).status_code == 422
    theirs = other | {"Idempotency-Key": "more"}
    assert stranger.post(quota, json={"units": 5}, headers=theirs).status_code == 404
    nothing = f"{way}/offers/nothing/quota"
    assert stage.post(nothing, json={"units": 5}, headers=key).status_code == 404
    shown = []
    for seconds in range(3):
        with clock.moved(timedelta(seconds=seconds)):
            shown.append(stage.post(f"{way}/next", headers=host).get_json()["offer_id"])
    assert shown == [offers[0], offers[1], offers[0]]
    assert_laws_hold()


def test_a_share_link_is_made_for_an_offer_that_there_is(app: Flask) -> None:
    client = Visitor(app, app.response_class)
    offer = builders.offer()
    host = signed_in(client, builders.account(Role.HOST).login)
    link = {"title_zh": "我的推广码", "offer_id": offer.public_id}
    made = client.post("/api/v1/links", json=link, headers=host)
    assert made.status_code == 201
    assert Visitor(app, app.response_class).get(made.get_json()["path"]).status_code in (
        200,
        302,
        303,
    )
    for wrong, status in (
        ({"offer_id": "nothing"}, 404),
        ({"title_zh": ""}, 422),
        ({"title_zh": " \u202e "}, 422),
    ):
        answer = client.post("/api/v1/links", json={**link, **wrong}, headers=host)
        assert answer.status_code == status
    buyer = signed_in(Visitor(app, app.response_class), builders.account().login)
    assert (
        Visitor(app, app.response_class).post("/api/v1/links", json=link, headers=buyer).status_code
        == 403
    )
