"""An operator's way: restock on a phone; the device sells, repeats itself and sends disorder."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cabinets.actions.trips import TripLine
from cabinets.actions.trips import restock as move
from cabinets.cli import simulate
from cabinets.model import Cabinet
from kernel.access import Viewer
from sellers.model import Category, Lot
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, sign_in
from tests.browser.conftest import Live
from tests.cabinets.cabinet_builders import (
    cabinet,
    operator,
    sale_event,
    signed_body,
)
from tests.laws import assert_laws_hold

pytestmark = pytest.mark.browser


def goods(name_zh: str, picture: str, category: Category, unit_name: str, unit_g: int) -> Lot:
    """A lot in hand of a cooperative with a village."""
    seller = builders.seller(name_zh=f"{name_zh}合作社", township="大盛镇", village="青龙村")
    product = builders.product(
        seller,
        name_zh=name_zh,
        picture=picture,
        category=category,
        unit_name=unit_name,
        unit_g=unit_g,
    )
    return builders.lot(product, 200)


def report(live: Live, made: Cabinet, *events: dict[str, Any]) -> dict[str, Any]:
    """Send what the device of a cabinet signs; return the answer."""
    sent = signed_body(made.device_key, *events)
    request = urllib.request.Request(
        f"{live.url}/api/v1/cabinets/{made.code}/events", sent["data"], sent["headers"]
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


def stock_of(page: Page, slot: int) -> str:
    """What the page says a slot should hold."""
    return page.locator(f"[data-slot='{slot}'] .figure-line b").inner_text()


def look(page: Page, name: str) -> None:
    """Keep a picture, and fail on what nobody could use."""
    shot(page, f"operator-{name}", full=True)
    check_axe(page)
    check_width(page)


def restock(page: Page, oranges: Lot, eggs: Lot) -> None:
    """Choose what two empty slots sell and put units in, all in one save."""
    page.get_by_role("link", name="补货").first.click()
    page.get_by_role("link", name="某机关大楼").first.click()
    look(page, "trip-empty")
    for slot, lot, price, presses in ((1, oranges, "12.80", 5), (2, eggs, "1.50", 3)):
        row = page.locator(".sheet", has=page.locator(f"#name-{slot}"))
        row.get_by_label("哪一批").select_option(lot.public_id)
        row.get_by_label("柜里卖多少钱").fill(price)
        for _ in range(presses):
            row.get_by_role("button", name="多一份").click()
    shot(page, "operator-trip-filled", full=True)
    page.locator("button:visible", has_text="存这一趟").click()
    expect(page.get_by_text("补好了")).to_be_visible()
    assert (stock_of(page, 1), stock_of(page, 2)) == ("5", "3")


def sell(live: Live, made: Cabinet) -> None:
    """The device sells three, then repeats and disorders everything it said."""
    said = report(live, made, sale_event(3, 1, 1), sale_event(1, 2, 1), sale_event(2, 1, 2))
    assert said["accepted"] == [1, 2, 3]
    for events in (
        [sale_event(2, 1, 2), sale_event(3, 1, 1)],
        [sale_event(1, 2, 1), sale_event(1, 2, 1)],
        [sale_event(3, 1, 1), sale_event(2, 1, 2), sale_event(1, 2, 1)],
    ):
        said = report(live, made, *events)
        assert (said["accepted"], said["conflicting"], said["missing"]) == ([], [], [])


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_an_operator_restocks_and_the_device_sells(
    live: Live, visit: Callable[[str], Page], shape: str
) -> None:
    who: Viewer = operator()
    made = cabinet(who, "yb-gov-1-1", slots=4, capacity=8)
    oranges = goods("开县春橙", "orange.webp", Category.FRUIT, "斤", 500)
    eggs = goods("绿壳土鸡蛋", "egg.webp", Category.EGGS, "枚", 50)
    page = visit(shape)
    sign_in(page, "operator-1")
    page.goto("/operator")
    look(page, "desk-new")
    restock(page, oranges, eggs)
    expect(page.get_by_text("2 个货道还没选货。")).to_be_visible()
    look(page, "restocked")
    sell(live, made)
    page.reload()
    assert (stock_of(page, 1), stock_of(page, 2)) == ("2", "2")
    report(
        live, made, sale_event(4, 3, 1), sale_event(9, 1, 7), {"sequence": 10, "kind": "heartbeat"}
    )
    page.reload()
    assert stock_of(page, 1) == "−1"
    look(page, "differences")
    explanation = page.locator(".difference", has_text="卖出的比应有的多")
    explanation.get_by_label("说明").fill("补货时少记了一份")
    explanation.get_by_role("button", name="记下").click()
    expect(page.get_by_text("补货时少记了一份")).to_be_visible()
    page.goto(f"/operator/cabinets/{made.code}/count")
    look(page, "count")
    page.get_by_label("为什么不一样").first.select_option("miscount")
    page.locator("button:visible", has_text="存盘点").click()
    expect(page.get_by_text("盘点记下了")).to_be_visible()
    assert stock_of(page, 1) == "0"
    page.goto(f"/operator/cabinets/{made.code}/return")
    look(page, "return")
    page.goto("/operator")
    look(page, "desk")
    page.goto("/operator/restock")
    look(page, "to-restock")
    for path, name in (
        ("/operator/sites/new", "new-site"),
        ("/operator/sites/yb-gov-1-1-site/cabinets/new", "new-cabinet"),
    ):
        page.goto(path)
        look(page, name)
    assert_laws_hold()


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_a_passer_by_reads_a_cabinet_and_the_simulator_empties_it(
    live: Live, visit: Callable[[str], Page], shape: str
) -> None:
    who = operator()
    made = cabinet(who, "yb-gov-1-1", slots=4, capacity=8)
    lots = (
        goods("开县春橙", "orange.webp", Category.FRUIT, "斤", 500),
        goods("绿壳土鸡蛋", "egg.webp", Category.EGGS, "枚", 50),
        goods("城口山地鸡", "chicken.webp", Category.POULTRY, "只", 1500),
    )
    move(who, made.code, [TripLine(n, 2, one.public_id, 1280) for n, one in enumerate(lots, 1)])
    page = visit(shape)
    page.goto("/cabinets")
    look(page, "public-list")
    page.get_by_role("link", name="柜子 yb-gov-1-1").click()
    expect(page.get_by_text("还有 2 斤")).to_be_visible()
    look(page, "public-cabinet")
    runner = live.app.test_cli_runner()
    said = runner.invoke(
        simulate,
        [made.code, "--url", live.url, "--sales", "6", "--shuffle", "--repeat"],
        obj=None,
    ).output
    first, second = said.strip().splitlines()
    told = list(range(1, 3 + 6 + 1))  # that three slots were filled, and six sales
    assert sorted(json.loads(first.removeprefix("200 "))["accepted"]) == told
    assert sorted(json.loads(second.removeprefix("200 "))["repeated"]) == told
    assert_laws_hold()
    page.reload()
    look(page, "public-after")
