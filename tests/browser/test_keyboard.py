"""Without a mouse: what has focus is seen, is beneath nothing, and is not lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import builders
from tests.browser.browsing import PHONE, Watch, open_page, sign_in
from tests.browser.conftest import Live
from tests.orders.fairs import fair

pytestmark = pytest.mark.browser

SEEN = """(one) => { const style = getComputedStyle(one);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2; }"""
BENEATH = """() => { const bar = document.querySelector('.tabbar, .dock').getBoundingClientRect();
    const one = document.activeElement, box = one.getBoundingClientRect();
    return one.closest('.tabbar, .dock, .skip') ? 0 : Math.round(box.bottom - bar.top); }"""


def walk(page: Page, steps: int) -> list[int]:
    """Press the tab key so often; return how far each stop reached beneath the bar at the foot."""
    reached = []
    for _step in range(steps):
        page.keyboard.press("Tab")
        reached.append(int(page.evaluate(BENEATH)))
    return reached


def test_the_button_that_pays_shows_that_it_has_focus(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    builders.credit_source()
    offer = builders.offer()
    page = open_page(chromium, live.url, PHONE, watch)
    page.goto(f"/checkout?offer={offer.public_id}&quantity=2")
    page.locator("[name=address]").focus()
    for _step in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.btn-buy')"):
            break
    pay = page.locator(".btn-buy:focus")
    expect(pay).to_be_visible()
    assert pay.evaluate(SEEN)
    assert max(walk(page, 6)) <= 0


def test_a_menu_that_escape_closes_gives_its_focus_back(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    at = fair()
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, at.coordinator.login)
    page.goto("/unit")
    menu = page.locator("details.menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(menu.locator("a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu.locator("summary")).to_be_focused()
