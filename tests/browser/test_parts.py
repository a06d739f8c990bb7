"""Every component, through the macros that the pages use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browsing import check_axe, check_width, shot

pytestmark = [pytest.mark.browser]

PAGES = ("/parts", "/parts/work", "/parts/household", "/parts/board")


@pytest.mark.parametrize("shape", ["phone", "desktop"])
@pytest.mark.parametrize("path", PAGES)
def test_every_part_is_sound(visit: Callable[[str], Page], shape: str, path: str) -> None:
    page = visit(shape)
    page.goto(path, wait_until="networkidle")
    check_axe(page)
    check_width(page)
    for width in (320, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        check_width(page)
    page.set_viewport_size({"width": 390 if shape == "phone" else 1280, "height": 900})
    shot(page, path.strip("/").replace("/", "-"), full=True)


@pytest.mark.parametrize("path", PAGES)
def test_whoever_goes_by_keyboard_sees_where_they_are(phone: Page, path: str) -> None:
    phone.goto(path)
    unseen, hidden = [], []
    # A date has a stop for each of its parts, so as many stops as things is never too few.
    for _stop in range(120):
        phone.keyboard.press("Tab")
        found = phone.evaluate(
            """() => { const one = document.activeElement, box = one.getBoundingClientRect();
            if (one === document.body) return null;
            const around = [one, one.closest('.search, .drop, .choice')].filter((it) => it);
            const marked = around.some((it) => { const look = getComputedStyle(it);
              return parseFloat(look.outlineWidth) > 0 && look.outlineStyle !== 'none'
                || look.boxShadow !== 'none' && it === one || it.matches('.search'); });
            const dock = document.querySelector('.dock:not(:has(:focus))');
            const top = dock ? dock.getBoundingClientRect().top : innerHeight;
            return {name: one.outerHTML.slice(0, 120), marked, under: box.bottom > top + 1}; }"""
        )
        if found is None:
            break
        if not found["marked"]:
            unseen.append(found["name"])
        if found["under"]:
            hidden.append(found["name"])
    assert (unseen, hidden) == ([], [])


def test_a_quantity_stops_at_its_limit_and_says_why(visit: Callable[[str], Page]) -> None:
    page = visit("phone")
    page.goto("/parts")
    stepper = page.locator("[data-stepper]")
    quantity, more = stepper.locator("input"), stepper.locator('[data-step="1"]')
    more.click()
    expect(quantity).to_have_value("3")
    expect(more).to_be_disabled()
    expect(stepper.locator("[data-said]")).to_have_text("每人最多 3 箱")
    stepper.locator('[data-step="-1"]').click()
    expect(quantity).to_have_value("2")
    expect(more).to_be_enabled()
    expect(stepper.locator("[data-said]")).to_have_text("")


def test_what_cannot_be_taken_back_is_asked_about_first(visit: Callable[[str], Page]) -> None:
    page = visit("phone")
    page.goto("/parts")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_role("button", name="关单").click()
    dialog = page.get_by_role("dialog", name="现在关单？")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="先不").click()
    expect(dialog).to_be_hidden()
    assert "POST" not in sent
    page.get_by_role("button", name="关单").click()
    with page.expect_request(lambda request: request.method == "POST"):
        dialog.get_by_role("button", name="关单").click()


def test_a_household_weighs_with_its_own_keys(visit: Callable[[str], Page]) -> None:
    page = visit("phone")
    page.goto("/parts/household")
    said = page.locator("#say")
    expect(said).to_contain_text("比任务少 1.5，可以交。")
    expect(said).to_contain_text("大约到手 ¥426.60")
    page.get_by_role("button", name="删一位").click()
    page.get_by_role("button", name="删一位").click()
    page.get_by_role("button", name="5").click()
    expect(page.locator("#shown")).to_have_text("1185")
    expect(said).to_contain_text("任务是 120。看看数字对不对？")
    expect(page.locator("#harvested_jin")).to_have_value("1185")


def test_the_time_left_is_counted_by_the_clock_of_the_server(visit: Callable[[str], Page]) -> None:
    page = visit("phone")
    # A visitor's own clock may be wrong by days; the count must not be.
    page.clock.install(time="2020-01-01T00:00:00Z")
    page.goto("/parts")
    closing = page.locator("[data-until]").nth(1)
    expect(closing).to_contain_text("41 分")
    page.clock.run_for(120_000)
    expect(closing).to_contain_text("39 分")
    expect(page.locator("[data-until]").nth(2)).to_have_text("已截止")


def test_an_address_that_leads_nowhere_offers_a_way_on(visit: Callable[[str], Page]) -> None:
    page = visit("phone")
    answer = page.goto("/no-such-page")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="没有这一页")).to_be_visible()
    check_axe(page)
    page.get_by_role("link", name="回首页").click()
    page.wait_for_url("**/")
