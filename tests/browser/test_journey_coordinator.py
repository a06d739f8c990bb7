"""The coordinator's journey, and two colleagues': open, share, join, register, change, close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role
from orders.model import Order, OrderState, PayMode, PurchaseTarget
from tests import builders
from tests.browser.browsing import check_width
from tests.browser.conftest import Live
from tests.orders.fairs import Fair, fair, promised

pytestmark = pytest.mark.browser


def join(page: Page, link: str, number: str, department: str) -> None:
    """Follow the shared link, and say who you are."""
    page.goto(link)
    page.get_by_label("工号").fill(number)
    page.get_by_label("科室").fill(department)
    page.get_by_role("button", name="加入").click()
    expect(page.get_by_text("已经告诉联系人了。")).to_be_visible()


def need(page: Page, at: Fair, eggs: int, ginger: int) -> None:
    """Fill in what is needed, and keep it."""
    page.get_by_role("spinbutton", name="土鸡蛋").fill(str(eggs))
    page.get_by_role("spinbutton", name="天堂姜").fill(str(ginger))
    total = f"¥{(eggs * at.eggs.price_fen + ginger * at.ginger.price_fen) / 100:.2f}"
    expect(page.locator("[data-needs-sum]:visible")).to_have_text(total)
    page.locator("button:visible", has_text="存好我要的").click()
    expect(page.get_by_text("记下了。截单前还可以改。")).to_be_visible()


def open_and_share(page: Page) -> str:
    """Open the unit's group order in the only round, and return the link to share."""
    page.goto("/unit")
    page.get_by_text("各付各的").click()
    page.get_by_role("button", name="开单，拿链接").click()
    return page.get_by_label("链接", exact=True).input_value()


def look(
    page: Page,
    paths: Mapping[str, str],
    check_axe: Callable[[Page], None],
    shot: Callable[..., Path],
) -> None:
    """Visit pages (name → path), hold each against axe and the width, and keep a picture."""
    for name, path in paths.items():
        page.goto(path)
        check_axe(page)
        check_width(page)
        shot(page, name, full=True)


def prepare() -> tuple[Fair, Account]:
    """A round, and a unit with a purchase target whose coordinator has not opened yet."""
    at = fair(PayMode.UNIT, members=0)
    unit = builders.buying_unit(name_zh="某县总工会", staff=20)
    with transaction() as session:
        session.add(
            PurchaseTarget(
                unit_id=unit.id, year=clock.today().year, budget_fen=9_600_000, basis_points=1500
            )
        )
    return at, builders.account(Role.COORDINATOR, unit.organisation)


@pytest.mark.parametrize("shape", ["phone", "desktop"])
def test_a_unit_orders_together(
    shape: str,
    live: Live,
    visit: Callable[[str], Page],
    sign_in: Callable[..., None],
    check_axe: Callable[[Page], None],
    shot: Callable[..., Path],
) -> None:
    at, coordinator = prepare()
    leader = visit(shape)
    sign_in(leader, coordinator.login)
    link = open_and_share(leader)
    check_axe(leader)
    shot(leader, "unit-share", full=True)

    colleagues = []
    for number, department in (("0231", "宣教部"), ("0107", "办公室")):
        colleague, account = visit(shape), builders.account()
        sign_in(colleague, account.login)
        join(colleague, link, number, department)
        colleagues.append(colleague)
    shot(colleagues[0], "join-pending", full=True)
    check_axe(colleagues[0])
    look(leader, {"unit-members": "/unit/members"}, check_axe, shot)
    for _ in colleagues:
        leader.get_by_role("button", name="是同事，加进来").first.click()
        expect(leader.get_by_text("加进来了，可以登记了。")).to_be_visible()

    leader.goto("/unit")
    for colleague in colleagues:
        colleague.goto(link)
    first, second = colleagues
    need(first, at, 60, 2)
    expect(leader.get_by_text("1 人订了 60 个")).to_be_visible()
    need(second, at, 25, 0)
    need(second, at, 30, 5)
    check_axe(second)
    check_width(second)
    shot(second, "needs", full=True)
    expect(leader.get_by_text("3 箱都满了")).to_be_visible()
    expect(leader.get_by_text("宣教部 0231")).to_be_visible()
    check_axe(leader)
    check_width(leader)
    shot(leader, "unit-desk", full=True)

    leader.locator("button:visible", has_text="关单并提交").first.click()
    dialog = leader.get_by_role("dialog")
    expect(dialog).to_contain_text("2 人，合计 ¥198.00")
    dialog.get_by_role("button", name="关单并提交").click()
    expect(leader.get_by_text("已经关单。")).to_be_visible()
    check_axe(leader)
    shot(leader, "unit-closed", full=True)
    first.reload()
    expect(first.get_by_text("关单了，等你付款。")).to_be_visible()
    expect(first.locator("a:visible", has_text="付款 ¥108.00")).to_be_visible()
    check_axe(first)
    shot(first, "needs-due", full=True)

    looked_at = {
        "rounds": "/rounds",
        "round": f"/rounds/{at.round.public_id}",
        "unit-payment": "/unit/payment",
        "unit-history": "/unit/orders",
    }
    look(leader, looked_at, check_axe, shot)
    db.session.expire_all()
    due = select(Order.total_fen).where(Order.state == OrderState.DUE).order_by(Order.total_fen)
    assert db.session.scalars(due).all() == [9000, 10800]
    assert promised(at.eggs) == (90, 90)


def test_staff_plan_a_round_on_pages_that_read_well(
    live: Live,
    desktop: Page,
    sign_in: Callable[..., None],
    check_axe: Callable[[Page], None],
    shot: Callable[..., Path],
) -> None:
    at = fair()
    builders.lot(builders.product(builders.seller()), 40)
    sign_in(desktop, builders.account(Role.STAFF).login)
    looked_at = {
        "staff-rounds": "/staff/rounds",
        "staff-round-new": "/staff/rounds/new",
        "staff-round": f"/staff/rounds/{at.round.public_id}",
    }
    look(desktop, looked_at, check_axe, shot)
    desktop.get_by_label("价格（元）").fill("59.00")
    desktop.get_by_role("button", name="放进这一期").click()
    expect(desktop.get_by_text("放进去了。")).to_be_visible()
