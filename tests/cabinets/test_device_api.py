"""The device's endpoint: signed, bounded, one effect; and the operator's way through the API."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from cabinets.actions.reports import MAX_REPORTS, SignatureWrong, receive
from cabinets.actions.sites import new_device_key
from cabinets.cli import _events
from cabinets.device import is_signed, sign
from cabinets.model import Cabinet, DeviceReport, Slot
from cabinets.stock import expected_of
from kernel.access import Viewer
from kernel.audit import Act, AuditEntry
from kernel.db import db
from kernel.identity import Account
from kernel.tokens import issue_token
from orders.model import Order
from sellers.model import Lot
from tests.cabinets.cabinet_builders import (
    cabinet,
    lot,
    sale,
    sale_event,
    signed_body,
    stocked,
)
from tests.cabinets.cabinet_builders import operator as another_operator
from tests.laws import assert_laws_hold
from tests.visitors import Visitor

EVENTS = "/api/v1/cabinets/one-1/events"


def expected() -> int:
    """Units that the first slot of cabinet one-1 should hold."""
    db.session.expire_all()
    query = select(Slot.id).join(Cabinet).where(Cabinet.code == "one-1", Slot.number == 1)
    slot_id = db.session.scalars(query).one()
    return expected_of([slot_id])[slot_id]


def orders() -> int:
    """How many orders there are."""
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_the_signature_is_the_published_one() -> None:
    body = b'{"events": []}'
    digest = hmac.new(b"key", b"1700000000." + body, hashlib.sha256).hexdigest()
    assert sign("key", 1700000000, body) == f"t=1700000000,v1={digest}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=" + "0" * 64,
        "t=x,v1=" + "0" * 64,
        "t=1,v1=" + "0" * 63,
        "t=1,v1=" + "é" * 64,
        "t=2," + sign("key", 1, b"body").split(",")[1],
        sign("other", 1, b"body"),
        sign("key", 1, b"Body"),
    ],
)
def test_anything_else_is_not_a_signature(header: str) -> None:
    assert is_signed("key", sign("key", 1, b"body"), b"body")
    assert not is_signed("key", header, b"body")


def test_a_device_reports_and_is_told_what_became_of_it(operator: Viewer, visitor: Visitor) -> None:
    key = stocked(operator, 5).device_key
    first = signed_body(key, sale_event(1, 2), sale_event(4))
    answer = visitor.post(EVENTS, **first)
    assert answer.status_code == 200
    assert answer.json == {
        "accepted": [1, 4],
        "repeated": [],
        "conflicting": [],
        "missing": [{"first": 2, "last": 3}],
    }
    again = visitor.post(EVENTS, **signed_body(key, sale_event(1, 3), sale_event(4), moment=9))
    assert again.json is not None
    assert again.json["conflicting"] == [{"sequence": 1, "code": "sequence_conflict"}]
    assert again.json["repeated"] == [4]
    assert (expected(), orders()) == (2, 2)
    assert_laws_hold()


def test_a_key_opens_only_its_own_cabinet(operator: Viewer, visitor: Visitor) -> None:
    stocked(operator, 5)
    other = cabinet(operator, "two-2").device_key
    answer = visitor.post(EVENTS, **signed_body(other, sale_event(1)))
    unknown = visitor.post("/api/v1/cabinets/nowhere/events", **signed_body(other, sale_event(1)))
    for refused in (answer, unknown):
        assert refused.status_code == 401
        assert refused.json is not None
        assert refused.json["code"] == "signature_invalid"
        assert refused.mimetype == "application/problem+json"
    assert (expected(), orders()) == (5, 0)


def test_a_token_or_a_signed_in_operator_is_no_device(operator: Viewer, visitor: Visitor) -> None:
    stocked(operator, 5)
    visitor.enter("operator-1")
    answer = visitor.post(EVENTS, json={"events": [sale_event(1)]})
    assert answer.status_code in (401, 403)
    assert orders() == 0


@pytest.mark.parametrize(
    "event",
    [
        {"sequence": 0, "kind": "heartbeat"},
        {"sequence": "1", "kind": "heartbeat"},
        {"sequence": 1, "kind": "dance"},
        {"sequence": 1, "kind": "sale", "slot": 1},
        {"sequence": 1, "kind": "sale", "slot": 1, "units": 0},
        {"sequence": 1, "kind": "sale", "slot": 1, "units": 1, "price_fen": 1},
        {"sequence": 1, "kind": "temperature"},
    ],
)
def test_a_batch_that_cannot_be_read_is_refused_whole(
    operator: Viewer, visitor: Visitor, event: dict[str, Any]
) -> None:
    key = stocked(operator, 5).device_key
    answer = visitor.post(EVENTS, **signed_body(key, sale_event(7), event))
    assert answer.status_code == 422
    assert (expected(), orders()) == (5, 0)
    assert db.session.scalar(select(func.count()).select_from(DeviceReport)) == 0


def test_a_batch_is_bounded(operator: Viewer, visitor: Visitor) -> None:
    key = stocked(operator, 5).device_key
    many = [{"sequence": n, "kind": "heartbeat"} for n in range(1, MAX_REPORTS + 2)]
    assert visitor.post(EVENTS, **signed_body(key, *many)).status_code == 422
    assert visitor.post(EVENTS, **signed_body(key, *many[:-1])).status_code == 200
    assert visitor.post(EVENTS, **signed_body(key)).status_code == 422


def test_every_kind_of_report_is_kept_and_only_sales_move_stock(
    operator: Viewer, visitor: Visitor
) -> None:
    key = stocked(operator, 5).device_key
    answer = visitor.post(
        EVENTS,
        **signed_body(
            key,
            {"sequence": 1, "kind": "heartbeat", "at": "not a time"},
            {"sequence": 2, "kind": "door", "open": True},
            {"sequence": 3, "kind": "temperature", "tenths": 45},
            {"sequence": 4, "kind": "restock_seen", "slot": 1, "units": 3},
        ),
    )
    assert answer.status_code == 200
    assert (expected(), orders()) == (5, 0)
    assert db.session.scalars(select(Cabinet)).one().temperature_tenths == 45


def bearer(login: str) -> dict[str, str]:
    """A header that signs a program in."""
    account = db.session.scalars(select(Account).where(Account.login == login)).one()
    return {"Authorization": f"Bearer {issue_token(account)}"}


def test_the_operators_journey_through_the_api(operator: Viewer, visitor: Visitor) -> None:
    key, goods = cabinet(operator).device_key, lot()
    mine = bearer("operator-1")

    def post(what: str, name: str, *lines: dict[str, Any]) -> TestResponse:
        headers = {**mine, "Idempotency-Key": name}
        return visitor.post(
            f"/api/v1/cabinets/one-1/{what}", json={"lines": lines}, headers=headers
        )

    trip = {"slot": 1, "units": 5, "lot_id": goods.public_id, "price_fen": 700}
    for _ in range(2):
        answer = post("restocks", "trip-1", trip)
        assert (answer.status_code, answer.json) == (201, {"lines": [{"slot": 1, "units": 5}]})
    other = post("restocks", "trip-1", {**trip, "units": 4})
    assert other.status_code == 409
    batch = signed_body(key, sale_event(2, 2), sale_event(1), sale_event(1))
    for _ in range(2):
        assert visitor.post(EVENTS, **batch).status_code == 200
    assert expected() == 2
    assert post("returns", "back-1", {"slot": 1, "units": 1}).status_code == 201
    counted = {"slot": 1, "expected": 1, "counted": 0, "reason": "missing"}
    assert post("counts", "count-1", counted).json == {"lines": [{"slot": 1, "units": -1}]}
    visitor.post(EVENTS, **signed_body(key, sale_event(3)))
    stock = visitor.get("/api/v1/cabinets/one-1/stock", headers=mine).json
    assert stock is not None
    assert stock["slots"][0]["expected"] == -1
    assert [one["name"] for one in stock["differences"]] == ["deficit", "missing"]
    deficit = stock["differences"][0]["id"]
    answer = visitor.put(
        f"/api/v1/cabinets/one-1/differences/{deficit}",
        json={"explanation": "上报晚到"},
        headers=mine,
    )
    assert answer.json is not None
    assert answer.json["explained_at"] is not None
    assert db.session.get_one(Lot, goods.id).promised == 4
    public = visitor.get("/api/v1/cabinets/one-1").json
    assert public is not None
    assert (public["slots"][0]["left"], public["slots"][0]["price_fen"]) == (0, 700)
    assert "expected" not in public["slots"][0]
    assert_laws_hold()


def test_a_trip_without_a_key_or_by_a_stranger_moves_nothing(
    operator: Viewer, visitor: Visitor
) -> None:
    stocked(operator, 5)
    another_operator("operator-2")
    path, body = "/api/v1/cabinets/one-1/restocks", {"lines": [{"slot": 1, "units": 1}]}
    assert visitor.post(path, json=body, headers=bearer("operator-1")).status_code == 400
    stranger = {**bearer("operator-2"), "Idempotency-Key": "k"}
    assert visitor.post(path, json=body, headers=stranger).status_code == 404
    assert visitor.post(path, json=body).status_code == 401
    assert expected() == 5


def test_the_simulator_refuses_what_it_cannot_send(app: Flask, operator: Viewer) -> None:
    cabinet(operator)
    runner: FlaskCliRunner = app.test_cli_runner()
    assert "there is no cabinet" in runner.invoke(args=["cabinet", "simulate", "x"]).output
    assert "restock it first" in runner.invoke(args=["cabinet", "simulate", "one-1"]).output
    assert orders() == 0


def test_a_device_counts_from_one_again_with_a_new_key(operator: Viewer, visitor: Visitor) -> None:
    made = stocked(operator, 9)
    old = made.device_key
    visitor.post(EVENTS, **signed_body(old, sale_event(1), sale_event(4)))
    new = new_device_key(operator, "one-1")
    told = signed_body(new, sale_event(1, 2), sale_event(3))
    once, again = visitor.post(EVENTS, **told), visitor.post(EVENTS, **told)
    gap, lists = [{"first": 2, "last": 2}], ("accepted", "repeated", "conflicting", "missing")
    assert once.json == dict(zip(lists, ([1, 3], [], [], gap), strict=True))
    assert again.json == dict(zip(lists, ([], [1, 3], [], gap), strict=True))
    assert (expected(), orders()) == (4, 4)
    assert _events(made.id, 1)[0]["sequence"] == 4
    acts = db.session.scalars(select(AuditEntry).where(AuditEntry.act == Act.DEVICE_KEY_RENEWED))
    assert ["2 条" in one.reason for one in acts] == [True]
    assert_laws_hold()


def test_what_an_old_key_signed_does_not_count_once_there_is_a_new_one(operator: Viewer) -> None:
    old = stocked(operator, 9).device_key
    new_device_key(operator, "one-1")
    with pytest.raises(SignatureWrong):
        receive("one-1", [sale(1)], old)
    assert (expected(), orders()) == (9, 0)
