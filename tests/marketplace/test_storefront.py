"""The shop's shelves as pages and as JSON, at a fixed number of statements."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from kernel import clock
from kernel.db import transaction
from kernel.tokens import issue_token
from livestream.model import Broadcast, BroadcastKind, BroadcastOffer
from marketplace.storefront.picture import PER_ROW, SIDE, houses
from marketplace.storefront.queries import Crate
from marketplace.storefront.schemas import ShelfOfferDetailOut, ShelfOut
from orders.model import CreditKind, Round, RoundLeg, RoundOffer
from orders.model import PaymentMethod as Method
from orders.placing import Buyer, place
from sellers import actions
from sellers.model import Category, HouseholdStatus, LotMode, Offer, Place, Seller
from tests import builders
from tests.statements import counting
from tests.visitors import Visitor


def shelf_of(number: int) -> list[Offer]:
    """`number` offers, each of a lot, product and seller of its own."""
    return [builders.offer(price_fen=1000 + one) for one in range(number)]


def plan(seller: Seller, kind: str, basis_points: int, note_zh: str = "") -> None:
    """A benefit plan of `seller` from today on."""
    actions.plan_benefits(seller.id, kind=kind, basis_points=basis_points, note_zh=note_zh)


def on_air(offer: Offer) -> Broadcast:
    """A broadcast that is live and shows `offer`."""
    at = clock.now()
    source = builders.credit_source(CreditKind.BROADCAST, "b-1")
    with transaction() as session:
        made = Broadcast(
            code="b-1",
            kind=BroadcastKind.LIVESTREAM,
            title_zh="开县春橙直播",
            host_id=builders.account().id,
            credit_source_id=source.id,
            planned_from=at,
            planned_to=at + timedelta(hours=2),
            started_at=at - timedelta(minutes=5),
        )
        session.add(made)
        session.flush()
        session.add(BroadcastOffer(broadcast_id=made.id, offer_id=offer.id, position=1))
    return made


def open_round(*offers: Offer) -> Round:
    """A round that is open now and closes in two days."""
    at = clock.now()
    source = builders.credit_source(CreditKind.ROUND, "r-1")
    with transaction() as session:
        made = Round(
            code="r-1",
            title_zh="2月下旬",
            opens_at=at - timedelta(days=1),
            closes_at=at + timedelta(days=2),
            harvest_from=clock.today() + timedelta(days=3),
            harvest_to=clock.today() + timedelta(days=4),
            handover_on=clock.today() + timedelta(days=5),
            credit_source_id=source.id,
        )
        session.add(made)
        session.flush()
        for offer in offers:
            leg = RoundLeg(round_id=made.id, seller_id=offer.seller_id, cutoff_at=made.closes_at)
            session.add(leg)
            session.flush()
            session.add(RoundOffer(round_id=made.id, leg_id=leg.id, offer_id=offer.id))
    return made


# ---- home ----


def test_an_empty_shop_shows_no_week_no_round_and_no_broadcast(visitor: Visitor) -> None:
    page = visitor.page("/")
    assert "这一周的集" not in page
    assert "正在直播" not in page
    assert "截单" not in page
    assert "这会儿没有现货" in page


def test_home_shows_what_is_live_what_closes_and_what_is_in_hand(visitor: Visitor) -> None:
    builders.offer()
    on_air(builders.offer(place=Place.BROADCAST, price_fen=5900))
    lot = builders.lot(
        builders.product(builders.seller(), name_zh="马蹄", case_units=20), 200, LotMode.IN_FIELD
    )
    open_round(builders.offer(lot, place=Place.ROUND, sold=33))
    page = visitor.page("/")
    assert "正在直播" in page
    assert "开县春橙直播" in page
    assert "已满 1 箱，下一箱还差 7 箱" in page
    for word in ("直播", "截单", "采收", "交货"):
        assert f">{word}</span>" in page
    assert page.count('<li class="product">') == 1


def test_a_broadcast_that_ended_is_not_live_whatever_was_planned(visitor: Visitor) -> None:
    made = on_air(builders.offer(place=Place.BROADCAST))
    with transaction() as session:
        session.get_one(Broadcast, made.id).ended_at = clock.now()
    assert "正在直播" not in visitor.page("/")


@pytest.mark.parametrize(
    ("ordered", "case", "crate"),
    [
        (0, 20, Crate(20, 0, 20, 20, 0)),
        (33, 20, Crate(20, 1, 7, 20, 13)),
        (40, 20, Crate(20, 2, 20, 20, 0)),
        (150, 100, Crate(100, 1, 50, 10, 5)),
    ],
)
def test_a_crate_shows_the_open_case_only(ordered: int, case: int, crate: Crate) -> None:
    assert Crate.of(ordered, case) == crate


@pytest.mark.parametrize(("total", "registered"), [(1, 0), (46, 46), (517, 6), (100, 60), (94, 47)])
def test_every_household_has_exactly_one_house(total: int, registered: int) -> None:
    picture = houses(total, registered)
    assert picture is not None
    for patches, expected in (
        (picture.registered, registered),
        (picture.others, total - registered),
    ):
        assert sum(one.width * one.height for one in patches) == expected * SIDE * SIDE
    assert picture.width <= PER_ROW * SIDE


def test_no_picture_is_drawn_of_nobody_or_of_too_many() -> None:
    assert houses(0, 0) is None
    assert houses(100_000, 6) is None


# ---- list ----


def test_the_list_is_searched_and_narrowed(visitor: Visitor) -> None:
    seller = builders.seller()
    builders.offer(builders.lot(builders.product(seller, name_zh="春橙")))
    eggs = builders.product(seller, name_zh="土鸡蛋", category=Category.EGGS)
    builders.offer(builders.lot(eggs, mode=LotMode.IN_FIELD), price_fen=150)
    for query, there, absent in (
        ("q=橙", "春橙", "土鸡蛋"),
        ("q=土鸡蛋", "土鸡蛋", "春橙"),
        ("category=eggs", "土鸡蛋", "春橙"),
        ("mode=in_hand", "春橙", "土鸡蛋"),
        ("max_price_fen=2000", "土鸡蛋", "春橙"),
    ):
        page = visitor.page(f"/offers?{query}")
        assert f"<h3>{there}</h3>" in page
        assert f"<h3>{absent}</h3>" not in page
    assert "没有找到" in visitor.page("/offers?q=没有的")


def test_nonsense_in_the_address_narrows_nothing(visitor: Visitor) -> None:
    shelf_of(2)
    page = visitor.page("/offers?category=x&mode=y&max_price_fen=99999999999999999999")
    assert page.count('<li class="product">') == 2


def test_the_next_page_follows_the_last_row(visitor: Visitor) -> None:
    shelf_of(30)
    first = visitor.page("/offers")
    assert first.count('<li class="product">') == 24
    link = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert visitor.page(link).count('<li class="product">') == 6


# ---- one offer ----


def test_an_offer_says_only_what_is_known(visitor: Visitor) -> None:
    page = visitor.page(f"/offers/{builders.offer().public_id}")
    for absent in ("去了哪里", "什么时候到", "一个小屋是一户", "品种", "证书"):
        assert absent not in page


@pytest.mark.parametrize(
    ("referrer", "back"),
    [
        ("/offers?q=橙&category=fruit", "/offers?q=橙&amp;category=fruit"),
        ("/", "/"),
        ("/live/abc", "/live/abc"),
        ("/cart/lines", "/offers"),
        (None, "/offers"),
    ],
)
def test_the_arrow_goes_back_to_the_shelf_as_it_was_searched(
    visitor: Visitor, referrer: str | None, back: str
) -> None:
    headers = {"Referer": f"http://localhost{referrer}"} if referrer else {}
    page = visitor.get(f"/offers/{builders.offer().public_id}", headers=headers).text
    assert f'<a class="icon-link" href="{back}" aria-label="返回">' in page


def test_an_offer_from_the_field_shows_its_way_its_growers_and_the_plan(visitor: Visitor) -> None:
    seller = builders.seller(households_count=517, registered_count=6)
    builders.household(seller, status=HouseholdStatus.REGISTERED)
    plan(seller, "second", 500)
    lot = builders.lot(builders.product(seller), 4000, LotMode.IN_FIELD)
    page = visitor.page(f"/offers/{builders.offer(lot).public_id}")
    assert page.index("采收称重") < page.index("采收后") < page.index("发货")
    assert "517 户，其中脱贫户 6 户" in page
    assert "货款的 5%，再分给脱贫户一次" in page
    assert "自动退款" in page


def test_only_a_rounds_goods_are_said_to_be_paid_by_what_households_delivered(
    visitor: Visitor,
) -> None:
    """A settlement of anything else knows no deliveries and pays households nothing by them."""
    seller = builders.seller()
    plan(seller, "delivery", 7000)
    lot = builders.lot(builders.product(seller), 40, LotMode.IN_FIELD)
    of_round = builders.offer(lot, place=Place.ROUND)
    open_round(of_round)
    assert "货款的 70%，按各户交货" in visitor.page(f"/offers/{of_round.public_id}")
    assert "货款的 70%" not in visitor.page(f"/offers/{builders.offer(lot).public_id}")


def test_a_plan_that_reaches_no_household_is_not_said(visitor: Visitor) -> None:
    seller = builders.seller()
    plan(seller, "second", 500)
    plan(seller, "shares", 1000)
    page = f"/offers/{builders.offer(builders.lot(builders.product(seller))).public_id}"
    assert "货款的" not in visitor.page(page)
    builders.household(seller, status=HouseholdStatus.ORDINARY)
    assert "货款的 10%" in visitor.page(page)
    assert "货款的 5%" not in visitor.page(page)


def test_the_newest_plan_of_a_kind_is_said_alone_with_the_sellers_own_words(
    visitor: Visitor,
) -> None:
    seller = builders.seller()
    plan(seller, "wage", 1000)
    plan(seller, "wage", 2000, note_zh="套袋、疏果都请本村人")
    page = visitor.page(
        f"/offers/{builders.offer(builders.lot(builders.product(seller))).public_id}"
    )
    assert "由供货方自己付" in page
    assert "货款的 20%" in page
    assert "套袋、疏果都请本村人" in page
    assert "货款的 10%" not in page


def test_what_is_sold_out_cannot_be_bought_and_says_so(visitor: Visitor) -> None:
    offer = builders.offer(builders.lot(builders.product(builders.seller()), 3, promised=3))
    page = visitor.page(f"/offers/{offer.public_id}")
    assert "卖完了" in page
    assert 'value="buy"' not in page


def test_an_offer_of_a_round_leads_to_the_round(visitor: Visitor) -> None:
    offer = builders.offer(place=Place.ROUND)
    open_round(offer)
    page = visitor.page(f"/offers/{offer.public_id}")
    assert "这是单位集体订购的" in page
    assert 'value="buy"' not in page


def test_a_slots_offer_and_an_unknown_one_are_not_pages_of_the_shop(visitor: Visitor) -> None:
    slot = builders.offer(place=Place.SLOT)
    for public_id in (slot.public_id, "nothing"):
        assert visitor.get(f"/offers/{public_id}").status_code == 404
        assert visitor.get(f"/api/v1/offers/{public_id}").status_code == 404


# ---- the same as JSON ----


def test_the_api_lists_what_the_page_lists(visitor: Visitor) -> None:
    shelf_of(3)
    body = visitor.get("/api/v1/offers?page_size=2").get_json()
    assert [one["price_fen"] for one in body["items"]] == [1002, 1001]
    rest = visitor.get(f"/api/v1/offers?page_size=2&cursor={body['next_cursor']}").get_json()
    assert [one["price_fen"] for one in rest["items"]] == [1000]
    assert rest["next_cursor"] is None
    one = visitor.get(f"/api/v1/offers/{body['items'][0]['id']}").get_json()
    assert one["open"] is True
    assert one["seller"]["name_zh"] == "某村合作社"


def test_what_the_api_writes_by_hand_is_what_its_document_promises(visitor: Visitor) -> None:
    [offer] = shelf_of(1)
    ShelfOut().load(visitor.get("/api/v1/offers").get_json())
    ShelfOfferDetailOut().load(visitor.get(f"/api/v1/offers/{offer.public_id}").get_json())


def test_an_unchanged_list_is_not_sent_again(visitor: Visitor) -> None:
    shelf_of(1)
    etag = visitor.get("/api/v1/offers").headers["ETag"]
    assert visitor.get("/api/v1/offers", headers={"If-None-Match": etag}).status_code == 304
    shelf_of(1)
    assert visitor.get("/api/v1/offers", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "query", ["category=x", "mode=y", "page_size=0", "max_price_fen=a", "colour=red"]
)
def test_the_api_refuses_what_it_cannot_read(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/api/v1/offers?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")


def test_the_page_of_the_api_shows_every_path_and_code(visitor: Visitor) -> None:
    page = visitor.page("/api/docs")
    document = visitor.get("/api/openapi.json").get_json()
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    for code in ("out_of_stock", "idempotency_key_missing", "not_found"):
        assert f'id="problem-{code}"' in page
    shapes = document["components"]["schemas"]
    for name in ("BoardOut", "FiguresOut", "ToPackOut", "ShareOut"):
        assert "of all products" in shapes[name]["properties"]["units"]["description"]
    assert "<script>" not in page


# ---- as many statements for thirty as for one ----


def counted(shop: Flask, visitor: Visitor, path: str) -> int:
    with counting() as seen:
        assert visitor.get(path).status_code == 200
    return len(seen)


def fill_cart(visitor: Visitor, offers: list[Offer]) -> None:
    with visitor.session_transaction() as session:
        session["cart"] = {offer.public_id: 1 for offer in offers}


@pytest.mark.parametrize(("path", "most"), [("/", 7), ("/offers", 1), ("/cart", 1)])
def test_a_page_asks_as_often_for_thirty_rows_as_for_one(
    shop: Flask, visitor: Visitor, path: str, most: int
) -> None:
    first = shelf_of(1)
    fill_cart(visitor, first)
    once = counted(shop, visitor, path)
    fill_cart(visitor, first + shelf_of(29))
    assert counted(shop, visitor, path) == once <= most


def test_an_order_through_the_api_asks_three_times(shop: Flask, visitor: Visitor) -> None:
    offers = shelf_of(3)
    headers = {"Authorization": f"Bearer {issue_token(builders.account())}"}
    for wanted in (offers[:1], offers):
        lines = [{"offer_id": one.public_id, "quantity": 1} for one in wanted]
        recipient = {"name": "某人", "phone": "13800000000", "city": "某市", "address": "某路"}
        body = {"lines": lines, "recipient": recipient, "payment": "stripe"}
        headers["Idempotency-Key"] = str(len(lines))
        with counting() as seen:
            answer = visitor.post("/api/v1/orders", json=body, headers=headers)
        assert answer.status_code == 201
        # Who asks, what is bought, and the order: each by itself, without BEGIN and COMMIT.
        assert len(seen) == 3


def test_a_product_page_asks_once(shop: Flask, visitor: Visitor) -> None:
    [offer] = shelf_of(1)
    assert counted(shop, visitor, f"/offers/{offer.public_id}") == 1


@pytest.mark.parametrize("rows", [1, 30])
def test_an_order_page_asks_seven_times(shop: Flask, visitor: Visitor, rows: int) -> None:
    visitor.page("/checkout")
    with visitor.session_transaction() as session:
        buyer = Buyer(None, session["visitor"])
    offers = shelf_of(rows)
    wanted = {offer.id: 1 for offer in offers}
    placed = place(buyer, wanted, builders.credited_to_shop(*offers), Method.STRIPE)
    assert counted(shop, visitor, f"/orders/{placed.number}") == 7
    assert counted(shop, visitor, "/orders") == 2


def test_on_a_phone_what_goes_into_the_cart_is_the_quantity_of_the_dock(visitor: Visitor) -> None:
    page = visitor.page(f"/offers/{builders.offer().public_id}")
    assert page.count('class="btn btn-quiet phone-only" form="buy-dock"') == 1
    [dock] = re.findall(r'<form [^>]*id="buy-dock".*?</form>', page, re.DOTALL)
    assert 'name="quantity"' in dock
