"""A shop order from paying to the seller's money: by programs, and by people in pages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.identity import Account, Organisation, Role
from kernel.ledger import AccountKind, balance
from kernel.tokens import issue_token
from marketplace import filters
from orders import books
from orders.model import Consignment, Order, OrderEvent, OrderState, Payment
from orders.payments.actions import Captured, record_capture
from sellers.model import LotMode, Offer
from tests import builders
from tests.laws import assert_laws_hold
from tests.visitors import Visitor

ADDRESS = {"name": "收货处", "phone": "13800000000", "city": "韶关市", "address": "某路 1 号"}
_keys = itertools.count(1)


@pytest.fixture
def shop(app: Flask) -> Iterator[Flask]:
    """The shop, in its context, with itself to credit."""
    with app.app_context():
        builders.credit_source()
        yield app


class Caller:
    """A program with somebody's token, or a guest's that keeps its cookie."""

    def __init__(self, app: Flask, account: Account | None = None) -> None:
        self._client = Visitor(app, app.response_class)
        self._headers = {}
        if account is not None:
            self._headers = {"Authorization": f"Bearer {issue_token(account, factor=True)}"}

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Call and return the answer's status and JSON."""
        headers = {**self._headers, "Idempotency-Key": key or f"key-{next(_keys)}"}
        if not self._headers:
            # A cookie alone writes nothing: the token of a page has to come with it.
            token = re.search(r'name="csrf_token" value="([^"]+)"', self._client.page("/orders"))
            headers["X-CSRFToken"] = token[1] if token else ""
        answer = self._client.open("/api/v1" + path, method=method, json=body, headers=headers)
        db.session.rollback()
        return answer.status_code, answer.get_json()


def organisation_of(offer: Offer) -> Organisation:
    """The seller of `offer`, as an organisation."""
    return db.session.get_one(Organisation, offer.seller_id)


def clerk_of(offer: Offer) -> Account:
    """Somebody who handles the seller of `offer`."""
    return builders.account(Role.CLERK, organisation_of(offer))


def bought(caller: Caller, *offers: Offer) -> str:
    """Buy two of each by transfer and return the order's number."""
    body = {
        "lines": [{"offer_id": one.public_id, "quantity": 2} for one in offers],
        "recipient": ADDRESS,
        "payment": "transfer",
    }
    status, placed = caller.ask("POST", "/orders", body)
    assert status == 201
    return str(placed["number"])


def paid(staff: Caller, number: str) -> None:
    """Staff find the order's transfer on the bank statement."""
    payment = payment_of(number)
    body = {"received_fen": payment.amount_fen}
    assert staff.ask("POST", f"/payments/{payment.public_id}/confirm", body)[0] == 200


def payment_of(number: str) -> Payment:
    """The payment of an order, as the database has it."""
    db.session.rollback()
    order = db.session.scalars(select(Order).where(Order.number == number)).one()
    return db.session.scalars(select(Payment).where(Payment.shares.any(order_id=order.id))).one()


def packed_and_sent(clerk: Caller, number: str) -> str:
    """The seller packs and sends an order; the consignment's id."""
    status, packed = clerk.ask("POST", "/consignments", {"order_number": number})
    assert status == 201
    way = f"/consignments/{packed['id']}"
    assert clerk.ask("POST", f"{way}/sending", {"carrier": "某快递", "waybill": "SF1"})[0] == 200
    return str(packed["id"])


def test_a_clerk_sees_what_goes_into_each_box_before_packing_it(shop: Flask) -> None:
    of = builders.seller()
    first = builders.offer(builders.lot(builders.product(of, name_zh="红薯干")))
    second = builders.offer(builders.lot(builders.product(of, name_zh="大米")))
    number = bought(Caller(shop, builders.account()), first, second)
    paid(Caller(shop, builders.account(Role.STAFF)), number)
    page = Visitor(shop, shop.response_class)
    page.enter(clerk_of(first).login)
    words = re.sub(r"<[^>]+>|\s", "", page.page("/seller/consignments"))
    assert f"订单{number}红薯干2箱，大米2箱" in words


def test_a_shop_order_by_programs_from_paying_to_the_payout(shop: Flask) -> None:
    offer = builders.offer()
    buyer = Caller(shop, builders.account())
    clerk, staff = Caller(shop, clerk_of(offer)), Caller(shop, builders.account(Role.STAFF))
    number = bought(buyer, offer)
    assert clerk.ask("GET", "/packing")[1]["items"] == []
    assert clerk.ask("POST", "/consignments", {"order_number": number})[1]["code"] == (
        "nothing_to_pack"
    )
    paid(staff, number)
    [ready] = clerk.ask("GET", "/packing")[1]["items"]
    assert ready == {"group_order_id": None, "order_number": number, "lines": 1, "units": 2}
    sent = packed_and_sent(clerk, number)
    status, shown = clerk.ask("GET", f"/consignments/{sent}")
    assert (status, shown["recipient"]) == (200, ADDRESS)
    [coming] = buyer.ask("GET", f"/orders/{number}/consignments")[1]["items"]
    assert (coming["carrier"], coming["waybill"], coming["signed_at"]) == ("某快递", "SF1", None)
    first = buyer.ask("POST", f"/orders/{number}/receipt", key="once")
    assert first == (200, {"number": number, "state": "handed"})
    assert buyer.ask("POST", f"/orders/{number}/receipt", key="once") == first
    assert clerk.ask("GET", f"/consignments/{sent}")[1]["recipient"] is None
    assert [one["kind"] for one in buyer.ask("GET", f"/orders/{number}")[1]["history"]] == [
        "placed",
        "paid",
        "sent",
        "handed",
    ]
    seller = organisation_of(offer).public_id
    status, stated = staff.ask("POST", "/settlements", {"seller_id": seller, "round_id": None})
    assert (status, stated["total_fen"], stated["own_fen"]) == (201, 11800, 11800)
    payout = f"/settlements/{stated['id']}/payout"
    staff.ask("POST", payout, {"reference": "BANK-1", "reason": "买家都收到了"})
    second = Caller(shop, builders.account(Role.STAFF))
    status, done = second.ask("POST", f"{payout}/approval")
    assert (status, done["state"]) == (200, "paid")
    assert balance(books.BOOK, AccountKind.SELLER_PAYABLE, f"seller:{seller}").fen == 0
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == 0
    assert_laws_hold()


def test_staff_see_where_a_parcel_goes_only_where_that_is_remembered(shop: Flask) -> None:
    offer = builders.offer()
    buyer, person = Caller(shop, builders.account()), builders.account(Role.STAFF)
    clerk, staff = Caller(shop, clerk_of(offer)), Caller(shop, person)
    number = bought(buyer, offer)
    paid(staff, number)
    sent = packed_and_sent(clerk, number)
    page, way = Visitor(shop, shop.response_class), f"/consignments/{sent}"
    page.enter(person.login)
    for asking in (clerk, buyer):
        assert asking.ask("GET", way)[1]["recipient"] == ADDRESS
    assert staff.ask("GET", way)[1]["recipient"] is None
    shown = page.page(way)
    assert "装箱单" in shown
    for told in (ADDRESS["phone"], ADDRESS["address"]):
        assert told not in shown
    for refused in (page.get(f"{way}/pdf"), page.get(f"{way}.pdf"), page.send(f"{way}/pdf")):
        assert refused.status_code == 409
    page.enter(clerk_of(offer).login)
    assert ADDRESS["phone"] in page.page(way)
    assert page.get(f"{way}/pdf").status_code == 200


def test_a_guest_confirms_and_a_stranger_cannot(shop: Flask) -> None:
    offer = builders.offer()
    guest, staff = Caller(shop), Caller(shop, builders.account(Role.STAFF))
    number = bought(guest, offer)
    paid(staff, number)
    early = guest.ask("POST", f"/orders/{number}/receipt")
    assert (early[0], early[1]["code"]) == (409, "nothing_on_its_way")
    packed_and_sent(Caller(shop, clerk_of(offer)), number)
    for stranger in (Caller(shop), Caller(shop, builders.account()), Caller(shop, clerk_of(offer))):
        assert stranger.ask("POST", f"/orders/{number}/receipt")[0] == 404
        assert stranger.ask("GET", f"/orders/{number}/consignments")[0] == 404
    assert db.session.scalar(select(Order.state)) is OrderState.CONFIRMED
    assert db.session.scalar(select(Consignment.signed_at)) is None
    assert guest.ask("POST", f"/orders/{number}/receipt")[1]["state"] == "handed"
    assert_laws_hold()


def test_of_two_sellers_each_sees_only_its_own(shop: Flask) -> None:
    oranges, eggs = builders.offer(), builders.offer()
    guest, staff = Caller(shop), Caller(shop, builders.account(Role.STAFF))
    number = bought(guest, oranges, eggs)
    paid(staff, number)
    first, second = Caller(shop, clerk_of(oranges)), Caller(shop, clerk_of(eggs))
    sent = packed_and_sent(first, number)
    assert second.ask("GET", f"/consignments/{sent}")[0] == 404
    assert second.ask("GET", "/consignments")[1]["items"] == []
    assert len(second.ask("GET", "/packing")[1]["items"]) == 1
    assert guest.ask("POST", f"/orders/{number}/receipt")[1]["state"] == "confirmed"
    packed_and_sent(second, number)
    assert guest.ask("POST", f"/orders/{number}/receipt")[1]["state"] == "handed"
    assert len(db.session.scalars(select(Consignment)).all()) == 2
    assert_laws_hold()


# ---- by people, in pages ----


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to `action`."""
    form = re.search(rf'<form[^>]* action="{re.escape(action)}".*?</form>', page, re.S)
    assert form is not None, f"no form posts to {action}"
    fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form.group(0))
    fields += [
        (name, value)
        for value, name in re.findall(
            r'type="hidden" value="([^"]*)" name="([^"]+)"', form.group(0)
        )
    ]
    return dict(fields)


def test_the_seller_packs_and_sends_and_the_buyer_confirms_in_pages(shop: Flask) -> None:
    offer = builders.offer()
    guest = Visitor(shop, shop.response_class)
    body = {"lines": [{"offer_id": offer.public_id, "quantity": 2}], "recipient": ADDRESS}
    placed = guest.post(
        "/api/v1/orders", json={**body, "payment": "stripe"}, headers={"Idempotency-Key": "k"}
    )
    number = placed.get_json()["number"]
    address = f"/handover/orders/{number}/received"
    payment = payment_of(number)
    record_capture(payment.public_id, Captured(payment.amount_fen, clock.now(), "pi_pages"))
    assert "确认收货" not in guest.page(f"/orders/{number}")
    clerk = Visitor(shop, shop.response_class)
    clerk.enter(clerk_of(offer).login)
    ready = clerk.page("/seller/consignments")
    assert number in ready
    assert clerk.post("/seller/consignments", data=hidden(ready, "/seller/consignments")).location
    packed = clerk.page("/seller/consignments")
    assert ADDRESS["address"] in packed
    consignment = db.session.scalars(select(Consignment)).one()
    assert ADDRESS["phone"] in clerk.page(f"/consignments/{consignment.public_id}")
    assert "确认收货" not in guest.page(f"/orders/{number}")
    sending = f"/seller/consignments/{consignment.public_id}/sent"
    form = {**hidden(packed, sending), "carrier": "某快递", "waybill": "SF77"}
    assert clerk.post(sending, data=form).status_code == 302
    shown = guest.page(f"/orders/{number}")
    assert "SF77" in shown
    form = hidden(shown, address)
    for _ in range(2):
        assert guest.post(address, data=form).location == f"/orders/{number}"
    after = guest.page(f"/orders/{number}")
    assert "已交货" in after
    assert "确认收货" not in after
    assert ADDRESS["phone"] not in clerk.page("/seller/consignments")
    db.session.rollback()
    handed = select(func.count(OrderEvent.id)).where(OrderEvent.kind == "handed")
    assert db.session.scalar(handed) == 1
    assert_laws_hold()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("自己送", "The seller"), ("快递", "A parcel service"), ("某快递", "某快递")],
)
def test_who_delivers_is_said_in_english_unless_it_is_a_name(
    shop: Flask, typed: str, shown: str
) -> None:
    offer = builders.offer()
    buyer = builders.account()
    number = bought(Caller(shop, buyer), offer)
    paid(Caller(shop, builders.account(Role.STAFF)), number)
    clerk = Caller(shop, clerk_of(offer))
    packed = clerk.ask("POST", "/consignments", {"order_number": number})[1]["id"]
    clerk.ask("POST", f"/consignments/{packed}/sending", {"carrier": typed, "waybill": "SF77"})
    page = Visitor(shop, shop.response_class)
    page.enter(clerk_of(offer).login)
    page.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    for path in ("/seller/consignments", f"/consignments/{packed}"):
        assert f"{shown} sent it" in re.sub("</?bdi>", "", page.page(path))
    page.send("/sign-out")
    page.enter(buyer.login)
    told = page.page(f"/orders/{number}")
    assert re.search(rf"·\s+<bdi>{shown} SF77</bdi>", told)
    assert shown == typed or typed not in told


def test_goods_in_the_field_are_packed_from_the_first_day_of_their_harvest_on(
    shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = builders.lot(builders.product(builders.seller(), name_zh="生姜"), mode=LotMode.IN_FIELD)
    offer = builders.offer(lot)
    number = bought(Caller(shop, builders.account()), offer)
    paid(Caller(shop, builders.account(Role.STAFF)), number)
    clerk, page = Caller(shop, clerk_of(offer)), Visitor(shop, shop.response_class)
    page.enter(clerk_of(offer).login)
    day = db.session.get_one(type(lot), lot.id).harvest_from
    assert day is not None
    words = re.sub(r"<[^>]+>|\s", "", page.page("/seller/consignments"))
    assert f"订单{number}生姜2箱{filters.whole(f'{day.month}月{day.day}日')}" in words
    assert "起可以装" in words
    assert "可以装了" not in words
    assert clerk.ask("GET", "/packing")[1]["items"] == []
    refused = clerk.ask("POST", "/consignments", {"order_number": number})
    assert (refused[0], refused[1]["code"]) == (409, "nothing_to_pack")

    monkeypatch.setattr(clock, "today", lambda: day)
    [ready] = clerk.ask("GET", "/packing")[1]["items"]
    assert ready["order_number"] == number
    assert clerk.ask("POST", "/consignments", {"order_number": number})[0] == 201
