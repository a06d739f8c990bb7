"""A phone in English: nothing is wider than it, no figure breaks, photographs fill their stall."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from kernel.db import db, transaction
from kernel.identity import OrganisationKind, Role
from livestream.model import Broadcast
from orders.lifecycle import cancel
from orders.model import Order, PaymentMethod
from orders.payments.actions import confirm_transfer
from orders.placing import Buyer, Credited, place
from sellers.actions import Upload, set_photo, withdraw_offer
from sellers.model import BenefitPlan, LotMode, Offer, Place
from tests import builders
from tests.browser.browsing import PHONE, Watch, check_width, open_page, shot, sign_in
from tests.browser.conftest import Live
from tests.cabinets.cabinet_builders import cabinet, operator
from tests.marketplace.test_storefront import on_air, open_round
from tests.orders.fairs import fair

pytestmark = pytest.mark.browser


def photographed() -> Offer:
    """Eggs with a photograph, of a seller that says where the money goes."""
    seller = builders.seller(name_zh="隘口镇土鸡合作社")
    eggs = builders.product(seller, name_en="Green-shelled free range eggs", unit_name="枚")
    out = io.BytesIO()
    Image.new("RGB", (600, 400), "#b45309").save(out, "PNG")
    set_photo(eggs.id, Upload(out.getvalue(), "eggs.png"), None)
    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller.id, kind="second", basis_points=500))
    return builders.offer(builders.lot(eggs, 178617, LotMode.IN_FIELD), 180)


def broadcast_of(offer: Offer) -> Broadcast:
    """A live broadcast of 1,964 of it, with a host of its own."""
    platform = builders.organisation(OrganisationKind.PLATFORM, "某平台")
    host = builders.account(Role.HOST, platform, login="host-1")
    shown = on_air(builders.offer(offer.lot, 5900, place=Place.BROADCAST, quota=1964))
    with transaction() as session:
        session.get_one(Broadcast, shown.id).host_id = host.id
    return shown


def in_english(page: Page) -> None:
    """Open the home page and choose English at its foot."""
    page.goto("/")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def lines(place: Locator) -> int:
    """How many lines the text of a place is broken into."""
    found: int = place.evaluate(
        """(one) => { const all = document.createRange(); all.selectNodeContents(one);
        return new Set([...all.getClientRects()].map((box) => Math.round(box.bottom))).size; }"""
    )
    return found


def test_a_phone_in_english_holds_every_word_and_figure(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    builders.credit_source()
    offer = photographed()
    shown = broadcast_of(offer)
    open_round(builders.offer(builders.lot(offer.product), 4900, place=Place.ROUND))
    cabinet(operator(), "yb-gov-1-1")
    page = open_page(chromium, live.url, PHONE, watch)
    in_english(page)
    check_width(page)
    shot(page, "home-english")
    for tag in page.locator(".fair .tag").all():
        assert lines(tag) == 1, tag.inner_text()
        assert tag.evaluate("(one) => one.offsetWidth <= one.parentElement.clientWidth")
    page.goto(f"/offers/{offer.public_id}")
    check_width(page)
    shot(page, "offer-english")
    stall, photo = page.locator(".view .stall"), page.locator(".view .stall > img")
    assert photo.bounding_box() == stall.bounding_box()
    for login, path, figure in (
        ("host-1", f"/host/{shown.code}/board", "#board-pin .rest b"),
        ("operator-1", "/operator", ".section-head .note"),
    ):
        page.context.clear_cookies()
        in_english(page)
        sign_in(page, login)
        page.goto(path)
        check_width(page)
        shot(page, f"{login}-english")
        assert lines(page.locator(figure).first) == 1, path
        for table in page.locator(".per-pin .scroll").all():
            assert table.evaluate(
                """(one) => { const [paid, net] = one.querySelectorAll('td');
                paid.textContent = net.textContent = '¥5,837.20';
                return one.scrollWidth <= one.clientWidth; }"""
            ), path


def test_a_phone_in_english_shows_every_amount_of_a_table(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    page = open_page(chromium, live.url, PHONE, watch)
    in_english(page)
    page.goto("/parts")
    table = page.locator(".ledger.stack").first
    table.locator("td.r.money").first.evaluate(
        "(one) => { one.dataset.k = 'By delivery or by shares'; one.textContent = '¥21,000.00'; }"
    )
    hidden = table.evaluate(
        "(one) => one.parentElement.scrollWidth - one.parentElement.clientWidth"
    )
    assert hidden <= 0


@pytest.mark.parametrize("kinds", ["twwr", "twwwrr", "trr", "trrr", "twrrwr", "trrrrr", "twrrr"])
def test_no_figure_of_a_stacked_row_stands_beside_an_empty_half(
    live: Live, chromium: Browser, watch: Watch, kinds: str
) -> None:
    """`t` heads the row, `w` is a cell of words, `r` a figure."""
    page = open_page(chromium, live.url, PHONE, watch)
    page.goto("/parts")
    row = page.locator(".ledger.stack tbody tr").first
    row.evaluate(
        """(row, kinds) => { row.innerHTML = [...kinds].map((kind) => kind === 't'
        ? '<th scope="row">1</th>' : `<td data-k="k" class="${kind}">1</td>`).join(''); }""",
        kinds,
    )
    ends = row.evaluate(
        """(row) => { const ends = {}, end = row.getBoundingClientRect().right;
        for (const one of row.cells) { const box = one.getBoundingClientRect();
          ends[box.top] = Math.max(ends[box.top] || 0, box.right); }
        return Object.values(ends).map((right) => Math.round(end - right)); }"""
    )
    assert set(ends) == {0}, kinds


def test_a_button_that_names_a_unit_is_no_wider_than_a_phone(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    at = fair()
    with transaction() as session:
        unit = session.merge(at.unit.organisation)
        unit.name_en = "Federation of Trade Unions of the Northern Forestry District"
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, at.members[0].login)
    in_english(page)
    page.goto(f"/rounds/{at.round.public_id}")
    expect(page.get_by_role("link", name="Federation").first).to_be_visible()
    check_width(page)


def test_a_share_link_with_a_long_name_is_no_wider_than_a_phone(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    at = fair()
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, at.members[0].login)
    page.goto("/links")
    page.fill("input[name=title_zh]", "A link for the autumn fair of the whole northern district")
    page.click("main form button[type=submit], main form button:not([type])")
    expect(page.locator(".ledger.stack th[scope=row]")).to_be_visible()
    hidden = page.locator(".ledger.stack th[scope=row]").evaluate(
        "(one) => one.scrollWidth - document.documentElement.clientWidth"
    )
    assert hidden <= 0
    check_width(page)


def test_the_number_of_an_order_that_awaits_payment_is_whole_on_a_phone_in_english(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    buyer, oranges = builders.account(), builders.offer()
    credited = builders.credited_to_shop(oranges)
    place(Buyer(buyer.id), {oranges.id: 1}, credited, PaymentMethod.STRIPE)
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, buyer.login)
    in_english(page)
    page.goto("/me")
    row = page.locator("a.row-x")
    expect(row.locator(".tag")).to_have_text("Waiting for payment")
    shot(page, "me-english")
    assert lines(row.locator(".note")) == 1


def test_a_withdrawn_product_of_a_broadcast_stands_beside_its_picture_on_a_phone_in_english(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    mushroom = builders.product(builders.seller(), name_en="Wine-cap mushroom", unit_name="斤")
    shown = broadcast_of(builders.offer(builders.lot(mushroom, 5000)))
    pinned = db.session.scalars(select(Offer).where(Offer.place == Place.BROADCAST)).one()
    withdraw_offer(pinned.id)
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, "host-1")
    in_english(page)
    page.goto(f"/host/{shown.code}")
    line = page.locator(".pin-line")
    expect(line.locator(".tag")).to_have_text("Withdrawn")
    shot(page, "pin-english")
    picture, words = (
        line.locator(".stall").bounding_box(),
        line.locator(".flex-fill").bounding_box(),
    )
    assert picture
    assert words
    assert words["x"] >= picture["x"] + picture["width"]


def test_a_refund_of_something_with_a_long_name_keeps_its_sum_on_one_line(
    live: Live, chromium: Browser, watch: Watch
) -> None:
    credited = builders.credit_source()
    eggs = builders.product(
        builders.seller(), name_en="Green-shelled free range eggs of the upper village"
    )
    offer = builders.offer(builders.lot(eggs), 5900)
    buyer = builders.account(login="buyer-1")
    bought = place(
        Buyer(buyer.id), {offer.id: 20}, {offer.id: Credited(credited.id)}, PaymentMethod.TRANSFER
    )
    confirm_transfer(bought.payment_id or "", builders.account(Role.STAFF).id)
    cancel(db.session.get_one(Order, bought.order_id))
    page = open_page(chromium, live.url, PHONE, watch)
    sign_in(page, "buyer-1")
    in_english(page)
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"/orders/{bought.number}")
        back = page.locator(".pairs dd").filter(has_text="−¥1,180.00")
        assert lines(back) == 1
        check_width(page)
