"""Cart, checkout page and the orders API: one path of a purchase."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db, public_code, transaction
from kernel.identity import Organisation, OrganisationKind, Role
from kernel.tokens import issue_token
from livestream.model import Touch
from marketplace import checkout
from orders.model import (
    CreditKind,
    Order,
    OrderEvent,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from orders.queries.mine import read_recipient
from sellers.model import Offer, Place
from tests import builders
from tests.laws import assert_laws_hold
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


# ---- the cart ----


def test_the_cart_groups_by_seller_and_sums_what_is_due(visitor: Visitor) -> None:
    oranges, eggs = builders.offer(), builders.offer(price_fen=180)
    visitor.send("/cart/lines", offer=oranges.public_id, quantity=2)
    visitor.send("/cart/lines", offer=eggs.public_id, quantity=10)
    visitor.send("/cart/lines", offer=eggs.public_id, quantity=20)
    page = visitor.page("/cart")
    assert page.count('class="seller-head"') == 2
    assert "去结算 ¥172.00" in page


def test_what_is_taken_out_can_be_put_back(visitor: Visitor) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id, quantity=3)
    visitor.send(f"/cart/lines/{offer.public_id}", quantity=0)
    page = visitor.page("/cart")
    assert "购物车是空的" in page
    assert "撤销" in page
    visitor.send(f"/cart/lines/{offer.public_id}", quantity=3)
    assert "去结算 ¥177.00" in visitor.page("/cart")


def test_the_cart_warns_of_what_can_no_longer_be_bought(visitor: Visitor) -> None:
    scarce = builders.offer(builders.lot(builders.product(builders.seller()), offered=5))
    visitor.send("/cart/lines", offer=scarce.public_id, quantity=5)
    with transaction() as session:
        session.get_one(Offer, scarce.id).lot.offered = 2
    page = visitor.page("/cart")
    assert "只剩 2 箱 了" in page
    assert 'type="button" disabled>去结算' in page


def test_the_cart_holds_fifty_things_and_no_more(visitor: Visitor) -> None:
    lot = builders.lot(builders.product(builders.seller()))
    offers = [builders.offer(lot) for _ in range(51)]
    answers = [visitor.send("/cart/lines", offer=one.public_id) for one in offers]
    assert [one.status_code for one in answers] == [302] * 50 + [422]


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "x", "99999999999"])
def test_only_whole_units_go_into_the_cart(visitor: Visitor, quantity: str) -> None:
    offer = builders.offer()
    answer = visitor.send("/cart/lines", offer=offer.public_id, quantity=quantity)
    assert answer.status_code == 422
    assert "购物车是空的" in visitor.page("/cart")


@pytest.mark.parametrize(("place", "words"), [("round", "单位集体订购"), ("slot", "柜前扫码")])
def test_what_is_not_sold_online_does_not_go_into_the_cart(
    visitor: Visitor, place: str, words: str
) -> None:
    offer = builders.offer(place=Place(place))
    answer = visitor.send("/cart/lines", offer=offer.public_id)
    assert (answer.status_code, words in answer.text) == (409, True)
    assert offer.product.name_zh in answer.text
    visitor.send(f"/cart/lines/{offer.public_id}", quantity=1)
    page = visitor.page("/cart")
    assert ("不在网上卖" in page, 'type="button" disabled>去结算' in page) == (True, True)


# ---- the checkout page ----


def test_a_guest_buys_on_the_page_and_is_sent_to_pay(visitor: Visitor) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id, quantity=2)
    form = hidden(visitor.page("/checkout"))
    answer = visitor.post("/checkout", data={**form, **ADDRESS, "payment": "stripe"})
    payment = db.session.scalars(select(Payment)).one()
    assert answer.location == f"/pay/{payment.public_id}"
    assert payment.amount_fen == 11800
    assert "购物车是空的" in visitor.page("/cart")
    [order] = orders()
    assert visitor.get(f"/orders/{order.number}").status_code == 200


def test_what_is_bought_at_once_leaves_the_cart_as_it_is(visitor: Visitor) -> None:
    kept, wanted = builders.offer(price_fen=180), builders.offer()
    visitor.send("/cart/lines", offer=kept.public_id, quantity=10)
    visitor.send("/cart/lines", offer=wanted.public_id, quantity=1)
    checkout = visitor.send("/cart/lines", offer=wanted.public_id, quantity=2, then="buy").location
    form = hidden(page := visitor.page(checkout))
    assert ("去付款 ¥118.00" in page, "回产品页改" in page) == (True, True)
    visitor.post(checkout, data={**form, **ADDRESS, "payment": "stripe"})
    [order] = orders()
    assert [(line.offer_id, line.quantity) for line in order.lines] == [(wanted.id, 2)]
    assert "去结算 ¥77.00" in visitor.page("/cart")
    assert visitor.get("/checkout?offer=nonesuch").status_code == 404
    assert visitor.get(f"/checkout?offer={kept.public_id}&quantity=0").status_code == 422


def test_the_checkout_has_an_english_name_of_its_own(visitor: Visitor) -> None:
    visitor.send("/cart/lines", offer=builders.offer().public_id)
    visitor.send("/language", language="en")
    assert "<h1>Checkout</h1>" in visitor.page("/checkout")


def test_sending_the_form_again_does_nothing_again(visitor: Visitor) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id, quantity=2)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    first, second = (visitor.post("/checkout", data=form) for _ in range(2))
    assert first.location == second.location
    assert len(orders()) == 1


def test_a_price_that_changed_meanwhile_is_shown_before_anything_is_bought(
    visitor: Visitor,
) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id, quantity=1)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    with transaction() as session:
        session.get_one(Offer, offer.id).price_fen = 6900
    answer = visitor.post("/checkout", data=form)
    assert answer.status_code == 409
    assert "价格刚刚变了" in answer.get_data(as_text=True)
    assert "去付款 ¥69.00" in answer.get_data(as_text=True)
    assert orders() == []


def test_a_missing_phone_is_said_at_its_field_and_the_rest_stays(visitor: Visitor) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "phone": "138", "payment": "stripe"}
    answer = visitor.post("/checkout", data=form)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "电话像是少了几位" in page
    assert "某路 1 号" in page
    assert orders() == []


@pytest.mark.parametrize("field", ["name", "city", "address"])
def test_blanks_alone_are_no_address(visitor: Visitor, field: str) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    for blank in ("  \u3000", "\u200b\u202e"):
        answer = visitor.post("/checkout", data={**form, field: blank})
        assert (answer.status_code, 'aria-invalid="true"' in answer.text) == (422, True)
    assert orders() == []


def test_an_address_is_kept_without_marks_that_would_turn_it_round(visitor: Visitor) -> None:
    offer = builders.offer()
    visitor.send("/cart/lines", offer=offer.public_id)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    typed = {"address": "\u202e某路 1 号\u2067", "phone": "１３８００００００００"}
    assert visitor.post("/checkout", data={**form, **typed}).status_code == 302
    recipient = read_recipient(orders()[0].recipient)
    assert recipient is not None
    assert (recipient.address, recipient.phone) == ("某路 1 号", "13800000000")


def test_what_sold_out_meanwhile_is_said_and_the_cart_is_kept(visitor: Visitor) -> None:
    offer = builders.offer(quota=2)
    visitor.send("/cart/lines", offer=offer.public_id, quantity=2)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    with transaction() as session:
        session.get_one(Offer, offer.id).sold = 1
        session.get_one(Offer, offer.id).lot.promised = 1
    answer = visitor.post("/checkout", data=form)
    assert answer.status_code == 409
    assert "剩下的不够了" in answer.get_data(as_text=True)
    assert "某村合作社" in visitor.page("/cart")


# ---- the API ----


def test_an_order_through_the_api_waits_for_its_payment(visitor: Visitor) -> None:
    offer = builders.offer()
    answer = visitor.post("/api/v1/orders", json=order_body(offer), headers=key())
    assert answer.status_code == 201
    body = answer.get_json()
    payment = db.session.scalars(select(Payment)).one()
    assert body["state"] == "due"
    assert body["total_fen"] == 11800
    assert body["pay_url"] == f"http://localhost/pay/{payment.public_id}"
    assert body["expires_at"]
    shown = visitor.get(f"/api/v1/orders/{body['number']}").get_json()
    assert [line["quantity"] for line in shown["lines"]] == [2]
    assert [one["kind"] for one in shown["history"]] == ["placed"]


def test_the_same_key_gets_the_same_answer_and_another_body_is_refused(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    offer = builders.offer()
    known = {**bearer(visitor, "buyer-1"), **key()}
    first, second = (
        visitor.post("/api/v1/orders", json=order_body(offer), headers=known) for _ in range(2)
    )
    assert first.get_json() == second.get_json()
    other = visitor.post("/api/v1/orders", json=order_body(offer, quantity=3), headers=known)
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_key_reused")
    assert len(orders()) == 1


def test_a_guest_whose_first_answer_was_lost_with_its_cookie_has_one_order_and_can_see_it(
    shop: Flask, visitor: Visitor
) -> None:
    offer = builders.offer()
    header, body = key("a-key-nobody-guesses"), order_body(offer)

    def newcomer() -> Visitor:
        return Visitor(shop, shop.response_class, use_cookies=True)

    first = newcomer().post("/api/v1/orders", json=body, headers=header)
    again = newcomer()
    assert again.post("/api/v1/orders", json=body, headers=header).json == first.json
    assert len(orders()) == 1
    assert again.get(f"/api/v1/orders/{orders()[0].number}").status_code == 200

    other = newcomer().post("/api/v1/orders", json=order_body(offer, quantity=1), headers=header)
    assert other.status_code == 201  # another guest, as far as anybody knows
    assert newcomer().get(f"/api/v1/orders/{orders()[0].number}").status_code == 404


def test_a_key_that_many_would_choose_makes_nobody_the_same_guest(
    shop: Flask, visitor: Visitor
) -> None:
    body = order_body(builders.offer())
    for _ in range(2):
        newcomer = Visitor(shop, shop.response_class, use_cookies=True)
        assert newcomer.post("/api/v1/orders", json=body, headers=key("1")).status_code == 201
    assert len(orders()) == 2
    assert len({order.visitor for order in orders()}) == 2


def test_a_purchase_without_a_key_is_refused(visitor: Visitor) -> None:
    answer = visitor.post("/api/v1/orders", json=order_body(builders.offer()))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")
    assert orders() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"lines": []},
        {"payment": "barter"},
        {"note": "unknown"},
        {"recipient": {"name": "x"}},
        {"recipient": {**ADDRESS, "name": " \u3000"}},
        {"recipient": {**ADDRESS, "address": "\u200b"}},
        {"recipient": None},
        {"lines": [{"offer_id": "a", "quantity": 1}, {"offer_id": "a", "quantity": 1}]},
        {"lines": [{"offer_id": "a", "quantity": 0}]},
        {"lines": [{"offer_id": "a", "quantity": "2"}]},
    ],
)
def test_a_body_with_a_fault_is_a_problem_and_no_order(
    visitor: Visitor, fault: dict[str, Any]
) -> None:
    body = {**order_body(builders.offer()), **fault}
    answer = visitor.post("/api/v1/orders", json=body, headers=key())
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")
    assert answer.mimetype == "application/problem+json"
    assert orders() == []


def test_round_and_slot_offers_are_not_sold_here(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    known = bearer(visitor, "buyer-1")
    for place in (Place.ROUND, Place.SLOT):
        offer = builders.offer(place=place)
        answer = visitor.post(
            "/api/v1/orders", json=order_body(offer), headers={**known, **key(place)}
        )
        assert (answer.status_code, answer.get_json()["code"]) == (409, "offer_closed")
        assert offer.product.name_zh in answer.get_json()["detail"]
    unknown = {**order_body(), "lines": [{"offer_id": "nothing", "quantity": 1}]}
    answer = visitor.post("/api/v1/orders", json=unknown, headers={**known, **key("n")})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "offer_not_found")
    assert orders() == []


def test_cash_is_taken_only_at_a_counter(visitor: Visitor) -> None:
    offer = builders.offer()
    body = order_body(offer, payment="cash", recipient=None)
    denied = visitor.post("/api/v1/orders", json=body, headers=key())
    assert (denied.status_code, denied.get_json()["code"]) == (403, "cash_at_counter_only")
    assert orders() == []
    platform = builders.organisation(OrganisationKind.PLATFORM)
    staff = builders.account(Role.STAFF, platform, login="staff-1")
    unproved = {**bearer(visitor, "staff-1"), **key()}
    asked = visitor.post("/api/v1/orders", json=body, headers=unproved)
    assert (asked.status_code, asked.get_json()["code"]) == (403, "second_factor_needed")
    assert orders() == []
    known = {"Authorization": f"Bearer {issue_token(staff, factor=True)}", **key()}
    taken = visitor.post("/api/v1/orders", json=body, headers=known)
    assert taken.status_code == 201
    assert (taken.get_json()["state"], taken.get_json()["pay_url"]) == ("confirmed", None)
    [order] = orders()
    assert order.state == OrderState.CONFIRMED
    assert db.session.scalars(select(Payment.state)).one() == PaymentState.CAPTURED


def test_an_operator_takes_cash_with_a_second_factor_only(visitor: Visitor) -> None:
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR)
    operator = builders.account(Role.OPERATOR, company, login="operator-1")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    asked = visitor.post(
        "/api/v1/orders", json=body, headers={**bearer(visitor, "operator-1"), **key()}
    )
    assert (asked.status_code, asked.get_json()["code"]) == (403, "second_factor_needed")
    assert orders() == []
    proved = {"Authorization": f"Bearer {issue_token(operator, factor=True)}", **key()}
    assert visitor.post("/api/v1/orders", json=body, headers=proved).status_code == 201


def test_whoever_took_cash_does_not_make_it_a_debt_alone(visitor: Visitor) -> None:
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR)
    operator = builders.account(Role.OPERATOR, company, login="operator-1")
    platform = builders.organisation(OrganisationKind.PLATFORM)
    staff = builders.account(Role.STAFF, platform, login="staff-1")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    token = {"Authorization": f"Bearer {issue_token(operator, factor=True)}"}
    made = visitor.post("/api/v1/orders", json=body, headers={**token, **key()})
    number = made.get_json()["number"]

    def cancelled(token: dict[str, str]) -> tuple[int, str | None]:
        answer = visitor.post(
            f"/api/v1/orders/{number}/cancel", headers={**token, **key(public_code())}
        )
        return answer.status_code, answer.get_json().get("code")

    assert cancelled(token) == (403, "second_person_needed")
    assert cancelled(bearer(visitor, "staff-1")) == (403, "second_factor_needed")
    assert db.session.scalars(select(Refund.id)).all() == []
    proved = {"Authorization": f"Bearer {issue_token(staff, factor=True)}"}
    assert cancelled(proved) == (200, None)
    assert db.session.scalars(select(Refund.state)).one() is RefundState.DEBT
    assert_laws_hold()


def test_the_page_lets_a_second_person_cancel_what_was_paid_in_cash(
    shop: Flask, visitor: Visitor
) -> None:
    platform = builders.organisation(OrganisationKind.PLATFORM)
    taker = builders.account(Role.STAFF, platform, login="staff-1")
    builders.account(Role.STAFF, platform, login="staff-2")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    token = {"Authorization": f"Bearer {issue_token(taker, factor=True)}", **key()}
    number = visitor.post("/api/v1/orders", json=body, headers=token).get_json()["number"]
    second = Visitor(shop, shop.response_class)
    for who, login, shown in ((visitor, "staff-1", False), (second, "staff-2", True)):
        who.enter(login)
        assert (f"/orders/{number}/cancel" in who.page(f"/orders/{number}")) is shown
    second.show_factor()
    key_field = {"idempotency_key": "cancel-1"}
    assert visitor.send(f"/orders/{number}/cancel", **key_field).status_code == 403
    assert second.send(f"/orders/{number}/cancel", **key_field).status_code == 302


def test_a_code_counts_only_where_this_visitor_was_touched(visitor: Visitor) -> None:
    offer = builders.offer()
    link = builders.credit_source(CreditKind.SHARE, "link-1")
    answer = visitor.post("/api/v1/orders", json=order_body(offer, touch="link-1"), headers=key())
    assert answer.status_code == 201
    [order] = orders()
    assert order.lines[0].credit.kind == CreditKind.SHOP
    assert link.id != order.lines[0].credit_source_id
    assert db.session.scalars(select(Touch)).all() == []


def test_guests_of_one_address_do_not_hold_a_lot_for_days(
    visitor: Visitor, shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "GUESTS_LONG_HOLDS", 2)
    offer = builders.offer()

    def placed(name: str, payment: str = "transfer") -> tuple[int, str]:
        body = order_body(offer, payment=payment)
        answer = Visitor(shop, shop.response_class).post(
            "/api/v1/orders", json=body, headers=key(f"{name}-of-a-guest-of-ours")
        )
        return answer.status_code, answer.get_json().get("code", "")

    assert [placed(name)[0] for name in ("one", "two")] == [201, 201]
    assert placed("three") == (429, "too_many_tries")
    assert placed("two")[0] == 201  # the same again is the same order
    assert placed("four", "stripe")[0] == 201
    builders.account(login="buyer-1")
    known = {**bearer(visitor, "buyer-1"), **key()}
    body = order_body(offer, payment="transfer")
    assert visitor.post("/api/v1/orders", json=body, headers=known).status_code == 201
    assert len(orders()) == 4


# ---- who sees an order ----


def test_an_order_shows_to_its_buyer_and_to_staff_only(shop: Flask, visitor: Visitor) -> None:
    body = order_body(builders.offer())
    number = visitor.post("/api/v1/orders", json=body, headers=key()).get_json()["number"]
    stranger = Visitor(shop, shop.response_class)
    builders.account(login="buyer-2")
    stranger.enter("buyer-2")
    for path in (f"/orders/{number}", f"/api/v1/orders/{number}"):
        assert visitor.get(path).status_code == 200
        assert stranger.get(path).status_code == 404
    assert stranger.send(f"/orders/{number}/cancel", idempotency_key="k").status_code == 404
    platform: Organisation = builders.organisation(OrganisationKind.PLATFORM)
    builders.account(Role.STAFF, platform, login="staff-1")
    staff = Visitor(shop, shop.response_class)
    staff.enter("staff-1")
    assert staff.get(f"/orders/{number}").status_code == 200
    assert staff.send(f"/orders/{number}/cancel", idempotency_key="k").status_code == 404
    assert orders()[0].state == OrderState.DUE


def test_cancelling_twice_with_one_key_cancels_once_and_gives_the_stock_back(
    visitor: Visitor,
) -> None:
    offer = builders.offer()
    body = order_body(offer)
    number = visitor.post("/api/v1/orders", json=body, headers=key()).get_json()["number"]
    for _ in range(2):
        answer = visitor.send(f"/orders/{number}/cancel", idempotency_key="k")
        assert answer.location == f"/orders/{number}"
    [order] = orders()
    assert order.state == OrderState.CANCELLED
    kinds = db.session.scalars(select(OrderEvent.kind).order_by(OrderEvent.id)).all()
    assert kinds == ["placed", "cancelled"]
    assert db.session.get_one(Offer, offer.id).sold == 0


def test_an_earlier_order_is_put_into_the_cart_again(visitor: Visitor) -> None:
    body = order_body(builders.offer())
    number = visitor.post("/api/v1/orders", json=body, headers=key()).get_json()["number"]
    visitor.send(f"/cart/again/{number}")
    assert "去结算 ¥118.00" in visitor.page("/cart")


def test_what_cannot_be_bought_again_is_left_out_and_said(visitor: Visitor) -> None:
    oranges, eggs = builders.offer(), builders.offer(price_fen=180)
    body = order_body(oranges, eggs)
    number = visitor.post("/api/v1/orders", json=body, headers=key()).get_json()["number"]
    with transaction() as session:
        session.get_one(Offer, eggs.id).place = Place.ROUND
    visitor.send(f"/cart/again/{number}")
    page = visitor.page("/cart")
    assert "没有放进购物车" in page
    assert "去结算 ¥118.00" in page
