"""Eyes and hands in Chromium: pages that notice faults, sign-in, axe, screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Response, expect
from sqlalchemy import update

from kernel import clock, factor
from kernel.db import transaction
from kernel.web_sessions import WebSession
from tests.builders import PASSWORD

ROOT = Path(__file__).resolve().parent.parent.parent
SHOTS = ROOT / "var" / "shots"
# The shell draws and asks as Chromium does, for three quarters of the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 900}}
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
# The shapes of a page's answer: a refused form is one, a missing picture is not.
_PAGES = frozenset({"document", "xhr", "fetch"})


@dataclass
class Watch:
    """What went wrong on the pages of one test: errors, policy violations, faults."""

    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Listen to `page` from now on."""
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # An answer of 4xx or 5xx is judged by `_response`, which knows what asked for it.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def _error(self, error: Error) -> None:
        self.faults.append(f"script: {error}")

    def _response(self, response: Response) -> None:
        missing = response.status >= 400 and response.request.resource_type not in _PAGES
        if response.status >= 500 or missing:
            self.faults.append(f"{response.status} {response.request.method} {response.url}")


def open_page(browser: Browser, base_url: str, shape: Mapping[str, Any], watch: Watch) -> Page:
    """Open a page of its own (own cookies) that reads Chinese, and watch it."""
    context = browser.new_context(
        base_url=base_url,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
        **shape,
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    watch.over(page)
    return page


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Sign in through the page, and wait until that has led elsewhere."""
    page.goto("/sign-in")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", password)
    page.click("main form button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def set_up_factor(page: Page, password: str = PASSWORD) -> None:
    """On the page that asks for a second factor, set one up with the secret it shows."""
    secret = page.locator("main code").inner_text().replace(" ", "")
    page.fill("input[name=second_factor]", factor.code_now(secret))
    page.fill("input[name=present_password]", password)
    page.get_by_role("button", name="设置好了").click()
    expect(page.get_by_role("heading", name="备用码")).to_be_visible()


def show_factor(account_id: int) -> None:
    """Let every session of an account have shown its second factor just now."""
    with transaction() as session:
        session.execute(
            update(WebSession)
            .where(WebSession.account_id == account_id)
            .values(factor_at=clock.now())
        )


def check_axe(page: Page) -> None:
    """Fail on anything serious or critical that axe finds on `page`."""
    chromium = page.context.new_cdp_session(page)
    # Past Playwright, which reads half a megabyte of script twice before it sends it.
    chromium.send("Runtime.evaluate", {"expression": AXE_SCRIPT})
    chromium.detach()
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then((all) => all.violations)")
    grave = [
        f"{one['id']} ({one['impact']}): {one['help']} at {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert not grave, f"{page.url}: {grave}"


def check_width(page: Page) -> None:
    """Fail if `page` scrolls sideways once it is drawn; it has a hundred frames for that."""
    # A phone's own innerWidth grows with a page that is too wide.
    assert page.viewport_size is not None
    width, wide = page.viewport_size["width"], 1
    for _frame in range(100):
        wide = page.evaluate("document.documentElement.scrollWidth") - width
        if wide <= 0:
            return
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => drawn(null)))")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


def sign_by_hand(page: Page) -> None:
    """Draw a signature into the only box for it, and hand it in."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + 20 + step * 30, box["y"] + 20 + (step % 2) * 50)
    page.mouse.up()
    page.click("button:has-text('签收')")
    page.wait_for_selector("svg.signature")


def shot(page: Page, name: str, *, full: bool = False) -> Path:
    """Keep a picture of `page` as var/shots/<name>-<width>.jpeg and return its path."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    width = (page.viewport_size or {"width": 0})["width"]
    path = SHOTS / f"{name}-{'phone' if width < 600 else 'desktop'}.jpeg"
    page.screenshot(path=path, full_page=full, type="jpeg", quality=80)
    return path
