"""The staff's day: verify a seller, find a transfer, pay a debt, read the channel report."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from kernel.audit import AuditEntry
from kernel.db import db
from kernel.identity import Role
from orders import lifecycle
from orders.model import Order, OrderState, Payment, PaymentState, Refund, RefundState
from sellers import actions
from sellers.model import Seller, SellerKind, SellerState
from tests import builders
from tests.browser.browsing import Watch, check_axe, check_width, set_up_factor, shot, sign_in
from tests.browser.conftest import Live
from tests.laws import assert_laws_hold

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]
ADDRESS = {"收货人": "收货处", "电话": "13800000000", "城市": "韶关市", "详细地址": "某路 1 号"}
SHAPES = pytest.mark.parametrize("shape", ["phone", "desktop"])


def seen(page: Page, name: str) -> None:
    """Look at a page with axe, at its width, in a picture."""
    check_axe(page)
    check_width(page)
    shot(page, f"staff-{name}", full=True)


def paper(words: str) -> bytes:
    """A photograph of something written."""
    out = io.BytesIO()
    image = Image.new("RGB", (480, 320), "#f2f2ea")
    ImageDraw.Draw(image).text((30, 40), words, fill="black")
    image.save(out, "PNG")
    return out.getvalue()


def submitted_seller() -> Seller:
    """A cooperative with a licence that waits to be verified."""
    facts = actions.SellerFacts(
        kind=SellerKind.COOPERATIVE,
        name_zh="黄陵村柑橘合作社",
        province="重庆市",
        city="重庆市",
        county="开州区",
        village="黄陵村",
        contact_phone="02300000000",
        households_count=60,
        registered_count=12,
    )
    seller = actions.register_seller(builders.account().id, facts)
    licence = actions.Upload(paper("LICENCE 91500234"), "licence.png")
    actions.add_certificate(
        seller.id, None, kind=actions.LICENCE, number="91500234", upload=licence
    )
    return actions.submit(seller.id)


def state_of(seller: Seller) -> SellerState:
    """The state as the database has it."""
    db.session.expire_all()
    return db.session.get_one(Seller, seller.id).state


def staff_at(page: Page) -> None:
    """Sign a member of staff in."""
    sign_in(page, builders.account(Role.STAFF).login)


@SHAPES
def test_a_seller_is_returned_with_a_reason_and_verified_the_second_time(
    live: Live, visit: Visit, shape: str
) -> None:
    seller = submitted_seller()
    page = visit(shape)
    staff_at(page)
    page.goto("/staff/sellers")
    seen(page, "sellers")
    page.get_by_role("link", name="黄陵村柑橘合作社").click()
    expect(page.get_by_text("重庆市开州区黄陵村", exact=True)).to_be_visible()
    seen(page, "dossier")
    licence = page.get_by_role("link", name="查看 91500234").get_attribute("href")
    shown = page.request.get(f"{live.url}{licence}")
    assert (shown.status, shown.headers["content-type"]) == (200, "image/webp")
    page.get_by_role("button", name="退回", exact=True).click()
    expect(page.locator("#reason-wrong")).to_be_visible()
    seen(page, "no-reason")
    assert state_of(seller) is SellerState.SUBMITTED
    page.get_by_label("退回原因").fill("执照照片看不清，重新拍一张。")
    page.get_by_role("button", name="退回", exact=True).click()
    expect(page.get_by_text("已退回，原因会显示给对方。")).to_be_visible()
    assert state_of(seller) is SellerState.RETURNED
    actions.submit(seller.id)
    page.goto("/staff/sellers")
    page.get_by_role("link", name="黄陵村柑橘合作社").click()
    page.get_by_role("button", name="通过认证").click()
    page.get_by_role("dialog").get_by_role("button", name="通过认证").click()
    expect(page.get_by_text("已认证，对方现在可以上架。")).to_be_visible()
    assert state_of(seller) is SellerState.VERIFIED
    assert db.session.scalar(select(func.count(AuditEntry.id))) == 2
    assert_laws_hold()


def buy_by_transfer(page: Page, tmp_path: Path) -> str:
    """A guest buys two boxes by transfer and uploads its proof; the identification code."""
    builders.credit_source()
    product = builders.product(builders.seller(), name_zh="晚熟春橙", picture="orange.webp")
    offer = builders.offer(builders.lot(product))
    page.goto(f"/offers/{offer.public_id}")
    page.get_by_role("button", name="加到购物车").click()
    page.goto("/checkout")
    for label, text in ADDRESS.items():
        page.get_by_label(label, exact=True).fill(text)
    page.check("input[name=payment][value=transfer]")
    page.locator("form .btn-buy:visible").last.click()
    page.wait_for_url("**/transfer")
    seen(page, "buyer-transfer")
    code = page.locator(".code-box").inner_text()
    receipt = tmp_path / "receipt.png"
    receipt.write_bytes(paper(f"BANK RECEIPT {code} 59.00"))
    page.set_input_files("input[type=file]", receipt)
    page.get_by_role("button", name="上传回单").click()
    expect(page.get_by_text("回单收到了，在等到账。")).to_be_visible()
    seen(page, "buyer-proof")
    return code


def find_transfer(page: Page, code: str) -> None:
    """Staff look for the code that stands on the bank statement, and confirm the amount."""
    page.goto("/staff/transfers")
    seen(page, "transfers")
    page.get_by_label("银行附言里的识别码").fill(code)
    page.get_by_role("button", name="找这一笔").click()
    page.get_by_role("link", name=code).click()
    picture = page.get_by_role("img", name="付款单位上传的回单")
    picture.scroll_into_view_if_needed()
    expect(picture).not_to_have_js_property("naturalWidth", 0)
    page.get_by_label("到账金额（元）").fill("5.90")
    page.get_by_role("button", name="核对").click()
    # What was typed waits while the second factor is set up, and goes on by itself then.
    expect(page.get_by_role("heading", name="设置第二重验证")).to_be_visible()
    seen(page, "factor")
    set_up_factor(page)
    seen(page, "recovery-codes")
    page.get_by_role("button", name="收好了，继续").click()
    expect(page.get_by_text("到账金额和应付的不一样")).to_be_visible()
    seen(page, "transfer-differs")
    db.session.rollback()
    assert db.session.scalar(select(Payment.state)) is PaymentState.DUE
    page.get_by_label("到账金额（元）").fill("59.00")
    page.get_by_role("button", name="核对").click()
    expect(page.get_by_role("heading", name="再看一眼")).to_be_visible()
    seen(page, "transfer-look")
    page.get_by_role("button", name="确认到账 ¥59.00").click()
    expect(page.get_by_text("记上了。订单已确认")).to_be_visible()


@SHAPES
def test_a_transfer_is_found_confirmed_given_back_and_reported(
    live: Live, visit: Visit, tmp_path: Path, shape: str
) -> None:
    buyer, page = visit(shape), visit(shape)
    code = buy_by_transfer(buyer, tmp_path)
    staff_at(page)
    find_transfer(page, code)
    buyer.reload()
    expect(buyer.get_by_text("到账了。")).to_be_visible()
    buyer.get_by_role("link", name="订单 X").click()
    expect(buyer.locator(".page-head .tag")).to_have_text("已付款")
    page.goto("/report/channels")
    expect(page.locator(".figures .figure").first).to_contain_text("59.00")
    expect(page.get_by_text("与总账一致")).to_be_visible()
    seen(page, "report")
    db.session.rollback()
    order = db.session.scalars(select(Order)).one()
    assert order.state is OrderState.CONFIRMED
    lifecycle.cancel(order)
    page.goto("/staff/refunds")
    seen(page, "refunds")
    page.get_by_label("银行转账流水号").fill("BANK-20261122-7")
    page.get_by_role("button", name="已转账退 ¥59.00").click()
    expect(page.get_by_text("记上了。这一笔不再欠。")).to_be_visible()
    seen(page, "repaid")
    db.session.rollback()
    assert db.session.scalar(select(Refund.state)) is RefundState.REPAID
    buyer.reload()
    expect(buyer.get_by_text("转账退了 ¥59.00。")).to_be_visible()
    seen(buyer, "buyer-repaid")
    assert_laws_hold()


@SHAPES
def test_while_stripe_is_away_the_buyer_is_told_and_tries_again(
    live: Live, visit: Visit, watch: Watch, shape: str
) -> None:
    builders.credit_source()
    offer = builders.offer()
    page = visit(shape)
    page.goto(f"/offers/{offer.public_id}")
    page.get_by_role("button", name="加到购物车").click()
    page.goto("/checkout")
    for label, text in ADDRESS.items():
        page.get_by_label(label, exact=True).fill(text)
    live.sandbox.fail_next(path="/v1/checkout/sessions", status=429)
    page.locator("form .btn-buy:visible").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("还没有付")
    seen(page, "stripe-away")
    # The answer was 503, as it should be; nothing else may have gone wrong.
    [told] = watch.faults
    assert told.startswith("503 GET")
    watch.faults.clear()
    page.get_by_role("link", name="再试一次").click()
    expect(page.locator("input[name=method]").first).to_be_visible()
