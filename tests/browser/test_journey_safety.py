"""My account's safety on a phone: where I am signed in, another password, a second factor."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Playwright, expect

from kernel.tokens import issue_token
from tests import builders
from tests.browser.browsing import (
    DESKTOP,
    FLAGS,
    Watch,
    check_axe,
    check_width,
    open_page,
    set_up_factor,
    shot,
    sign_in,
)
from tests.browser.conftest import Live

pytestmark = pytest.mark.browser


def seen(page: Page, name: str) -> None:
    """Look at a page with axe, at its width, in a picture."""
    check_axe(page)
    check_width(page)
    shot(page, f"safety-{name}", full=True)


def test_a_buyer_sees_where_the_account_is_signed_in_and_ends_it(
    live: Live, visit: Callable[[str], Page]
) -> None:
    person = builders.account()
    issue_token(person, label="收银程序")
    phone, computer = visit("phone"), visit("desktop")
    sign_in(computer, person.login)
    sign_in(phone, person.login)
    phone.goto("/me")
    phone.get_by_role("link", name="安全").click()
    expect(phone.get_by_text("收银程序")).to_be_visible()
    seen(phone, "page")
    phone.get_by_role("button", name="退出", exact=True).click()
    expect(phone.get_by_text("那台设备已退出。")).to_be_visible()
    computer.goto("/orders")
    assert computer.get_by_role("link", name="登录").count() > 0
    phone.get_by_role("link", name="设置第二重验证").click()
    seen(phone, "enrol")
    set_up_factor(phone)
    seen(phone, "codes")
    phone.get_by_role("link", name="收好了，继续").click()
    expect(phone.get_by_text("还剩 10 个备用码")).to_be_visible()
    phone.get_by_role("link", name="改密码").click()
    phone.get_by_label("现在的密码").fill(builders.PASSWORD)
    phone.get_by_label("新密码", exact=True).fill("another-password")
    phone.get_by_label("再填一次新密码").fill("another-password")
    seen(phone, "password")
    phone.get_by_role("button", name="改密码").click()
    expect(phone.get_by_text("密码换好了。")).to_be_visible()
    expect(phone.get_by_text("没有程序在用你的账号。")).to_be_visible()


@pytest.fixture
def shared(live: Live, _playwright: Playwright, watch: Watch) -> Iterator[Page]:
    """A page of the whole Chromium, which keeps pages for Back as people's do."""
    browser = _playwright.chromium.launch(
        executable_path=shutil.which("chromium"),
        args=FLAGS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    yield open_page(browser, live.url, DESKTOP, watch)
    browser.close()


def test_back_gives_a_typed_form_back_and_after_signing_out_no_personal_page(
    live: Live, shared: Page
) -> None:
    person = builders.account(name_zh="某位买家")
    sign_in(shared, person.login)
    shared.goto("/me/security/password")
    shared.get_by_label("现在的密码").fill("half typed")
    shared.goto("/me")
    # A page that was kept does not load again, so nothing but its beginning can be waited for.
    shared.go_back(wait_until="commit")
    expect(shared.get_by_label("现在的密码")).to_have_value("half typed")
    shared.goto("/me")
    expect(shared.get_by_role("heading", name=person.name_zh)).to_be_visible()
    shared.get_by_role("button", name="退出", exact=True).click()
    shared.wait_for_url(f"{live.url}/")
    shared.go_back(wait_until="commit")
    expect(shared.get_by_role("link", name="登录").first).to_be_visible()
    expect(shared.get_by_text(person.name_zh)).to_have_count(0)
