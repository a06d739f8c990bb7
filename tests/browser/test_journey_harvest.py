"""From the harvest notice to money in a household's hand, by hand in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from kernel.db import db, transaction
from kernel.identity import Role
from kernel.ledger import AccountKind, balance
from orders import books
from orders.model import HouseholdQuota, OrderLine, Refund
from sellers.model import Category, Product
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, show_factor, sign_in
from tests.browser.conftest import Live
from tests.laws import assert_laws_hold
from tests.orders.harvest_builders import PRICE_FEN, Closed, closed_round

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


def look(page: Page, name: str) -> None:
    """Check a page and keep its picture."""
    check_axe(page)
    check_width(page)
    shot(page, f"harvest-{name}", full=True)


def key_in(page: Page, figure: str) -> None:
    """Press the household's own keys."""
    for key in figure:
        page.click(f'[data-pad] button[data-key="{key}"]')


def clear(page: Page) -> None:
    """Take every digit back."""
    while page.input_value("#figure"):
        page.click('[data-pad] button[data-key="del"]')


def test_a_cooperative_harvests_ten_percent_short_and_sees_the_money(
    live: Live, visit: Visit
) -> None:
    closed = closed_round(60, 60)
    clerk, steward, coordinator = visit("desktop"), visit("phone"), visit("phone")
    staff, second = visit("desktop"), visit("phone")
    boss, colleague = builders.account(Role.STAFF), builders.account(Role.STAFF)
    sign_in(clerk, closed.clerk.login)
    _split(clerk)
    sign_in(steward, closed.steward.login)
    _answer_and_enter(steward, closed)
    _allocate(clerk)
    db.session.expire_all()
    assert db.session.scalars(select(OrderLine.allocated)).all() == [54, 54]
    assert db.session.scalar(select(func.sum(Refund.amount_fen))) == 12 * PRICE_FEN
    _pack_and_send(clerk, live)
    sign_in(coordinator, closed.coordinator.login)
    _sign(coordinator)
    for page, person in ((staff, boss), (second, colleague)):
        sign_in(page, person.login)
        show_factor(person.id)
    _settle(staff, second)
    _see_the_money(clerk)
    assert balance(books.BOOK, AccountKind.HOUSEHOLD_PAYABLE).fen == 0
    assert balance(books.BOOK, AccountKind.BUYER_PREPAID).fen == 0
    assert_laws_hold()


def _split(clerk: Page) -> None:
    clerk.goto("/seller/harvest")
    look(clerk, "notices")
    clerk.click("main >> text=打开")
    look(clerk, "split")
    clerk.fill("form[action$='/split'] input[name^=units] >> nth=0", "1")
    clerk.click("text=分给 3 户")
    clerk.wait_for_selector(".says-wrong")
    clerk.fill("form[action$='/split'] input[name^=units] >> nth=0", "60")
    clerk.click("text=分给 3 户")
    clerk.wait_for_selector("text=还没回复")


def _answer_and_enter(steward: Page, closed: Closed) -> None:
    steward.goto("/field")
    look(steward, "tasks")
    quotas = db.session.scalars(select(HouseholdQuota).order_by(HouseholdQuota.id)).all()
    for number, units in enumerate(("48", "40", "20")):
        steward.goto("/field")
        household = closed.households[number].number
        steward.click(f"text={household} 号农户")
        if number == 0:
            look(steward, "offered")
        steward.click("text=接，我来采")
        if number == 0:
            key_in(steward, "480")
            steward.wait_for_selector("#say >> text=看看数字对不对")
            steward.click("text=就是这么多")
            steward.wait_for_selector("text=没有错，就是这么多")
            look(steward, "mistyped")
            clear(steward)
        key_in(steward, units)
        if number == 0:
            steward.wait_for_selector("#say >> text=大约到手")
            shot(steward, "harvest-field")
            box = steward.locator("main form button.btn-leaf").bounding_box()
            assert box is not None
            # One screen: what is done next needs no scrolling.
            assert box["y"] + box["height"] <= 844
            check_axe(steward)
        steward.click("main form button.btn-leaf")
        steward.wait_for_selector(".task >> text=已交货")
    assert len(quotas) == 3


def _allocate(clerk: Page) -> None:
    clerk.reload()
    look(clerk, "preview")
    clerk.click("text=分配 108 箱")
    clerk.click("#ask button[value=yes]")
    clerk.wait_for_selector("text=已经分配，不能再改")
    look(clerk, "allocated")


def _pack_and_send(clerk: Page, live: Live) -> None:
    clerk.click("text=去装货")
    look(clerk, "to-pack")
    clerk.click("text=装好")
    clerk.wait_for_selector("text=发出了")
    look(clerk, "packed")
    clerk.click("main a:has-text('装箱单')")
    look(clerk, "packing-list")
    clerk.click("text=做 PDF")
    clerk.wait_for_selector("text=排着队")
    look(clerk, "pdf-waits")
    live.run_jobs()
    # The page finds out by itself.
    clerk.wait_for_selector("text=PDF 做好了")
    look(clerk, "pdf-made")
    with clerk.expect_download() as waiting:
        clerk.click("text=下载 PDF")
    assert waiting.value.path().read_bytes().startswith(b"%PDF-")
    clerk.goto("/seller/consignments")
    clerk.click("text=发出了")
    clerk.wait_for_selector("text=在路上")


def _sign(coordinator: Page) -> None:
    coordinator.goto("/unit/arrivals")
    look(coordinator, "arrivals")
    coordinator.click("text=核对、签收")
    coordinator.wait_for_selector("text=这次收成少一点")
    coordinator.click("button:has-text('签收')")
    coordinator.wait_for_selector("text=用手指在框里签上名字", state="attached")
    box = coordinator.locator("canvas").bounding_box()
    assert box is not None
    coordinator.mouse.move(box["x"] + 20, box["y"] + 20)
    coordinator.mouse.down()
    for step in range(1, 9):
        down = 20 + (step % 2) * 50
        coordinator.mouse.move(box["x"] + 20 + step * 30, box["y"] + down)
    coordinator.mouse.up()
    look(coordinator, "sign")
    coordinator.click("button:has-text('签收')")
    coordinator.wait_for_selector("svg.signature")
    look(coordinator, "signed")


def _settle(staff: Page, second: Page) -> None:
    staff.goto("/staff/settlements")
    look(staff, "settle")
    staff.click("main button:has-text('结算')")
    staff.fill("input[name=reference]", "BANK-20261122-01")
    staff.fill("input[name=reason]", "签收单齐了，账号核对过")
    look(staff, "payout")
    staff.click("main button:has-text('提交打款')")
    staff.wait_for_selector("text=等另一位同事批准")
    assert staff.locator("button:has-text('批准打款')").count() == 0
    look(staff, "payout-waits")
    second.goto("/staff/settlements")
    second.wait_for_selector("text=签收单齐了，账号核对过")
    look(second, "payout-approve")
    second.click("main button:has-text('批准打款')")
    # Nothing else waits, so what was paid stands open.
    second.wait_for_selector("text=流水号 BANK-20261122-01")
    look(second, "payout-done")


def _see_the_money(clerk: Page) -> None:
    clerk.goto("/seller/money")
    clerk.wait_for_selector("text=已打款")
    look(clerk, "money")


def test_a_household_with_only_its_link_answers_and_weighs_in_jin(live: Live, visit: Visit) -> None:
    closed = closed_round(120)
    _by_the_jin(closed)
    clerk, household = visit("phone"), visit("phone")
    sign_in(clerk, closed.clerk.login)
    clerk.goto("/seller/harvest")
    clerk.click("main >> text=打开")
    clerk.click("text=分给 3 户")
    clerk.wait_for_selector("text=还没回复")
    # What waits for the households stands open, the rest is folded.
    expect(clerk.locator("details.sheet[open] > summary")).to_contain_text("3 户还没回复")
    look(clerk, "notice")
    link = clerk.locator("text=他的页面").first.get_attribute("href")
    assert link is not None
    household.goto(link)
    household.click("text=接，我来采")
    key_in(household, "58.5")
    household.wait_for_selector("#say >> text=可以交")
    shot(household, "harvest-field-jin")
    check_axe(household)
    check_width(household)
    household.click("text=就是这么多")
    household.wait_for_selector(".task >> text=已交货")
    desktop = visit("desktop")
    sign_in(desktop, closed.steward.login)
    desktop.goto(link)
    look(desktop, "field")


def _by_the_jin(closed: Closed) -> None:
    with transaction() as session:
        product = session.get_one(Product, closed.lot.product_id)
        product.name_zh, product.unit_name, product.unit_g = "马蹄", "斤", 500
        product.picture, product.category = "chestnut.webp", Category.VEGETABLE
