"""The pages of paying: to Stripe and back, a transfer with its proof, and what staff confirm."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from PIL import Image
from sqlalchemy import select

from kernel.db import db, public_code, transaction
from kernel.identity import Account, OrganisationKind, Role
from kernel.settings import DEMO_ACCOUNT
from orders import lifecycle
from orders.model import Order, OrderState, Payment, PaymentMethod, Refund, RefundState
from orders.payments.actions import confirm_transfer
from orders.placing import Buyer, Placed, place
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.payments.money_in import give_one_back, lapse
from tests.payment_sandbox import SECRET, SandboxServer
from tests.visitors import Visitor

VISITOR = "visitor-of-pages"


@pytest.fixture
def shop(app: Flask) -> Iterator[SandboxServer]:
    """The application with a sandbox that sends no events, and CSRF left to its own test."""
    before = app.extensions["settings"]
    with SandboxServer() as server, app.app_context():
        app.extensions["settings"] = dataclasses.replace(
            before, stripe_api_base=server.url, stripe_webhook_secret=SECRET
        )
        yield server
        db.session.rollback()
        assert_laws_hold()
    app.extensions["settings"] = before


def visitor(app: Flask) -> Visitor:
    """A new browser."""
    return Visitor(app, app.response_class, use_cookies=True)


@pytest.fixture
def browser(app: Flask) -> Visitor:
    """The browser of a guest who has a visitor key."""
    client = visitor(app)
    with client.session_transaction() as session:
        session["visitor"] = VISITOR
    return client


def token(client: FlaskClient) -> str:
    """Give this browser's session a CSRF token, and return it as it stands in a form."""
    with client.session_transaction() as session:
        session["csrf_token"] = "a" * 40
    serializer = URLSafeTimedSerializer(str(current_app.secret_key), salt="wtf-csrf-token")
    signed: str = serializer.dumps("a" * 40)
    return signed


def buy(method: PaymentMethod = PaymentMethod.STRIPE) -> Placed:
    """An order of this browser's guest."""
    offer = builders.offer()
    buyer = Buyer(None, VISITOR)
    return place(buyer, {offer.id: 2}, builders.credited_to_shop(offer), method)


def state(placed: Placed) -> OrderState:
    """The order's state as the database has it."""
    db.session.rollback()
    return db.session.get_one(Order, placed.order_id).state


def test_paying_leads_to_stripe_and_back_to_the_truth(
    shop: SandboxServer, browser: Visitor
) -> None:
    placed = buy()
    there = browser.get(f"/pay/{placed.payment_id}")
    assert there.status_code == 303
    assert there.location.startswith(shop.url)
    unpaid = browser.get(f"/pay/{placed.payment_id}/back")
    assert unpaid.location == f"/orders/{placed.number}?paid=no"
    db.session.rollback()
    session_id = db.session.scalar(select(Payment.session_id))
    shop.pay(session_id or "", "wechat_pay")
    paid = browser.get(f"/pay/{placed.payment_id}/back")
    assert paid.location == f"/orders/{placed.number}"
    assert state(placed) is OrderState.CONFIRMED
    again = browser.get(f"/pay/{placed.payment_id}")
    assert again.location == f"/orders/{placed.number}"


def test_while_stripe_is_away_the_page_offers_to_try_again_and_nothing_is_lost(
    shop: SandboxServer, browser: Visitor
) -> None:
    placed = buy()
    shop.fail_next(path="/v1/checkout/sessions", status=503)
    page = browser.get(f"/pay/{placed.payment_id}")
    assert page.status_code == 503
    assert "再试一次" in page.text
    assert state(placed) is OrderState.DUE
    assert browser.get(f"/pay/{placed.payment_id}").status_code == 303


def test_a_payment_that_is_over_says_so(shop: SandboxServer, browser: Visitor) -> None:
    placed = buy()
    db.session.rollback()
    lifecycle.cancel(db.session.get_one(Order, placed.order_id))
    page = browser.get(f"/pay/{placed.payment_id}")
    assert page.status_code == 409
    assert "重新下单" in page.text
    assert "订单取消了" in page.text
    assert "过了付款时间" not in page.text


def test_a_payment_whose_time_is_over_says_that(shop: SandboxServer, browser: Visitor) -> None:
    placed = buy()
    lapse(placed)
    page = browser.get(f"/pay/{placed.payment_id}")
    assert page.status_code == 409
    assert "过了付款时间" in page.text
    assert "订单取消了" not in page.text


@pytest.mark.parametrize("path", ["", "/back", "/transfer"])
def test_a_strangers_payment_does_not_exist(app: Flask, shop: SandboxServer, path: str) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    stranger = visitor(app)
    assert stranger.get(f"/pay/{placed.payment_id}{path}").status_code == 404


def photo() -> tuple[io.BytesIO, str]:
    """A small picture of a receipt."""
    out = io.BytesIO()
    Image.new("RGB", (40, 60), "white").save(out, "PNG")
    out.seek(0)
    return out, "receipt.png"


def staff_browser(app: Flask) -> tuple[Visitor, Account]:
    """The browser of a signed-in member of staff."""
    of = builders.organisation(OrganisationKind.PLATFORM)
    person = builders.account(Role.STAFF, of)
    client = visitor(app)
    assert client.enter(person.login).status_code in (302, 303)
    client.show_factor()
    return client, person


def test_a_transfer_with_its_proof_is_confirmed_after_a_second_look(
    app: Flask, shop: SandboxServer, browser: Visitor
) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    page = browser.get(f"/pay/{placed.payment_id}/transfer")
    db.session.rollback()
    code = db.session.scalar(select(Payment.transfer_code))
    assert code
    assert code in page.text
    sent = browser.post(
        f"/pay/{placed.payment_id}/transfer",
        data={"file": photo(), "csrf_token": token(browser)},
        content_type="multipart/form-data",
    )
    assert sent.status_code == 303
    staff, _ = staff_browser(app)
    assert code in staff.get("/staff/transfers").text
    assert code in staff.get(f"/staff/transfers?code={code}").text
    address = f"/staff/transfers/{placed.payment_id}"
    assert "/files/" in staff.get(address).text
    form = {"csrf_token": token(staff), "idempotency_key": public_code(20)}
    wrong = staff.post(address, data={**form, "received": "1.00"})
    assert wrong.status_code == 409
    assert state(placed) is OrderState.DUE
    look = staff.post(address, data={**form, "received": "118.00"})
    assert "再看一眼" in look.text
    assert state(placed) is OrderState.DUE
    for _ in range(2):
        done = staff.post(address, data={**form, "received": "118.00", "seen": "yes"})
        assert done.status_code == 303
    assert state(placed) is OrderState.CONFIRMED
    paid = browser.get(f"/pay/{placed.payment_id}/transfer").text
    assert ("到账了" in paid, "实付" in paid, "应付" in paid) == (True, True, False)


def test_a_proof_that_is_no_picture_is_refused(shop: SandboxServer, browser: Visitor) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    sent = browser.post(
        f"/pay/{placed.payment_id}/transfer",
        data={"file": (io.BytesIO(b"hello"), "a.txt"), "csrf_token": token(browser)},
        content_type="multipart/form-data",
    )
    assert sent.status_code == 422
    db.session.rollback()
    assert db.session.scalar(select(Payment.proof_id)) is None


def test_staff_record_that_a_debt_was_repaid(app: Flask, shop: SandboxServer) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    staff, person = staff_browser(app)
    confirm_transfer(placed.payment_id or "", person.id)
    lifecycle.cancel(db.session.get_one(Order, placed.order_id))
    refund_id = db.session.scalar(select(Refund.public_id))
    owed = staff.get("/staff/refunds").text
    assert f'href="/orders/{placed.number}"' in owed
    assert "没有登录的买家" in owed
    assert "对公转账" in owed
    form = {"csrf_token": token(staff), "idempotency_key": public_code(20)}
    assert staff.post(f"/staff/refunds/{refund_id}", data={**form}).status_code == 422
    done = staff.post(f"/staff/refunds/{refund_id}", data={**form, "reference": "BANK-7"})
    assert done.status_code == 303
    db.session.rollback()
    assert db.session.scalar(select(Refund.state)) is RefundState.REPAID


def test_only_staff_see_the_queue(shop: SandboxServer, browser: Visitor) -> None:
    assert browser.get("/staff/transfers").status_code in (302, 403)


def test_a_transfer_that_came_once_more_is_recorded_on_its_page(
    app: Flask, shop: SandboxServer
) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    staff, person = staff_browser(app)
    confirm_transfer(placed.payment_id or "", person.id)
    address = f"/staff/transfers/{placed.payment_id}"
    assert "同一个识别码又到了一笔" in staff.page(address)
    form = {"csrf_token": token(staff), "idempotency_key": public_code(20), "reference": "BANK-2"}
    wrong = staff.post(f"{address}/again", data={**form, "received": "much"})
    assert (wrong.status_code, "1234.50" in wrong.text) == (422, True)
    told = staff.post(f"{address}/again", data={**form, "received": "118.00"})
    assert told.location == "/staff/refunds"
    db.session.rollback()
    assert "BANK-2" in staff.page(address)
    [owed] = db.session.scalars(select(Refund)).all()
    assert (owed.state, owed.amount_fen) == (RefundState.DEBT, 11_800)


def test_programs_pay_by_transfer_too(app: Flask, shop: SandboxServer, browser: Visitor) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    address = f"/api/v1/payments/{placed.payment_id}"
    assert visitor(app).get(address).status_code == 404
    assert browser.get(address).get_json()["state"] == "due"
    staff, _ = staff_browser(app)
    headers = {"Idempotency-Key": "k1", "X-CSRFToken": token(staff)}
    none = staff.post(
        f"{address}/confirm",
        json={"received_fen": 11800},
        headers=headers | {"Idempotency-Key": ""},
    )
    assert (none.status_code, none.get_json()["code"]) == (400, "idempotency_key_missing")
    wrong = staff.post(f"{address}/confirm", json={"received_fen": 1}, headers=headers)
    assert (wrong.status_code, wrong.get_json()["code"]) == (409, "amount_differs")
    assert state(placed) is OrderState.DUE
    for _ in range(2):
        done = staff.post(f"{address}/confirm", json={"received_fen": 11800}, headers=headers)
        assert done.get_json()["state"] == "captured"
    assert state(placed) is OrderState.CONFIRMED


def test_programs_send_the_proof_and_only_of_their_own_transfer(
    app: Flask, shop: SandboxServer, browser: Visitor
) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    address = f"/api/v1/payments/{placed.payment_id}/proof"

    def send(who: Visitor, file: tuple[io.BytesIO, str] | None) -> tuple[int, Any]:
        answer = who.post(
            address,
            data={"file": file} if file else {},
            headers={"X-CSRFToken": token(who)},
            content_type="multipart/form-data",
        )
        db.session.rollback()
        return answer.status_code, answer.get_json()

    stranger = visitor(app)
    for who, file, status, code in (
        (stranger, photo(), 404, "not_found"),
        (browser, None, 422, "invalid"),
        (browser, (io.BytesIO(b"hello"), "a.txt"), 422, "file_not_readable"),
    ):
        refused = send(who, file)
        assert (refused[0], refused[1]["code"]) == (status, code)
        assert db.session.scalar(select(Payment.proof_id)) is None
    status_code, kept = send(browser, photo())
    assert (status_code, kept["has_proof"], kept["state"]) == (200, True, "due")
    staff, person = staff_browser(app)
    assert "/files/" in staff.get(f"/staff/transfers/{placed.payment_id}").text
    confirm_transfer(placed.payment_id or "", person.id)
    late = send(browser, photo())
    assert (late[0], late[1]["code"]) == (409, "not_waiting")


def test_programs_record_that_a_debt_was_repaid_once(
    app: Flask, shop: SandboxServer, browser: Visitor
) -> None:
    placed = buy(PaymentMethod.TRANSFER)
    staff, person = staff_browser(app)
    confirm_transfer(placed.payment_id or "", person.id)
    lifecycle.cancel(db.session.get_one(Order, placed.order_id))
    address = f"/api/v1/refunds/{db.session.scalar(select(Refund.public_id))}/repay"

    def ask(who: Visitor, body: dict[str, str], key: str) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key, "X-CSRFToken": token(who)}
        answer = who.post(address, json=body, headers=headers)
        db.session.rollback()
        return answer.status_code, answer.get_json()

    body = {"reference": "BANK-7"}
    for who, sent, key, code in (
        (browser, body, "a", "sign_in_needed"),
        (staff, {"reference": ""}, "b", "invalid"),
        (staff, {**body, "more": "x"}, "c", "invalid"),
        (staff, body, "", "idempotency_key_missing"),
    ):
        assert ask(who, sent, key)[1]["code"] == code
        assert db.session.scalar(select(Refund.state)) is RefundState.DEBT
    done = ask(staff, body, "d")
    assert (done[0], done[1]["state"]) == (200, "repaid")
    assert ask(staff, body, "d") == done
    other = ask(staff, {"reference": "BANK-8"}, "e")
    assert (other[0], other[1]["code"]) == (409, "not_a_debt")
    assert db.session.scalar(select(Refund.reference)) == "BANK-7"


def test_what_is_left_below_stripes_minimum_is_asked_for_by_transfer_in_words(
    shop: SandboxServer, browser: Visitor
) -> None:
    lot = builders.lot(builders.product(builders.seller()))
    offer = builders.offer(lot, price_fen=150)
    placed = place(
        Buyer(None, VISITOR),
        {offer.id: 3},
        builders.credited_to_shop(offer),
        PaymentMethod.STRIPE,
    )
    give_one_back(placed, "short:1")
    there = browser.get(f"/pay/{placed.payment_id}")
    assert there.location == f"/pay/{placed.payment_id}/transfer"
    page = browser.page(there.location)
    assert "剩下不到 ¥4.00" in page
    assert "XJ-" in page
    assert f"/pay/{placed.payment_id}/transfer" in browser.page(f"/orders/{placed.number}")
    assert state(placed) is OrderState.DUE


def test_whoever_chose_to_transfer_a_small_sum_is_told_of_no_rest(
    shop: SandboxServer, browser: Visitor
) -> None:
    offer = builders.offer(price_fen=150)
    credited = builders.credited_to_shop(offer)
    placed = place(Buyer(None, VISITOR), {offer.id: 2}, credited, PaymentMethod.TRANSFER)
    page = browser.page(f"/pay/{placed.payment_id}/transfer")
    assert ("剩下不到" in page, placed.number in page) == (False, True)


def test_a_refund_names_the_unit_that_paid_or_the_buyer(app: Flask, shop: SandboxServer) -> None:
    buyer, unit = builders.account(), builders.buying_unit()
    placed = buy(PaymentMethod.TRANSFER)
    staff, person = staff_browser(app)
    confirm_transfer(placed.payment_id or "", person.id)
    lifecycle.cancel(db.session.get_one(Order, placed.order_id))
    with transaction() as session:
        session.get_one(Order, placed.order_id).account_id = buyer.id
    assert buyer.name_zh in staff.get("/staff/refunds").text
    with transaction() as session:
        session.scalars(select(Payment)).one().unit_id = unit.id
    assert f"<b>{unit.name_zh}</b>" in staff.get("/staff/refunds").text


def test_a_transfer_names_the_unit_that_pays_and_no_person(app: Flask, shop: SandboxServer) -> None:
    buyer, unit = builders.account(name_zh="某买家"), builders.buying_unit()
    placed = buy(PaymentMethod.TRANSFER)
    staff, _ = staff_browser(app)
    pages = ("/staff/transfers", f"/staff/transfers/{placed.payment_id}")
    with transaction() as session:
        session.get_one(Order, placed.order_id).account_id = buyer.id
    for path in pages:
        page = staff.get(path).text
        assert (">个人<" in page, buyer.name_zh in page) == (True, False)
    with transaction() as session:
        session.scalars(select(Payment)).one().unit_id = unit.id
    for path in pages:
        assert f">{unit.name_zh}<" in staff.get(path).text
    with transaction() as session:
        session.scalars(select(Payment)).one().unit_id = None


def test_the_transfer_page_shows_the_account_to_pay_to(
    shop: SandboxServer, browser: Visitor
) -> None:
    kept = current_app.extensions["settings"]
    current_app.extensions["settings"] = dataclasses.replace(kept, transfer_account=DEMO_ACCOUNT)
    placed = buy(PaymentMethod.TRANSFER)
    page = browser.page(f"/pay/{placed.payment_id}/transfer")
    for part in ("户名", "示范账户", "开户行", "示范银行", "银行账号"):
        assert part in page
