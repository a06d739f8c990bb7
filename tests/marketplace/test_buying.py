"""Checkout page and the orders API: one path of a purchase."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from kernel.db import db, transaction
from kernel.identity import Organisation, OrganisationKind, Role
from livestream.model import Touch
from marketplace import checkout
from orders.model import (
    CreditKind,
    OrderEvent,
    OrderState,
    Payment,
)
from orders.queries.mine import read_recipient
from sellers.model import Offer, Place
from tests import builders
from tests.marketplace.purchases import ADDRESS, bearer, hidden, key, order_body, orders
from tests.visitors import Visitor

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


def test_whoever_goes_back_and_corrects_an_order_is_told_that_it_was_placed(
    visitor: Visitor,
) -> None:
    visitor.send("/cart/lines", offer=builders.offer().public_id, quantity=2)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "stripe"}
    visitor.post("/checkout", data=form)
    told = visitor.post("/checkout", data={**form, "address": "另一条路 9 号"})
    assert (told.status_code, len(orders())) == (409, 1)
    assert ("还没有下单" in told.text, "这一单刚才已经用别的内容提交过" in told.text) == (
        False,
        True,
    )
    assert 'value="另一条路 9 号"' in told.text
    again = {**form, **hidden(told.text), "address": "另一条路 9 号"}
    assert visitor.post("/checkout", data=again).location.startswith("/pay/")
    assert len(orders()) == 2


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
