"""The coordinator's journey, and two colleagues': open, register, close, receive short, sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role
from orders.actions.closing import close_due_rounds
from orders.actions.handover import pack, send
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import NoticeItem, Order, OrderState, PayMode, PurchaseTarget, Refund
from tests import builders
from tests.browser.browsing import check_axe, check_width, shot, sign_by_hand
from tests.browser.conftest import Live
from tests.laws import assert_laws_hold
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


def pay(page: Page, link: str, sum_text: str) -> None:
    """Pay one's own order at the provider, and come back to it."""
    page.goto(link)
    page.locator("a:visible", has_text=f"付款 {sum_text}").click()
    page.check("input[name=method][value=alipay]")
    page.click("button.pay")
    page.click("button[name=answer][value=authorise]")
    expect(page.locator(".page-head .tag")).to_have_text("已付款")


def harvest(at: Fair) -> None:
    """The round closes by the clock; a tenth of the eggs is missing, and all of the ginger grew."""
    with clock.frozen(at.closes_at):
        assert close_due_rounds(clock.now()) == 1
    for item in db.session.scalars(select(NoticeItem)).all():
        units = 81 if item.lot_id == at.eggs.lot_id else item.quantity
        enter_yield(item.id, None, Harvested(units), account_id=None)
        allocate(item.id, "pro_rata", account_id=None)


def send_all(at: Fair) -> None:
    """Both sellers pack what was paid, and send it."""
    group_id = db.session.scalars(select(Order.group_order_id).distinct()).one()
    assert group_id is not None
    for offer in (at.eggs, at.ginger):
        send(pack(offer.seller_id, group_id).id, "自己送")


def receive_short(at: Fair, live: Live, leader: Page, colleagues: list[Page], link: str) -> None:
    """Nine tenths arrive: who has paid is refunded, who has not pays less; the leader signs."""
    first, second = colleagues
    pay(first, link, "¥108.00")
    harvest(at)
    live.settle()
    first.goto(link)
    expect(first.get_by_text("土鸡蛋：订了 60 个，分到 54 个，¥9.00")).to_be_visible()
    seen(first, "needs-short")
    first.get_by_role("link", name="看订单").click()
    expect(first.get_by_text("−¥9.00")).to_be_visible()
    seen(first, "order-short")
    pay(second, link, "¥85.50")
    assert_laws_hold()
    send_all(at)
    leader.goto("/unit/arrivals")
    expect(leader.get_by_role("link", name="核对、签收")).to_have_count(2)
    seen(leader, "unit-arrivals")
    for left in (2, 1):
        leader.goto("/unit/arrivals")
        expect(leader.get_by_role("link", name="核对、签收")).to_have_count(left)
        leader.get_by_role("link", name="核对、签收").first.click()
        seen(leader, f"unit-sign-{left}")
        sign_by_hand(leader)
    seen(leader, "unit-signed")
    leader.goto("/unit/purchases")
    expect(leader.locator(".figures div").first).to_contain_text("¥184.50")
    seen(leader, "unit-purchases")
    first.goto(link)
    expect(first.get_by_text("货交到了。")).to_be_visible()
    db.session.rollback()
    db.session.expire_all()
    handed = select(Order.total_fen).where(Order.state == OrderState.HANDED)
    assert sorted(db.session.scalars(handed).all()) == [9000, 10800]
    back = select(Refund.amount_fen).order_by(Refund.amount_fen)
    assert db.session.scalars(back).all() == [450, 900]
    assert_laws_hold()


def seen(page: Page, name: str) -> None:
    """Hold a page against axe and its width, and keep a picture."""
    check_axe(page)
    check_width(page)
    shot(page, name, full=True)


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
    seen(second, "needs")
    expect(leader.get_by_text("3 箱都满了")).to_be_visible()
    expect(leader.get_by_text("宣教部 0231")).to_be_visible()
    seen(leader, "unit-desk")

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
    assert_laws_hold()
    if shape == "phone":
        receive_short(at, live, leader, colleagues, link)


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
