"""Pages of a seller's clerk and of staff."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from kernel import clock, web_sessions
from kernel.access import viewer_of
from kernel.db import db
from kernel.identity import Account, Role
from livestream import actions as live
from livestream.model import Broadcast, BroadcastKind
from sellers.actions import set_photo
from sellers.model import (
    Household,
    Lot,
    LotMode,
    Offer,
    Place,
    Product,
    Seller,
    SellerState,
)
from tests import builders
from tests.conftest import FreshClient
from tests.sellers.test_registration import picture


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def signed_in(app: Flask, account: Account) -> FlaskClient:
    """A browser in which `account` is signed in."""
    client = FreshClient(app, app.response_class, use_cookies=True)
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "zh-CN"
    with client.session_transaction() as session:
        session["_user_id"] = web_sessions.start(account, "")
        session["_fresh"] = True
    return client


def clerk_of(seller: Seller) -> Account:
    """A clerk of `seller`."""
    return builders.account(Role.CLERK, seller.organisation)


def send(client: FlaskClient, page: str, to: str | None = None, **values: Any) -> TestResponse:
    """Open `page` and send its form with `values`, following redirects."""
    shown = client.get(page).get_data(as_text=True)
    tokens = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown))
    return client.post(to or page, data={**tokens, **values}, follow_redirects=True)


STOCK = {
    "name_zh": "玫瑰香橙",
    "category": "fruit",
    "unit_name": "箱",
    "unit_g": "5000",
    "mode": "in_hand",
    "offered": "200",
    "price_fen": "59.50",
}


def pin(host: Account, lot: str, price_fen: int) -> Broadcast:
    """A broadcast of `host` in which a lot is pinned."""
    viewer, at = viewer_of(db.session.get_one(Account, host.id), ""), clock.now()
    plan = live.Plan("春橙专场", "", BroadcastKind.LIVESTREAM, "", "", at, at + timedelta(hours=2))
    made = live.plan_broadcast(viewer, plan)
    live.pin_offer(viewer, made.code, live.Pin(lot, price_fen, 10))
    return made


CLERK_PAGES = [
    "/seller",
    "/seller/profile",
    "/seller/certificates",
    "/seller/products",
    "/seller/products/new",
    "/seller/lots",
    "/seller/offers",
    "/seller/offers/new",
    "/seller/import",
    "/seller/households",
    "/seller/households/new",
    "/seller/plan",
]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("state", list(SellerState))
def test_every_page_opens_for_a_seller_with_nothing_yet(
    app: Flask, state: SellerState, language: str
) -> None:
    client = signed_in(app, clerk_of(builders.seller(state)))
    for page in CLERK_PAGES:
        assert client.get(page, headers={"Accept-Language": language}).status_code == 200, page


def test_an_account_without_a_seller_is_led_to_registration_and_becomes_its_clerk(
    app: Flask,
) -> None:
    client = signed_in(app, builders.account())
    assert client.get("/seller").headers["Location"] == "/seller/register"
    wrong = send(client, "/seller/register", kind="cooperative", name_zh="某村合作社")
    assert wrong.status_code == 422
    assert 'aria-describedby="province-wrong"' in wrong.get_data(as_text=True)
    facts = {
        "province": "重庆市",
        "city": "重庆市",
        "county": "开州区",
        "contact_phone": "02300000000",
    }
    nameless = send(client, "/seller/register", kind="cooperative", name_zh="  ", **facts)
    assert nameless.status_code == 422
    assert 'aria-describedby="name_zh-wrong"' in nameless.get_data(as_text=True)
    assert db.session.scalar(select(func.count()).select_from(Seller)) == 0
    named = {"kind": "cooperative", "name_zh": "某村合作社", **facts}
    mistyped = send(client, "/seller/register", **{**named, "contact_phone": "138"})
    assert (mistyped.status_code, "座机带区号" in mistyped.text) == (422, True)
    done = send(client, "/seller/register", **named)
    assert done.request.path == "/seller/certificates"
    paper = (io.BytesIO(picture().data), "licence.png")
    send(client, "/seller/certificates", kind="licence", number="91500", file=paper)
    assert send(client, "/seller/certificates", "/seller/submit").request.path == "/seller"
    db.session.expire_all()
    assert db.session.scalars(select(Seller)).one().state is SellerState.SUBMITTED


def test_the_sellers_lists_show_the_photograph(app: Flask) -> None:
    seller = builders.seller()
    made = builders.offer(builders.lot(builders.product(seller)))
    set_photo(made.product_id, picture(), None)
    client = signed_in(app, clerk_of(seller))
    for page in ("/seller/offers", "/seller/lots", "/seller/products"):
        assert "/photos/" in client.get(page).get_data(as_text=True), page


def test_the_desk_shows_the_sellers_stock_figures(app: Flask) -> None:
    seller = builders.seller()
    lot = builders.lot(builders.product(seller), offered=4321, promised=21)
    builders.offer(lot)
    builders.lot(builders.product(seller), 777, LotMode.IN_FIELD)
    builders.lot(builders.product(seller, unit_name="枚", unit_g=50), 30)
    builders.lot(builders.product(builders.seller()), offered=99999)
    shown = signed_in(app, clerk_of(seller)).get("/seller").get_data(as_text=True)
    figures = re.findall(r"<dd>([\d,]+)<small", shown)
    assert figures == ["1", "2", "1", "3"]
    by_unit = re.findall(r'data-k="[^"]+">([^<]+)<', shown)
    assert by_unit == ["4,300 箱", "777 箱", "21 箱", "30 枚", "0 枚", "0 枚"]
    assert "3 个产品" in shown


def test_stock_is_listed_once_however_often_the_form_is_sent(app: Flask) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    wrong = send(client, "/seller/offers/new", **{**STOCK, "offered": "很多", "price_fen": "1.234"})
    said = wrong.get_data(as_text=True)
    assert wrong.status_code == 422
    assert 'id="offered-wrong"' in said
    assert 'id="price_fen-wrong"' in said
    assert db.session.scalar(select(func.count()).select_from(Product)) == 0
    for _ in range(2):
        done = send(client, "/seller/offers/new", **STOCK, idempotency_key="one-try")
        assert done.request.path == "/seller/offers"
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1


@pytest.mark.parametrize(
    ("day", "said"), [("9999-12-31", "年份要在 2000 到 2199 之间"), ("2020-01-01", "已经过去了")]
)
def test_a_last_day_that_cannot_be_is_told_beside_it_and_nothing_typed_is_lost(
    app: Flask, day: str, said: str
) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    shown = send(client, "/seller/offers/new", **STOCK, closes_at=day).get_data(as_text=True)
    assert f'value="{day}"' in shown
    assert "玫瑰香橙" in shown
    assert said in shown


def test_prices_quantities_and_withdrawal_through_the_forms(app: Flask) -> None:
    seller = builders.seller()
    client, offer = (
        signed_in(app, clerk_of(seller)),
        builders.offer(builders.lot(builders.product(seller))),
    )
    at, lot_at = f"/seller/offers/{offer.public_id}", f"/seller/lots/{offer.lot.public_id}"
    product_at = f"/seller/products/{offer.product.public_id}"
    assert client.get(product_at).status_code == 200
    send(client, at, price_fen="48", closes_at="2099-12-31")
    send(client, lot_at, offered="80")
    send(client, f"{lot_at}/offers/new", price_fen="30")
    send(client, f"{product_at}/lots/new", mode="in_hand", offered="5")
    db.session.expire_all()
    assert db.session.get_one(Offer, offer.id).price_fen == 4800
    assert 'value="2099-12-31"' in client.get(at).get_data(as_text=True)
    assert db.session.get_one(Lot, offer.lot_id).offered == 80
    assert db.session.scalar(select(func.count()).select_from(Lot)) == 2
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 2
    send(client, at, f"{at}/withdraw")
    db.session.expire_all()
    assert db.session.get_one(Offer, offer.id).withdrawn_at is not None


def test_a_new_price_moves_no_closing_hour(app: Flask) -> None:
    seller, tomorrow = builders.seller(), clock.today() + timedelta(days=1)
    closes_at, client = clock.at_local(tomorrow, 18, 0), signed_in(app, clerk_of(seller))
    for place in (Place.SHOP, Place.ROUND):
        lot = builders.lot(builders.product(seller))
        offer = builders.offer(lot, place=place, closes_at=closes_at)
        at = f"/seller/offers/{offer.public_id}"
        assert ('name="closes_at"' in client.get(at).text) is (place is Place.SHOP)
        send(client, at, price_fen="48", closes_at=tomorrow.isoformat())
        db.session.expire_all()
        kept = db.session.get_one(Offer, offer.id)
        assert (kept.price_fen, kept.closes_at) == (4800, closes_at), place


def test_a_clerk_says_how_low_a_broadcast_may_go_and_sees_where_goods_are_pinned(
    app: Flask,
) -> None:
    seller = builders.seller()
    client = signed_in(app, clerk_of(seller))
    offer = builders.offer(builders.lot(builders.product(seller)))
    at = f"/seller/offers/{offer.public_id}"
    assert "直播最低 ¥59.00/箱" in client.get("/seller/offers").get_data(as_text=True)
    high = send(client, at, price_fen="59", broadcast_floor_fen="60")
    assert high.status_code == 422
    assert 'id="broadcast_floor_fen-wrong"' in high.get_data(as_text=True)
    send(client, at, price_fen="59", broadcast_floor_fen="50")
    assert 'value="50.00"' in client.get(at).get_data(as_text=True)
    host = builders.account(Role.HOST, login="host")
    pinned = pin(host, offer.lot.public_id, 5200)
    shown = client.get("/seller/offers").get_data(as_text=True)
    assert "直播最低 ¥50.00/箱" in shown
    assert re.search(
        rf"¥52\.00.*?直播 <a href=\"/live/{pinned.code}\">\s*春橙专场", shown, re.DOTALL
    )
    # The floor is the shop's alone: the form of what is pinned does not ask for it.
    [of_pin] = [one.offer.public_id for one in pinned.pins]
    assert "broadcast_floor_fen" not in client.get(f"/seller/offers/{of_pin}").get_data(True)


def test_what_another_seller_has_is_not_found(app: Flask) -> None:
    offer = builders.offer()
    household = builders.household(offer.seller)
    client = signed_in(app, clerk_of(builders.seller()))
    for page in (
        f"/seller/products/{offer.product.public_id}",
        f"/seller/products/{offer.product.public_id}/lots/new",
        f"/seller/lots/{offer.lot.public_id}",
        f"/seller/lots/{offer.lot.public_id}/offers/new",
        f"/seller/offers/{offer.public_id}",
        f"/seller/households/{household.public_id}",
        f"/seller/households/{household.public_id}/edit",
    ):
        assert client.get(page).status_code == 404, page


def test_only_staff_verifies(app: Flask) -> None:
    seller = builders.seller(SellerState.SUBMITTED)
    at = f"/staff/sellers/{seller.organisation.public_id}"
    assert signed_in(app, clerk_of(seller)).get(at).status_code == 403
    client = signed_in(app, builders.account(Role.STAFF))
    assert client.get("/staff/sellers?state=all").status_code == 200
    assert send(client, at, f"{at}/return", reason="").status_code == 422
    send(client, at, f"{at}/return", reason="执照看不清")
    db.session.expire_all()
    kept = db.session.get_one(Seller, seller.id)
    assert (kept.state, kept.return_reason) == (SellerState.RETURNED, "执照看不清")
    assert "执照看不清" in signed_in(app, clerk_of(kept)).get("/seller").get_data(as_text=True)


def test_staff_see_a_sellers_phone_for_a_reason_that_the_auditor_reads(app: Flask) -> None:
    seller = builders.seller(contact_phone="02312345678")
    at = f"/staff/sellers/{seller.organisation.public_id}"
    staff = signed_in(app, builders.account(Role.STAFF))
    assert "02312345678" not in staff.get(at).get_data(as_text=True)
    refused = send(staff, at, f"{at}/phone", reason=" ")
    assert refused.status_code == 422
    assert "02312345678" not in refused.get_data(as_text=True)
    shown = send(staff, at, f"{at}/phone", reason="证书看不清，打电话问")
    assert "02312345678" in shown.get_data(as_text=True)
    auditor = signed_in(app, builders.account(Role.AUDITOR))
    acts = auditor.get("/ledger/acts").get_data(as_text=True)
    assert "证书看不清，打电话问" in acts
    assert "02312345678" not in acts
    clerk = signed_in(app, clerk_of(seller))
    assert send(clerk, "/seller", f"{at}/phone", reason="看看").status_code == 403


def test_a_phone_or_an_account_that_is_none_is_refused_and_stays_in_the_form(app: Flask) -> None:
    client = signed_in(app, clerk_of(builders.seller()))
    facts = {"number": "017", "status": "ordinary", "share_weight": "1"}
    for wrong, said in (
        ({"phone": "甲乙abc"}, "电话不对。"),
        ({"bank_account": "某某银行"}, "账号不对。"),
    ):
        refused = send(client, "/seller/households/new", **facts, **wrong)
        assert refused.status_code == 422
        assert said in refused.text
        assert next(iter(wrong.values())) in refused.text
    assert db.session.scalar(select(func.count()).select_from(Household)) == 0
    right = {"phone": "１３８０００００００１", "bank_account": "6222 0200 0000 0000"}
    send(client, "/seller/households/new", **facts, **right)
    kept = db.session.scalars(select(Household)).one()
    assert (kept.phone, kept.bank_account) == ("13800000001", "6222 0200 0000 0000")


def test_a_household_is_masked_until_a_reason_is_given(app: Flask) -> None:
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    household = builders.household(
        seller, phone="02312345678", name="某户主", steward_id=steward.id
    )
    for account in (clerk_of(seller), steward):
        client = signed_in(app, account)
        at = f"/seller/households/{household.public_id}"
        assert household.number in client.get("/seller/households").get_data(as_text=True)
        assert "02312345678" not in client.get(at).get_data(as_text=True)
        assert "02312345678" in send(client, at, reason="打电话通知").get_data(as_text=True)
        assert "02312345678" not in client.get(at).get_data(as_text=True)


def test_staff_finds_a_paper_that_came_later_and_its_clerk_reads_what_became_of_it(
    app: Flask,
) -> None:
    seller = builders.seller()
    staff, clerk = signed_in(app, builders.account(Role.STAFF)), signed_in(app, clerk_of(seller))
    for number in ("ORG-1", "ORG-2"):
        paper = (io.BytesIO(picture().data), "organic.png")
        sent = send(clerk, "/seller/certificates", kind="organic", number=number, file=paper)
        assert "等平台看" in sent.get_data(as_text=True)
    assert "2 份等着看" in staff.get("/staff/sellers").get_data(as_text=True)
    queue = staff.get("/staff/sellers/certificates").get_data(as_text=True)
    assert queue.index("ORG-2") < queue.index("ORG-1")
    newer, older = re.findall(r'href="(/staff/sellers/certificates/\w+)"', queue)
    assert "通过这份证书" in send(staff, newer, f"{newer}/return", reason=" ").get_data(
        as_text=True
    )
    send(staff, newer, f"{newer}/return", reason="看不清编号")
    send(staff, older, f"{older}/accept")
    again = send(staff, older, f"{older}/accept").get_data(as_text=True)
    assert "已经审过了" in again
    shown = clerk.get("/seller/certificates").get_data(as_text=True)
    assert "买家能看到" in shown
    assert "看不清编号" in shown
    assert "份等着看" not in staff.get("/staff/sellers").get_data(as_text=True)
    assert clerk.get("/staff/sellers/certificates").status_code == 403


def test_a_clerk_moves_a_harvest_and_closes_a_lot(app: Flask) -> None:
    seller = builders.seller()
    client = signed_in(app, clerk_of(seller))
    lot = builders.lot(builders.product(seller), 40, LotMode.IN_FIELD, promised=3)
    offer, at = builders.offer(lot), f"/seller/lots/{lot.public_id}"
    later = {"harvest_from": "2027-01-05", "harvest_to": "2027-01-02"}
    assert send(client, at, offered="50", **later).status_code == 422
    assert db.session.get_one(Lot, lot.id, populate_existing=True).offered == 40
    send(client, at, offered="50", **{**later, "harvest_to": "2027-01-20"})
    changed = db.session.get_one(Lot, lot.id, populate_existing=True)
    assert (changed.offered, str(changed.harvest_to)) == (50, "2027-01-20")
    send(client, at, f"{at}/close", idempotency_key="once")
    closed = db.session.get_one(Lot, lot.id, populate_existing=True)
    assert (closed.offered, closed.promised) == (3, 3)
    assert db.session.get_one(Offer, offer.id, populate_existing=True).withdrawn_at is not None
    foreign = builders.lot(builders.product(builders.seller()))
    assert send(client, at, f"/seller/lots/{foreign.public_id}/close").status_code == 404


def test_a_lot_says_its_units_in_english(app: Flask) -> None:
    seller = builders.seller()
    client = signed_in(app, clerk_of(seller))
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    lot = builders.lot(builders.product(seller, unit_name="箱"), 40, promised=1)
    page = client.get(f"/seller/lots/{lot.public_id}").get_data(as_text=True)
    assert re.findall(r'<small class="unit">([^<]+)<', page) == ["boxes", "box", "boxes"]
