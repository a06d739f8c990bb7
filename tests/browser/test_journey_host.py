"""A host's way: plan, pin, go live, sell through the link, watch the board move."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from kernel import clock
from kernel.identity import OrganisationKind, Role
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, sign_in
from tests.browser.conftest import Live

pytestmark = pytest.mark.browser


def plan_and_pin(page: Page) -> str:
    """Plan a broadcast, pin the oranges at 59 yuan, and return its public address."""
    page.goto("/host")
    shot(page, "host-desk")
    page.get_by_role("link", name="新建一场").first.click()
    page.get_by_label("名称", exact=True).fill("春橙直播")
    begin = clock.local(clock.now())
    page.get_by_label("计划开始").fill(begin.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("计划结束").fill((begin + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"))
    check_axe(page)
    shot(page, "host-plan", full=True)
    page.get_by_role("button", name="下一步：挑要卖的货").click()
    page.get_by_label("卖哪一批").select_option(index=0)
    page.get_by_label("直播价（元）").fill("59")
    page.get_by_label("这一场卖多少").fill("20")
    page.get_by_role("button", name="加进这一场").click()
    expect(page.get_by_text("加上了。")).to_be_visible()
    shot(page, "host-manage", full=True)
    check_axe(page)
    check_width(page)
    return page.locator("aside a[href^='/live/']").inner_text()


def buy(page: Page, address: str) -> None:
    """Come through the link, buy one at the broadcast's price, and pay by Alipay."""
    page.goto(address)
    shot(page, "live-show", full=True)
    check_axe(page)
    page.get_by_role("button", name="按直播价买").click()
    page.get_by_label("收货人").fill("某人")
    page.get_by_label("电话").fill("13800000000")
    page.get_by_label("城市").fill("重庆市")
    page.get_by_label("详细地址").fill("某路 1 号")
    page.get_by_role("button", name=re.compile("去付款|提交")).last.click()
    page.get_by_label("支付宝").check()
    page.get_by_role("button", name=re.compile("^支付")).click()
    page.get_by_role("button", name="授权付款").click()
    page.wait_for_url("**/orders/**")


def test_a_host_plans_goes_live_sells_and_sees_the_board_move(
    live: Live, visit: Callable[[str], Page]
) -> None:
    builders.credit_source()
    host = builders.account(
        Role.HOST, builders.organisation(OrganisationKind.PLATFORM, "某平台"), name_zh="主播"
    )
    seller = builders.seller(name_zh="某村合作社", village="黄陵村")
    lot = builders.lot(builders.product(seller, picture="orange.webp"), offered=100)
    builders.offer(lot, 6900, broadcast_floor_fen=5900)
    stage = visit("desktop")
    sign_in(stage, host.login)
    address = plan_and_pin(stage)
    stage.get_by_role("button", name="开播").first.click()
    figure = stage.locator("#board-money .big")
    expect(figure).to_have_text(re.compile(r"¥\s*0\.00"))
    buy(visit("phone"), address)
    live.settle()
    expect(figure).to_have_text(re.compile(r"¥\s*59\.00"), timeout=10_000)
    expect(stage.locator("#board-counts")).to_contain_text("1")
    shot(stage, "board")
    check_axe(stage)
    hand = visit("phone")
    sign_in(hand, host.login)
    hand.goto("/host")
    hand.get_by_role("link", name=re.compile("春橙直播")).click()
    hand.get_by_role("link", name="打开看板").click()
    expect(hand.locator("#board-money .big")).to_have_text(re.compile(r"59\.00"))
    check_axe(hand)
    check_width(hand)
    shot(hand, "board", full=True)
    hand.get_by_role("button", name="结束直播").click()
    hand.get_by_role("dialog").get_by_role("button", name="结束直播").click()
    expect(hand.get_by_text("这一场结束了。", exact=False).first).to_be_visible()
