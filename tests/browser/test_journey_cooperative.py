"""A cooperative's way: register, be verified by staff, list by form and by Excel, see it sold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from kernel.identity import Role
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, sign_in
from tests.browser.conftest import Live
from tests.sellers.test_imports import RIGHT, workbook
from tests.sellers.test_registration import picture

pytestmark = pytest.mark.browser


def seen(page: Page, name: str) -> None:
    """Look at a page as everybody does: with axe, at its width, in a picture."""
    check_axe(page)
    check_width(page)
    shot(page, f"cooperative-{name}", full=True)


def register(page: Page) -> None:
    """Fill in what a cooperative says about itself, send its licence, and ask to be verified."""
    page.goto("/seller")
    seen(page, "register")
    page.get_by_role("button", name="下一步：上传证书").click()
    expect(page.locator("#county-wrong")).to_be_visible()
    seen(page, "register-wrong")
    for field, text in {
        "name_zh": "黄陵村柑橘合作社",
        "province": "重庆市",
        "city": "重庆市",
        "county": "开州区",
        "village": "黄陵村",
        "contact_phone": "02300000000",
        "households_count": "60",
        "registered_count": "12",
    }.items():
        page.locator(f"#{field}").fill(text)
    page.get_by_role("button", name="下一步：上传证书").click()
    page.wait_for_url("**/seller/certificates")
    page.locator("#number").fill("91500234")
    licence: FilePayload = {
        "name": "执照.png",
        "mimeType": "image/png",
        "buffer": picture().data,
    }
    page.set_input_files("#file", licence)
    page.get_by_role("button", name="上传", exact=True).click()
    expect(page.get_by_text("证书已上传。")).to_be_visible()
    seen(page, "certificates")
    page.get_by_role("button", name="提交审核").click()
    expect(page.get_by_text("平台正在审核。")).to_be_visible()
    seen(page, "desk-submitted")


def verify(page: Page) -> None:
    """Look at the papers as staff, and verify."""
    page.goto("/staff/sellers")
    seen(page, "queue")
    page.get_by_role("link", name="黄陵村柑橘合作社").click()
    seen(page, "dossier")
    page.get_by_role("button", name="通过认证").click()
    page.locator("#ask button[value=yes]").click()
    expect(page.get_by_text("已认证，对方现在可以上架。")).to_be_visible()


def list_by_form(page: Page) -> None:
    """List one kind of orange through the form."""
    page.goto("/seller/offers/new")
    for field, text in {
        "name_zh": "玫瑰香橙",
        "unit_name": "箱",
        "unit_g": "5000",
        "offered": "200",
        "price_fen": "免费",
    }.items():
        page.locator(f"#{field}").fill(text)
    page.get_by_role("button", name="上架到商城").click()
    expect(page.locator("#price_fen-wrong")).to_be_visible()
    seen(page, "list-wrong")
    page.locator("#price_fen").fill("59.50")
    page.get_by_role("button", name="上架到商城").click()
    expect(page.get_by_text("已上架，商城里马上能买到。")).to_be_visible()
    seen(page, "offers")


def upload(page: Page, *rows: dict[str, Any]) -> None:
    """Send a filled-in template."""
    page.goto("/seller/import")
    sheet: FilePayload = {
        "name": "库存.xlsx",
        "mimeType": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "buffer": workbook(*rows),
    }
    page.set_input_files("#file", sheet)
    page.get_by_role("button", name="上传检查").click()
    expect(page.get_by_text("正在读取表格")).to_be_visible()


def list_by_excel(page: Page, live: Live) -> None:
    """List eggs from a spreadsheet: once with a fault, then right."""
    eggs = {**RIGHT, "产品名称": "绿壳土鸡蛋", "分类": "蛋", "销售单位": "枚", "每份重量（克）": 50}
    page.goto("/seller/import")
    seen(page, "import")
    upload(page, eggs, {**eggs, "产品名称": "土鸡蛋", "数量": "许多"})
    live.run_jobs()
    expect(page.get_by_text("有 1 处要改，一行也没有上架。")).to_be_visible()
    seen(page, "import-wrong")
    upload(page, eggs)
    live.run_jobs()
    expect(page.get_by_text("1 行都没有问题。")).to_be_visible()
    seen(page, "import-preview")
    page.get_by_role("button", name="全部上架，1 行").click()
    expect(page.get_by_text("正在上架")).to_be_visible()
    live.run_jobs()
    expect(page.get_by_text("1 行全部上架。")).to_be_visible()
    seen(page, "import-done")


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_a_cooperative_registers_is_verified_and_sells(
    live: Live, visit: Callable[[str], Page], shape: str
) -> None:
    builders.account(login="clerk-to-be", name_zh="合作社经办人")
    builders.account(Role.STAFF, login="staff", name_zh="平台工作人员")
    clerk, staff = visit(shape), visit(shape)
    sign_in(clerk, "clerk-to-be")
    sign_in(staff, "staff")
    register(clerk)
    verify(staff)
    list_by_form(clerk)
    list_by_excel(clerk, live)
    clerk.goto("/seller")
    seen(clerk, "desk")
    for page in ("products", "lots", "households", "households/new"):
        clerk.goto(f"/seller/{page}")
        seen(clerk, page.replace("/", "-"))
    buyer = visit(shape)
    buyer.goto("/offers?q=土鸡蛋")
    expect(buyer.get_by_text("绿壳土鸡蛋").first).to_be_visible()
    buyer.goto("/offers?q=黄陵村")
    expect(buyer.get_by_text("玫瑰香橙").first).to_be_visible()
