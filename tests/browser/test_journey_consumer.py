"""A consumer's way: search, two sellers in one cart, pay, be declined, cancel, be refunded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from orders.model import Order, OrderState, Payment, Refund, RefundState
from sellers.model import BenefitPlan, Category, Lot, LotMode, Offer
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, sign_in
from tests.browser.conftest import Live
from tests.laws import assert_laws_hold
from tests.visitors import Visitor

pytestmark = pytest.mark.browser

ADDRESS = {"收货人": "某人", "电话": "13800000000", "城市": "韶关市", "详细地址": "某路 1 号"}


def stocked_shop() -> tuple[Offer, Offer]:
    """Two sellers: oranges still on the tree, and eggs in hand."""
    builders.credit_source()
    orchard = builders.seller(
        name_zh="青龙村联合社",
        township="大盛镇",
        village="青龙村",
        households_count=517,
        registered_count=6,
    )
    farm = builders.seller(name_zh="隘口镇土鸡合作社", households_count=43, registered_count=12)
    oranges = builders.product(
        orchard,
        name_zh="晚熟春橙",
        picture="orange.webp",
        variety="晚熟春橙",
    )
    eggs = builders.product(
        farm,
        name_zh="绿壳土鸡蛋",
        category=Category.EGGS,
        picture="egg.webp",
        unit_name="枚",
        unit_g=50,
    )
    with transaction() as session:
        session.add(BenefitPlan(seller_id=orchard.id, kind="second", basis_points=500))
    field = builders.lot(oranges, 4000, LotMode.IN_FIELD)
    return (
        builders.offer(field, 4900, closes_at=clock.now() + timedelta(days=5)),
        builders.offer(builders.lot(eggs, 600), 180, limit_per_buyer=60),
    )


def seen(page: Page, name: str) -> None:
    """Look at a page as everybody does: with axe, at its width, in a picture."""
    check_axe(page)
    check_width(page)
    shot(page, name, full=True)


def fill_cart(page: Page, sum_text: str) -> None:
    """Search 橙, take one box of it, then eggs from the shelf, ten of them."""
    page.goto("/")
    seen(page, "home")
    search = page.locator("input[name=q]:visible")
    search.fill("橙")
    search.press("Enter")
    expect(page.locator(".product")).to_have_count(1)
    seen(page, "search")
    page.get_by_role("link", name="晚熟春橙").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("晚熟春橙")
    seen(page, "offer")
    page.get_by_role("button", name="加到购物车").click()
    expect(page.get_by_text("加了 1 箱晚熟春橙")).to_be_visible()
    page.goto("/offers")
    page.get_by_role("button", name="加一份绿壳土鸡蛋到购物车").click()
    page.goto("/cart")
    page.get_by_label("绿壳土鸡蛋的数量").fill("10")
    expect(page.get_by_role("link", name=f"去结算 {sum_text}")).to_be_visible()
    expect(page.locator(".seller-head")).to_have_count(2)
    seen(page, "cart")


def check_out(page: Page, sum_text: str) -> None:
    """Go from the cart to the payment's page."""
    page.get_by_role("link", name="去结算").click()
    for label, text in ADDRESS.items():
        page.get_by_label(label, exact=True).fill(text)
    seen(page, "checkout")
    page.get_by_role("button", name=f"去付款 {sum_text}").click()
    expect(page.locator("input[name=method][value=alipay]")).to_be_visible()


def pay(page: Page, method: str, card: str = "") -> None:
    """Pick a method on the provider's page and press its button."""
    page.check(f"input[name=method][value={method}]")
    if card:
        page.check(f"input[name=card][value={card}]")
    page.click("button.pay")
    if method != "card":
        page.click("button[name=answer][value=authorise]")


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_a_consumer_buys_from_two_sellers_and_gives_it_back(
    live: Live, visit: Callable[[str], Page], shape: str
) -> None:
    stocked_shop()
    page = visit(shape)
    fill_cart(page, "¥67.00")
    check_out(page, "¥67.00")
    pay(page, "alipay")
    expect(page.locator(".page-head .tag")).to_have_text("已付款")
    seen(page, "order-paid")

    # The same again with a card that the bank declines, then with one that it takes.
    page.get_by_role("button", name="再买一次").click()
    page.get_by_role("link", name="去结算").click()
    expect(page.get_by_label("收货人")).to_have_value("某人")
    page.get_by_role("button", name="去付款 ¥67.00").click()
    pay(page, "card", "declined")
    page.locator(".back a").click()
    expect(page.get_by_text("没付成。")).to_be_visible()
    seen(page, "order-declined")
    page.get_by_role("link", name="继续付款 ¥67.00").click()
    pay(page, "card", "success")
    expect(page.locator(".page-head .tag")).to_have_text("已付款")

    # It is given back, and the money too.
    page.get_by_role("button", name="取消订单").click()
    page.get_by_role("dialog").get_by_role("button", name="取消订单").click()
    expect(page.locator(".page-head .tag")).to_have_text("已取消")
    live.settle()
    page.reload()
    expect(page.get_by_text("晚熟春橙 1 箱，订单取消了，退了 ¥49.00。")).to_be_visible()
    expect(page.get_by_text("绿壳土鸡蛋 10 枚，订单取消了，退了 ¥18.00。")).to_be_visible()
    seen(page, "order-refunded")
    page.goto("/orders")
    expect(page.locator(".rows > li")).to_have_count(2)
    seen(page, "orders")

    first, second = db.session.scalars(select(Order).order_by(Order.id))
    assert (first.state, second.state) == (OrderState.CONFIRMED, OrderState.CANCELLED)
    refunds = db.session.scalars(select(Refund)).all()
    assert [one.state for one in refunds] == [RefundState.SUCCEEDED] * 2
    assert sum(one.amount_fen for one in refunds) == second.total_fen == 6700
    assert db.session.scalars(select(Lot.promised).order_by(Lot.id)).all() == [1, 10]
    assert_laws_hold()


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_somebody_new_registers_and_finds_the_way_back(
    live: Live, visit: Callable[[str], Page], shape: str
) -> None:
    stocked_shop()
    page = visit(shape)
    page.goto("/me")
    seen(page, "sign-in")
    page.get_by_role("link", name="没有账号，去注册").click()
    seen(page, "register")
    page.get_by_label("怎么称呼你").fill("小店")
    page.get_by_label("登录名").fill("new-one")
    page.get_by_label("密码", exact=True).fill(builders.PASSWORD)
    page.get_by_label("再填一次密码").fill(builders.PASSWORD)
    page.get_by_role("button", name="注册并登录").click()
    expect(page).to_have_url(f"{live.url}/me")
    expect(page.get_by_role("heading", level=1)).to_have_text("小店")
    seen(page, "me")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    seen(page, "me-english")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="退出", exact=True).click()
    expect(page).to_have_url(f"{live.url}/")
    sign_in(page, "new-one")
    expect(page).to_have_url(f"{live.url}/me")


def test_the_page_of_the_api_can_be_read(live: Live, desktop: Page) -> None:
    desktop.goto("/api/docs")
    expect(desktop.get_by_role("heading", level=1)).to_have_text("API")
    shot(desktop, "api-docs")
    desktop.locator("summary", has=desktop.get_by_text("offers", exact=True)).click()
    check_axe(desktop)
    desktop.get_by_role("link", name="ShelfOfferDetailOut").click()
    expect(desktop.locator("#schema-ShelfOfferDetailOut")).to_be_visible()


def test_the_same_way_through_the_api(live: Live) -> None:
    stocked_shop()
    program = Visitor(live.app, live.app.response_class)
    [oranges] = program.get("/api/v1/offers?q=橙").get_json()["items"]
    [eggs] = program.get("/api/v1/offers?category=eggs").get_json()["items"]
    recipient = dict(zip(("name", "phone", "city", "address"), ADDRESS.values(), strict=True))
    order = program.post(
        "/api/v1/orders",
        json={
            "lines": [
                {"offer_id": oranges["id"], "quantity": 1},
                {"offer_id": eggs["id"], "quantity": 10},
            ],
            "recipient": recipient,
            "payment": "stripe",
        },
        headers={"Idempotency-Key": "one"},
    ).get_json()
    assert order["total_fen"] == 6700
    shown = f"/api/v1/orders/{order['number']}"

    assert program.get(order["pay_url"].removeprefix(live.url)).status_code == 303
    session_id = db.session.scalars(select(Payment.session_id)).one()
    assert session_id is not None
    live.sandbox.pay(session_id, "card", "declined")
    live.sandbox.wait_for_webhooks()
    assert program.get(shown).get_json()["state"] == "due"
    live.sandbox.pay(session_id, "alipay")
    live.sandbox.wait_for_webhooks()
    assert program.get(shown).get_json()["state"] == "confirmed"

    program.send(f"/orders/{order['number']}/cancel", idempotency_key="two")
    live.settle()
    ended = program.get(shown).get_json()
    assert ended["state"] == "cancelled"
    assert [one["state"] for one in ended["refunds"]] == ["succeeded"] * 2
    assert sum(one["amount_fen"] for one in ended["refunds"]) == 6700
    assert_laws_hold()
