"""The storefront's list and the facts of one offer."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Invalid
from sellers.actions import finding
from sellers.model import (
    Category,
    Certificate,
    CertificateState,
    Lot,
    LotMode,
    Offer,
    Place,
    Product,
    SellerState,
)
from sellers.queries import ShelfFilters, cards, offer_by_public_id, shelf
from tests import builders
from tests.statements import counting


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def offered(
    name_zh: str, village: str = "", category: Category = Category.FRUIT, **values: Any
) -> Offer:
    """An offer of a new seller's product of that name."""
    product = builders.product(
        builders.seller(village=village),
        name_zh=name_zh,
        name_en=values.pop("name_en", ""),
        category=category,
    )
    return builders.offer(builders.lot(product), **values)


def found(**filters: object) -> list[str]:
    """Names of what the shelf shows under these filters."""
    return [card.name_zh for card in shelf(ShelfFilters(**filters)).items]  # type: ignore[arg-type]


def test_a_search_finds_one_character_two_and_three() -> None:
    offered("开县春橙")
    offered("绿壳土鸡蛋")
    offered("土鸡")
    assert found(q="橙") == ["开县春橙"]
    assert found(q="土鸡蛋") == ["绿壳土鸡蛋"]
    assert found(q="土鸡") == ["土鸡", "绿壳土鸡蛋"]
    assert found(q="鸡土") == []
    assert found(q="%") == []


def test_a_search_finds_where_it_grows_and_who_sells_it() -> None:
    offered("开县春橙", village="黄陵村")
    offered("土鸡", village="青龙村")
    assert found(q="黄陵村") == ["开县春橙"]
    assert found(q="合作社") == ["土鸡", "开县春橙"]
    assert found(q="黄陵 橙") == ["开县春橙"]
    assert found(q="黄陵 鸡") == []


@pytest.mark.parametrize(
    ("name", "category", "called"),
    [
        ("玫瑰香橙", Category.FRUIT, "橙子"),
        ("玫瑰香橙", Category.FRUIT, "水果"),
        ("西红柿", Category.VEGETABLE, "番茄"),
        ("番茄", Category.VEGETABLE, "西红柿"),
        ("蜜薯（地瓜）", Category.VEGETABLE, "红薯"),
        ("天堂姜", Category.VEGETABLE, "生姜"),
        ("马蹄", Category.VEGETABLE, "荸荠"),
        ("大球盖菇", Category.MUSHROOM, "蘑菇"),
        ("金丝皇菊", Category.TEA, "茶叶"),
        ("雪毛鸡", Category.POULTRY, "鸡肉"),
        ("徐香猕猴桃", Category.FRUIT, "奇异果"),
    ],
)
def test_a_search_finds_what_buyers_call_otherwise(
    name: str, category: Category, called: str
) -> None:
    offered(name, category=category)
    assert found(q=called) == [name]


def test_a_search_does_not_take_a_part_of_a_name_for_another_thing() -> None:
    offered("徐香猕猴桃")
    offered("山茶油", category=Category.OIL)
    offered("苏麻籽", village="李子坝村", category=Category.GRAIN)
    assert found(q="桃子") == []
    assert found(q="茶叶") == []
    assert found(q="水果") == ["徐香猕猴桃"]


@pytest.mark.parametrize(
    "asked", ["oranges", "Orange", "ORANGES spring", "fruits", "橙 orange", "春橙 fruit"]
)
def test_an_english_search_finds_one_and_many(asked: str) -> None:
    offered("开县春橙", name_en="Spring orange")
    offered("土鸡", category=Category.POULTRY, name_en="Chicken")
    assert found(q=asked) == ["开县春橙"]


def test_products_whose_terms_are_of_an_older_way_are_found_again_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "RENEWED_AT_ONCE", 2)
    for _ in range(3):
        offered("开县春橙")
    with transaction() as session:
        session.execute(update(Product).values(terms=["旧"], terms_rule=0))
    assert found(q="橙") == []
    assert [finding.renew_terms(), finding.renew_terms(), finding.renew_terms()] == [2, 1, 0]
    assert found(q="橙") == ["开县春橙"] * 3


def test_filters_narrow_the_shelf_together() -> None:
    seller = builders.seller(village="青龙村")
    egg = builders.product(seller, name_zh="土鸡蛋", category=Category.EGGS)
    builders.offer(builders.lot(egg), price_fen=180)
    field = builders.lot(builders.product(seller, name_zh="春橙"), mode=LotMode.IN_FIELD)
    builders.offer(field, price_fen=5900)
    offered("别家春橙", price_fen=9900)
    assert found(category=Category.EGGS) == ["土鸡蛋"]
    assert found(mode=LotMode.IN_FIELD) == ["春橙"]
    assert found(region="青龙") == ["春橙", "土鸡蛋"]
    assert found(region="%") == []
    assert found(seller=seller.organisation.public_id) == ["春橙", "土鸡蛋"]
    assert found(max_price_fen=5900) == ["春橙", "土鸡蛋"]
    assert found(region="重庆", max_price_fen=5899, category=Category.EGGS) == ["土鸡蛋"]


def test_only_what_can_be_bought_in_the_shop_is_on_the_shelf() -> None:
    now = clock.now()
    offered("在卖")
    offered("场内", place=Place.BROADCAST)
    offered("还没开始", opens_at=now + timedelta(hours=1))
    offered("过了", closes_at=now - timedelta(seconds=1), opens_at=now - timedelta(days=1))
    offered("撤了", withdrawn_at=now)
    product = builders.product(builders.seller(SellerState.SUBMITTED), name_zh="没认证")
    builders.offer(builders.lot(product))
    assert found() == ["在卖"]


def test_what_is_left_is_the_lots_rest_under_the_quotas_rest() -> None:
    offer = offered("春橙", quota=10, sold=4)
    open_ended = builders.offer(offer.lot)
    with transaction() as session:
        session.get_one(Lot, offer.lot_id).promised = 97
    left = {card.public_id: card.left for card in shelf().items}
    assert left == {offer.public_id: 3, open_ended.public_id: 3}
    with transaction() as session:
        session.get_one(Lot, offer.lot_id).promised = 4
    assert cards([offer.public_id])[offer.public_id].left == 6


def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    product = builders.product(builders.seller())
    lot = builders.lot(product)
    made = [builders.offer(lot).public_id for _ in range(7)]
    seen: list[str] = []
    page = shelf(page_size=3)
    seen += [card.public_id for card in page.items]
    builders.offer(lot)  # something new does not shift the pages
    while page.next_cursor:
        page = shelf(cursor=page.next_cursor, page_size=3)
        seen += [card.public_id for card in page.items]
    assert seen == made[::-1]
    with pytest.raises(Invalid) as refusal:
        shelf(cursor="no-such-offer")
    assert refusal.value.code == "cursor_invalid"


@pytest.mark.parametrize("rows", [1, 30])
def test_a_page_of_the_shelf_is_one_statement(rows: int) -> None:
    lot = builders.lot(builders.product(builders.seller()))
    for _ in range(rows):
        builders.offer(lot)
    with counting() as sent:
        page = shelf(ShelfFilters(q="橙", region="重庆"))
        assert len(page.items) == min(rows, 24)
        assert page.items[0].seller_name_zh
        assert page.items[0].places
    assert len(sent) == 1


def test_the_facts_of_an_offer_hold_its_accepted_and_valid_certificates_only() -> None:
    offer = offered("春橙")
    today = clock.today()
    with transaction() as session:
        accepted, pending = CertificateState.ACCEPTED, CertificateState.PENDING
        for number, until, state in [
            ("valid", today, accepted),
            ("old", today - timedelta(days=1), accepted),
            ("not looked at", today, pending),
            ("returned", today, CertificateState.RETURNED),
        ]:
            session.add(
                Certificate(
                    seller_id=offer.seller_id,
                    kind="organic",
                    number=number,
                    valid_until=until,
                    state=state,
                )
            )
        session.add(
            Certificate(
                seller_id=offer.seller_id,
                product_id=offer.product_id,
                kind="green",
                number="its own",
                state=accepted,
            )
        )
    public_id = offer.public_id
    db.session.expire_all()
    with counting() as sent:
        facts = offer_by_public_id(public_id)
        assert facts is not None
        assert [one.number for one in facts.certificates] == ["its own", "valid"]
        assert [one.valid_until for one in facts.certificates] == [None, today]
        assert facts.card.name_zh == "春橙"
        assert facts.offered - facts.promised == facts.card.left
    assert len(sent) == 1


def test_an_offer_of_a_seller_who_is_not_verified_does_not_exist() -> None:
    product = builders.product(builders.seller(SellerState.RETURNED))
    assert offer_by_public_id(builders.offer(builders.lot(product)).public_id) is None
    assert offer_by_public_id("unknown") is None
