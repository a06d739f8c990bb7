"""The cooperative's way through the API: from registration to the shop's shelf."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel.audit import AuditEntry
from kernel.db import db
from kernel.identity import Account, Role
from kernel.tokens import issue_token
from orders.model import PaymentMethod
from orders.placing import place
from sellers import jobs
from sellers.model import Household, Lot, Offer, OfferImport, Seller
from sellers.queries import ShelfFilters, shelf
from tests import builders
from tests.laws import assert_laws_hold
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
    assert clerk("POST", "", json={**SELLER, "name_zh": "  "}).status_code == 422
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
    assert listed.json["broadcast_floor_fen"] is None
    floor = {"price_fen": 4800, "broadcast_floor_fen": 4801}
    assert clerk("PUT", at, "change-0", json=floor).status_code == 422
    changed = clerk("PUT", at, "change-1", json=floor | {"broadcast_floor_fen": 4200}).json
    assert (changed["price_fen"], changed["broadcast_floor_fen"]) == (4800, 4200)

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


HOUSEHOLD = {
    "number": "017",
    "status": "registered",
    "status_evidence": "2020 年认定文件",
    "name": "某某某",
    "phone": "13800001234",
    "bank_account": "6222000011112222",
    "share_weight": 2,
}


def photo(name: str = "photo") -> dict[str, Any]:
    """A multipart form with a picture in it."""
    return {name: (io.BytesIO(picture().data), "orange.png")}


def clerk_at(client: FlaskClient) -> tuple[Caller, Seller]:
    """The clerk of a verified seller."""
    seller = builders.seller()
    return Caller(client, builders.account(Role.CLERK, seller.organisation)), seller


def test_papers_are_returned_accepted_and_shown_to_buyers_by_calls_alone(
    client: FlaskClient,
) -> None:
    clerk, staff = Caller(client, builders.account()), Caller(client, builders.account(Role.STAFF))
    seller_id = clerk("POST", "", json=SELLER).json["id"]
    paper = {"kind": "licence", "number": "91500"}
    missing = clerk("POST", "/mine/certificates", data=paper)
    assert (missing.status_code, set(missing.json["fields"])) == (422, {"file"})
    clerk("POST", "/mine/certificates", data={**paper, **photo("file")})
    clerk("POST", "/mine/submit")
    returned = staff("POST", f"/{seller_id}/return", json={"reason": "看不清编号"}).json
    assert (returned["state"], returned["return_reason"]) == ("returned", "看不清编号")
    clerk("PUT", "/mine", json={**SELLER, "township": "某镇"})
    clerk("POST", "/mine/submit")
    staff("POST", f"/{seller_id}/verify")
    [licence] = staff("GET", f"/{seller_id}").json["certificates"]
    assert (licence["number"], licence["state"]) == ("91500", "accepted")

    clerk("POST", "/mine/certificates", data={"kind": "organic", "number": "O-1", **photo("file")})
    [late] = staff("GET", "/certificates").json["items"]
    assert (late["seller_id"], late["state"]) == (seller_id, "pending")
    at = f"/certificates/{late['id']}"
    assert clerk("POST", f"{at}/accept").status_code == 403
    assert staff("POST", f"{at}/accept").json["state"] == "accepted"
    assert staff("POST", f"{at}/accept").json["code"] == "wrong_state"
    assert staff("GET", "/certificates").json["items"] == []
    staff("POST", f"{at}/return", json={"reason": "过期了"})
    kept = [
        (one["number"], one["state"]) for one in clerk("GET", "/mine/certificates").json["items"]
    ]
    assert kept == [("91500", "accepted"), ("O-1", "returned")]


def test_a_form_with_a_part_that_has_no_name_is_refused_field_by_field(
    client: FlaskClient,
) -> None:
    clerk, _ = clerk_at(client)
    answer = clerk(
        "POST",
        "/mine/certificates",
        data=b"--x\r\nContent-Disposition: form-data\r\n\r\n?\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == 422, answer.text
    assert "kind" in str(answer.json["fields"])


def test_an_account_number_by_call_is_cleaned_as_one_that_is_typed(client: FlaskClient) -> None:
    """A mark that turns the direction shows whoever pays another number than it is."""
    clerk = Caller(client, builders.account())
    sent = {**SELLER, "contact_phone": "０２３００００００００", "bank_account": " 6222\u202e0001 "}
    assert clerk("POST", "", json=sent).status_code == 201
    [seller] = db.session.scalars(select(Seller))
    assert (seller.contact_phone, seller.bank_account) == ("02300000000", "62220001")
    household = {**HOUSEHOLD, "name": "张\u202e某", "bank_account": "\u200b6222\u202e0001"}
    made = clerk("POST", "/households", json=household)
    assert made.status_code == 201
    [kept] = db.session.scalars(select(Household))
    assert (kept.name, kept.bank_account) == ("张某", "62220001")
    for nothing in ({"bank_account": " \u200b "}, {"name": "  "}):
        changed = clerk("PUT", f"/households/{made.json['id']}", json={**HOUSEHOLD, **nothing})
        assert changed.status_code == 422
    assert clerk("PUT", "/mine", json={**SELLER, "households_count": 1.5}).status_code == 422


def test_households_are_kept_masked_and_revealed_with_a_reason(client: FlaskClient) -> None:
    clerk, seller = clerk_at(client)
    person = builders.account(Role.STEWARD, seller.organisation)
    steward, login = Caller(client, person), person.login
    for wrong in ({"phone": "甲乙abc"}, {"bank_account": "某某银行"}):
        refused = clerk("POST", "/households", json={**HOUSEHOLD, **wrong})
        assert (refused.status_code, set(refused.json["fields"]["json"])) == (422, set(wrong))
    unproven = clerk("POST", "/households", json={**HOUSEHOLD, "status_evidence": ""})
    assert (unproven.status_code, set(unproven.json["fields"])) == (422, {"status_evidence"})
    made = clerk("POST", "/households", json={**HOUSEHOLD, "steward_login": login})
    assert made.status_code == 201
    at = f"/households/{made.json['id']}"
    listed = [caller("GET", "/households") for caller in (clerk, steward)]
    for answer in [made, *listed, clerk("GET", at), steward("GET", at)]:
        told = answer.get_data(as_text=True)
        assert all(HOUSEHOLD[name] not in told for name in ("name", "phone", "bank_account"))
    assert listed[0].json["items"][0]["phone_masked"] == "138****1234"
    assert steward("GET", at).json["steward_login"] == login

    short = steward("POST", f"{at}/reveal", json={"reason": "看"})
    assert (short.status_code, set(short.json["fields"])) == (422, {"reason"})
    assert db.session.scalar(select(func.count()).select_from(AuditEntry)) == 0
    revealed = steward("POST", f"{at}/reveal", json={"reason": "打电话通知采收"}).json
    assert revealed == {name: HOUSEHOLD[name] for name in ("name", "phone", "bank_account")}
    [entry] = db.session.scalars(select(AuditEntry))
    assert (entry.act, entry.reason) == ("household_revealed", "打电话通知采收")

    change = {"number": "018", "status": "ordinary", "steward_login": login}
    changed = clerk("PUT", at, json=change).json
    assert (changed["number"], changed["status"]) == ("018", "ordinary")
    still = clerk("POST", f"{at}/reveal", json={"reason": "核对账号"}).json
    assert still == revealed
    assert steward("PUT", at, json=change).status_code == 403
    assert clerk("PUT", at, json={**change, "steward_login": "nobody"}).status_code == 422

    plan = {"kind": "shares", "basis_points": 8000, "note_zh": "按份分"}
    assert clerk("POST", "/mine/plans", json=plan).status_code == 201
    assert clerk("POST", "/mine/plans", json={**plan, "basis_points": 0}).status_code == 422
    [shown] = clerk("GET", "/mine/plans").json["items"]
    assert plan.items() <= shown.items()


def test_a_product_gets_a_photograph_and_its_stock_is_changed_and_closed(
    client: FlaskClient,
) -> None:
    clerk, _seller = clerk_at(client)
    at = f"/mine/products/{clerk('POST', '/mine/products', json=PRODUCT).json['id']}"
    assert clerk("GET", at).json["photo"] is None
    pictured = clerk("PUT", f"{at}/photo", data=photo()).json["photo"]
    with client.get(pictured) as shown:
        assert shown.mimetype == "image/webp"
    wrong = clerk("PUT", f"{at}/photo", data={"photo": (io.BytesIO(b"MZ"), "a.png")})
    assert (wrong.status_code, clerk("GET", at).json["photo"]) == (422, pictured)
    assert clerk("PUT", f"{at}/photo").status_code == 422
    assert clerk("DELETE", f"{at}/photo").json["photo"] is None
    assert clerk("PUT", at, json={**PRODUCT, "grade": "一级"}).json["grade"] == "一级"

    days = {"harvest_from": "2027-01-05", "harvest_to": "2027-01-15"}
    lot = {"product_id": at.rsplit("/", 1)[1], "mode": "in_field", "offered": 60, **days}
    lot_id = clerk("POST", "/mine/lots", "lot", json=lot).json["id"]
    offer = {"lot_id": lot_id, "price_fen": 5900}
    offer_id = clerk("POST", "/mine/offers", "offer", json=offer).json["id"]
    place(
        builders.buyer(),
        {db.session.scalars(select(Offer.id)).one(): 7},
        builders.credited_to_shop(db.session.scalars(select(Offer)).one()),
        PaymentMethod.CASH,
    )
    lot_at = f"/mine/lots/{lot_id}"
    few = clerk("PUT", lot_at, "few", json={"offered": 6})
    assert (few.status_code, few.json["code"]) == (409, "below_promised")
    back = clerk("PUT", lot_at, "back", json={"offered": 80, "harvest_to": "2027-01-01"})
    assert (back.status_code, set(back.json["fields"])) == (422, {"harvest_to"})
    moved = clerk("PUT", lot_at, "more", json={"offered": 80, "harvest_to": "2027-01-25"}).json
    assert (moved["offered"], moved["harvest_from"], moved["harvest_to"]) == (
        80,
        "2027-01-05",
        "2027-01-25",
    )
    assert clerk("POST", f"{lot_at}/close").json["code"] == "idempotency_key_missing"
    for _again in range(2):
        closed = clerk("POST", f"{lot_at}/close", "close").json
        assert (closed["offered"], closed["promised"]) == (7, 7)
    assert clerk("GET", f"/mine/offers/{offer_id}").json["withdrawn_at"]
    assert shelf().items == []
    assert_laws_hold()


def test_what_is_anothers_does_not_exist(client: FlaskClient) -> None:
    clerk, _seller = clerk_at(client)
    other = builders.seller()
    product = builders.product(other)
    lot = builders.lot(product)
    offer, household = builders.offer(lot), builders.household(other)
    terms = {"price_fen": 1}
    asked = [
        clerk("GET", f"/mine/products/{product.public_id}"),
        clerk("PUT", f"/mine/products/{product.public_id}", json=PRODUCT),
        clerk("PUT", f"/mine/products/{product.public_id}/photo", data=photo()),
        clerk("DELETE", f"/mine/products/{product.public_id}/photo"),
        clerk("GET", f"/mine/lots/{lot.public_id}"),
        clerk("PUT", f"/mine/lots/{lot.public_id}", "k1", json={"offered": 1}),
        clerk("POST", f"/mine/lots/{lot.public_id}/close", "k2"),
        clerk("GET", f"/mine/offers/{offer.public_id}"),
        clerk("PUT", f"/mine/offers/{offer.public_id}", "k3", json=terms),
        clerk("POST", f"/mine/offers/{offer.public_id}/withdraw", "k4"),
        clerk("GET", f"/households/{household.public_id}"),
        clerk("PUT", f"/households/{household.public_id}", json=HOUSEHOLD),
        clerk("POST", f"/households/{household.public_id}/reveal", json={"reason": "想看看"}),
    ]
    assert {answer.status_code for answer in asked} == {404}
    assert {answer.json["code"] for answer in asked} == {"not_found"}
    assert db.session.get_one(Lot, lot.id, populate_existing=True).offered == 100
    assert db.session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_the_document_says_which_files_a_form_carries(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()

    def form(method: str, path: str) -> dict[str, Any]:
        body = document["paths"][f"{AT}{path}"][method]["requestBody"]["content"]
        name = body["multipart/form-data"]["schema"]["$ref"].rsplit("/", 1)[1]
        told: dict[str, Any] = document["components"]["schemas"][name]
        return told

    binary = {"type": "string", "format": "binary"}
    assert form("post", "/mine/imports")["properties"]["file"] == binary
    assert form("put", "/mine/products/{public_id}/photo")["properties"]["photo"] == binary
    certificate = form("post", "/mine/certificates")
    assert certificate["properties"]["file"] == binary
    assert {"kind", "number", "file"} == set(certificate["required"])
