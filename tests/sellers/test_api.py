"""The cooperative's way through the API: from registration to the shop's shelf."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel.db import db
from kernel.identity import Account, Role, issue_token
from sellers import jobs
from sellers.model import Lot, Offer, OfferImport
from sellers.queries import ShelfFilters, shelf
from tests import builders
from tests.sellers.test_imports import RIGHT, workbook
from tests.sellers.test_registration import picture

AT = "/api/v1/sellers"
SELLER = {
    "kind": "cooperative",
    "name_zh": "黄陵村柑橘合作社",
    "province": "重庆市",
    "city": "重庆市",
    "county": "开州区",
    "village": "黄陵村",
    "contact_phone": "02300000000",
}
PRODUCT = {"name_zh": "玫瑰香橙", "category": "fruit", "unit_name": "箱", "unit_g": 5000}


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


class Caller:
    """A program that acts for one account."""

    def __init__(self, client: FlaskClient, account: Account) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {issue_token(account)}"}

    def __call__(self, method: str, path: str, key: str = "", **sent: Any) -> Any:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        return self._client.open(f"{AT}{path}", method=method, headers=headers, **sent)


def test_a_cooperative_registers_is_verified_and_lists_by_call_and_by_spreadsheet(
    client: FlaskClient,
) -> None:
    clerk, staff = Caller(client, builders.account()), Caller(client, builders.account(Role.STAFF))
    made = clerk("POST", "", json=SELLER)
    assert (made.status_code, made.json["state"]) == (201, "draft")
    paper = {"kind": "licence", "number": "91500", "file": (io.BytesIO(picture().data), "a.png")}
    assert clerk("POST", "/mine/certificates", data=paper).status_code == 201
    assert clerk("POST", "/mine/submit").json["state"] == "submitted"
    [waiting] = staff("GET", "?state=submitted").json["items"]
    assert staff("POST", f"/{waiting['id']}/verify").json["state"] == "verified"

    product = clerk("POST", "/mine/products", json=PRODUCT).json
    lot = {"product_id": product["id"], "mode": "in_hand", "offered": 200}
    lot_id = clerk("POST", "/mine/lots", "lot-1", json=lot).json["id"]
    assert clerk("POST", "/mine/lots", "lot-1", json=lot).json["id"] == lot_id
    offer = {"lot_id": lot_id, "price_fen": 5900, "limit_per_buyer": 5}
    listed = clerk("POST", "/mine/offers", "offer-1", json=offer)
    assert (listed.status_code, listed.json["price_fen"]) == (201, 5900)
    at = f"/mine/offers/{listed.json['id']}"
    assert clerk("PUT", at, "change-1", json={"price_fen": 4800}).json["price_fen"] == 4800

    sheet = {"file": (io.BytesIO(workbook({**RIGHT, "产品名称": "土鸡蛋"})), "库存.xlsx")}
    taken = clerk("POST", "/mine/imports", data=sheet)
    assert (taken.status_code, taken.json["state"]) == (202, "reading")
    import_id = db.session.scalars(select(OfferImport.id)).one()
    jobs.read_spreadsheet(import_id=import_id)
    import_at = f"/mine/imports/{taken.json['id']}"
    assert clerk("GET", import_at).json["state"] == "preview"
    assert clerk("POST", f"{import_at}/load", "load-1").json["state"] == "loading"
    jobs.load_spreadsheet(import_id=import_id)
    assert clerk("GET", import_at).json["state"] == "done"
    shown = [(c.name_zh, c.price_fen) for c in shelf(ShelfFilters(q="黄陵村")).items]
    assert shown == [("土鸡蛋", 5950), ("玫瑰香橙", 4800)]
    assert clerk("POST", f"{at}/withdraw", "gone").json["withdrawn_at"]
    assert [c.name_zh for c in shelf().items] == ["土鸡蛋"]
    for path in ("products", "lots", "offers"):
        assert len(clerk("GET", f"/mine/{path}").json["items"]) == 2


def test_writes_of_stock_need_a_key_and_known_fields_only(client: FlaskClient) -> None:
    seller = builders.seller()
    clerk = Caller(client, builders.account(Role.CLERK, seller.organisation))
    lot = {"product_id": builders.product(seller).public_id, "mode": "in_hand", "offered": 5}
    assert clerk("POST", "/mine/lots", json=lot).json["code"] == "idempotency_key_missing"
    wrong = clerk("POST", "/mine/lots", "k", json={**lot, "promised": 5})
    assert (wrong.status_code, wrong.mimetype) == (422, "application/problem+json")
    assert db.session.scalar(select(func.count()).select_from(Lot)) == 0
    clerk("POST", "/mine/lots", "k", json=lot)
    again = clerk("POST", "/mine/lots", "k", json={**lot, "offered": 6})
    assert (again.status_code, again.json["code"]) == (409, "idempotency_key_reused")
    assert db.session.scalar(select(func.count()).select_from(Lot)) == 1


def test_a_stranger_neither_lists_anothers_lot_nor_verifies(client: FlaskClient) -> None:
    lot = builders.lot(builders.product(builders.seller()))
    seller = builders.seller()
    clerk = Caller(client, builders.account(Role.CLERK, seller.organisation))
    refused = clerk("POST", "/mine/offers", "k", json={"lot_id": lot.public_id, "price_fen": 1})
    assert refused.status_code == 404
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 0
    assert clerk("POST", f"/{seller.organisation.public_id}/verify").status_code == 403
    assert Caller(client, builders.account())("GET", "/mine").status_code == 403
