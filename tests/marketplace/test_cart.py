"""The cart: what is put into it, taken out of it and left out."""

from __future__ import annotations

import pytest

from kernel.db import transaction
from sellers.model import Offer, Place
from tests import builders
from tests.marketplace.purchases import key, order_body
from tests.visitors import Visitor


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


def test_the_cart_says_what_is_missing_to_the_least_that_can_be_paid_online(
    visitor: Visitor,
) -> None:
    offer = builders.offer(price_fen=150)
    visitor.send("/cart/lines", offer=offer.public_id, quantity="2")
    assert "在线支付最少 ¥4.00，还差 ¥1.00。" in visitor.page("/cart")
    assert "还差 ¥1.00" in visitor.page("/checkout")
    visitor.send("/cart/lines", offer=offer.public_id, quantity="1")
    assert "在线支付最少" not in visitor.page("/cart")


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
