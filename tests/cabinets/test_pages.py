"""Pages of cabinets: what everybody sees, and the operator's workspace."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from cabinets import lots
from cabinets.actions.reports import receive
from cabinets.actions.sites import new_device_key
from cabinets.actions.trips import TripLine, restock
from cabinets.model import Cabinet, Site, StockDifference
from cabinets.stock import expected_of
from kernel.access import Viewer
from kernel.db import db, transaction
from sellers.model import Lot, Offer
from sellers.queries import choosing
from tests.cabinets import cabinet_builders
from tests.cabinets.cabinet_builders import cabinet, lot, sale, set_offer, stocked
from tests.laws import assert_laws_hold
from tests.statements import counting
from tests.visitors import Visitor

_KEY = re.compile(r'name="idempotency_key" value="([^"]+)"')


@pytest.fixture
def at_work(operator: Viewer, visitor: Visitor) -> Visitor:
    """The operator's browser, signed in."""
    assert visitor.enter("operator-1").status_code == 302
    return visitor


def expected() -> list[int]:
    """Expected units of the one cabinet's slots, by number."""
    db.session.expire_all()
    slots = db.session.scalars(select(Cabinet)).one().slots
    units = expected_of([slot.id for slot in slots])
    return [units[slot.id] for slot in slots]


def key_on(browser: Visitor, path: str) -> str:
    """The idempotency key of a form."""
    found = _KEY.search(browser.page(path))
    assert found is not None
    return found.group(1)


def test_everybody_sees_what_is_in_a_cabinet_and_what_it_costs(
    operator: Viewer, visitor: Visitor
) -> None:
    stocked(operator, 4)
    assert "某机关大楼" in visitor.page("/cabinets")
    page = visitor.page("/cabinets/one-1")
    assert "春橙" in page
    assert "还有 4 箱" in page
    receive("one-1", [sale(1, 4)])
    assert "卖完了" in visitor.page("/cabinets/one-1")
    assert visitor.get("/cabinets/one-1/qr.svg").mimetype == "image/svg+xml"


def test_looking_at_a_cabinet_records_no_touch(operator: Viewer, visitor: Visitor) -> None:
    stocked(operator, 1)
    visitor.get("/cabinets/one-1")
    assert db.session.execute(db.text("SELECT count(*) FROM touch")).scalar() == 0


def test_a_cabinet_that_does_not_exist_is_not_found(visitor: Visitor) -> None:
    assert visitor.get("/cabinets/nowhere").status_code == 404
    assert visitor.get("/cabinets?cursor=nonsense").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/operator/cabinets/one-1",
        "/operator/cabinets/one-1/restock",
        "/operator/cabinets/one-1/return",
        "/operator/cabinets/one-1/count",
        "/operator/sites/one-1-site/cabinets/new",
    ],
)
def test_another_operators_pages_do_not_exist(
    operator: Viewer, visitor: Visitor, path: str
) -> None:
    stocked(operator, 1)
    cabinet_builders.operator("operator-2")
    visitor.enter("operator-2")
    assert visitor.get(path).status_code == 404
    assert "one-1" not in visitor.page("/operator")
    assert "one-1" not in visitor.page("/operator/restock")


def test_staff_see_every_operators_cabinets(operator: Viewer, visitor: Visitor) -> None:
    stocked(operator, 1)
    cabinet_builders.staff()
    visitor.enter("staff-1")
    assert "one-1" in visitor.page("/operator")
    assert visitor.get("/operator/cabinets/one-1").status_code == 200


def test_an_operator_sets_up_a_site_and_a_cabinet(at_work: Visitor) -> None:
    answer = at_work.send(
        "/operator/sites/new", name_zh="某医院", city="重庆市", kind="hospital", code="h-1"
    )
    assert answer.location == "/operator/sites/h-1/cabinets/new"
    answer = at_work.send(answer.location, code="h-1-1", slots=6, capacity=5)
    assert answer.location == "/operator/cabinets/h-1-1"
    assert len(db.session.scalars(select(Cabinet)).one().slots) == 6
    again = at_work.send(
        "/operator/sites/new", name_zh="某医院", city="重庆市", kind="hospital", code="h-1"
    )
    assert again.status_code == 422
    assert "这个编号已经有了" in again.get_data(as_text=True)
    assert len(db.session.scalars(select(Site)).all()) == 1


def test_a_trip_is_saved_once_however_often_it_is_sent(operator: Viewer, at_work: Visitor) -> None:
    stocked(operator, 1)
    goods, path = lot(), "/operator/cabinets/one-1/restock"
    filled = {
        "units-1": "3",
        "units-2": "4",
        "lot-2": goods.public_id,
        "price-2": "6.50",
        "idempotency_key": key_on(at_work, path),
    }
    for _ in range(2):
        assert at_work.send(path, **filled).location == "/operator/cabinets/one-1"
    assert expected() == [4, 4, 0]
    assert db.session.get_one(Lot, goods.id).promised == 4
    assert "补好了" in at_work.page("/operator/cabinets/one-1")
    assert_laws_hold()


def test_any_lot_can_be_found_for_a_slot_and_nothing_that_was_filled_in_is_lost(
    operator: Viewer, at_work: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stocked(operator, 1)
    path, old = "/operator/cabinets/one-1/restock", lot()
    with transaction() as session:
        session.get_one(Lot, old.id).code = "S-77"
    new = [lot() for _ in range(3)]
    monkeypatch.setattr(choosing, "MAX_CHOICES", 2)
    assert old.public_id not in at_work.page(path)
    assert "还有更多" in at_work.page(path)
    filled = {"units-1": "3", "lot-2": new[0].public_id, "price-2": "6.50", "q": "s-7"}
    for pressed in ({"find": "1"}, {"found": ""}):
        page = at_work.send(path, **filled, **pressed).get_data(as_text=True)
        assert f'value="{old.public_id}"' in page
        assert f'value="{new[0].public_id}" selected' in page
        assert 'value="6.50"' in page
        assert new[2].public_id not in page
    page = at_work.send(path, **{**filled, "q": "冬橙"}, find="1").get_data(as_text=True)
    assert f'value="{new[0].public_id}" selected' in page
    assert "没有找到" in page
    assert expected() == [1, 0, 0]
    by_words = lots.lots_to_choose("春橙 某村合作社")
    assert by_words.more
    assert lots.lots_to_choose("冬橙").rows == []
    assert lots.lots_to_choose("？！").rows == []
    assert [one.id for one in lots.lots_to_choose(old.public_id).rows] == [old.id]


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        ({"units-1": "99"}, "货道放不下这么多"),
        ({"units-1": "一"}, "填 0 到 500 的整数"),
        ({"units-2": "1"}, "货道还没有选货"),
        ({}, "还没有填数量"),
    ],
)
def test_a_refused_trip_says_where_and_keeps_what_was_filled_in(
    operator: Viewer, at_work: Visitor, filled: dict[str, str], words: str
) -> None:
    stocked(operator, 1)
    path = "/operator/cabinets/one-1/restock"
    answer = at_work.send(path, **filled, idempotency_key=key_on(at_work, path))
    assert answer.status_code in (409, 422)
    assert words in answer.get_data(as_text=True)
    assert expected() == [1, 0, 0]


def test_a_lot_without_a_price_is_asked_for_one(operator: Viewer, at_work: Visitor) -> None:
    cabinet(operator)
    path, goods = "/operator/cabinets/one-1/restock", lot()
    filled = {"units-1": "2", "lot-1": goods.public_id}
    answer = at_work.send(path, **filled, idempotency_key=key_on(at_work, path))
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "写上价格" in page
    assert f'value="{goods.public_id}" selected' in page
    assert expected() == [0, 0, 0]


def test_a_price_is_changed_without_moving_anything(operator: Viewer, at_work: Visitor) -> None:
    stocked(operator, 2)
    path = "/operator/cabinets/one-1/restock"
    at_work.send(path, **{"price-1": "7.00"}, idempotency_key=key_on(at_work, path))
    assert db.session.scalars(select(Offer)).one().price_fen == 700
    assert expected() == [2, 0, 0]


def test_a_return_and_a_count_change_what_is_expected(operator: Viewer, at_work: Visitor) -> None:
    stocked(operator, 5)
    path = "/operator/cabinets/one-1/return"
    at_work.send(path, **{"units-1": "2"}, idempotency_key=key_on(at_work, path))
    assert expected() == [3, 0, 0]
    path = "/operator/cabinets/one-1/count"
    counted = {"counted-1": "2", "expected-1": "3"}
    answer = at_work.send(path, **counted, idempotency_key=key_on(at_work, path))
    assert "选一个原因" in answer.get_data(as_text=True)
    assert expected() == [3, 0, 0]
    answer = at_work.send(
        path, **counted, **{"reason-1": "damaged"}, idempotency_key=key_on(at_work, path)
    )
    assert answer.status_code == 302
    assert expected() == [2, 0, 0]
    assert "破损" in at_work.page("/operator/cabinets/one-1")
    assert_laws_hold()


def test_a_count_of_an_old_page_is_refused_without_saying_that_somebody_bought(
    operator: Viewer, at_work: Visitor
) -> None:
    stocked(operator, 5)
    path = "/operator/cabinets/one-1/count"
    old = {"counted-1": "4", "expected-1": "4", "reason-1": "damaged"}
    answer = at_work.send(path, **old, idempotency_key=key_on(at_work, path))
    assert "数的时候，应有的数变了。" in answer.get_data(as_text=True)
    assert expected() == [5, 0, 0]


def test_numbers_in_a_row_are_joined_as_the_reader_writes(
    operator: Viewer, at_work: Visitor
) -> None:
    stocked(operator, 1)
    assert "货道号：2、3" in at_work.page("/operator/cabinets/one-1")


def test_differences_gaps_and_conflicts_are_shown_and_explained(
    operator: Viewer, at_work: Visitor
) -> None:
    stocked(operator, 1)
    receive("one-1", [sale(1, 2), sale(4, 1, slot=88)])
    receive("one-1", [sale(1, 5)])
    page = at_work.page("/operator/cabinets/one-1")
    for words in ("卖出的比应有的多", "上报了没有的货道", "同一序号报了不同内容", "第 2 到 3 条"):
        assert words in page
    assert "3 处差异待说明" in at_work.page("/operator")
    one = db.session.scalars(select(StockDifference.public_id)).first()
    path = f"/operator/cabinets/one-1/differences/{one}"
    assert at_work.send(path, explanation="补货少记一个").status_code == 302
    assert "补货少记一个" in at_work.page("/operator/cabinets/one-1")
    assert "2 处差异待说明" in at_work.page("/operator")


def test_a_reports_number_is_the_one_that_its_device_gave_it(
    operator: Viewer, at_work: Visitor
) -> None:
    stocked(operator, 1)
    receive("one-1", [sale(1, slot=88)])
    assert "第 1 条上报" in at_work.page("/operator/cabinets/one-1")
    new_device_key(operator, "one-1")
    receive("one-1", [sale(1, slot=77)])
    page = at_work.page("/operator/cabinets/one-1")
    assert "第 1 条上报" in page
    assert "第 2 条上报" not in page
    assert "换密钥以前的上报" in page


@pytest.mark.parametrize(
    ("do", "name"), [("restock", "units"), ("return", "units"), ("count", "counted")]
)
def test_a_figure_that_cannot_be_stays_as_it_was_typed_and_is_told_beside_it(
    operator: Viewer, at_work: Visitor, do: str, name: str
) -> None:
    stocked(operator, 5)
    path = f"/operator/cabinets/one-1/{do}"
    answer = at_work.send(path, **{f"{name}-1": "0.5"}, idempotency_key=key_on(at_work, path))
    assert answer.status_code == 422
    [at_fault] = re.findall(r'<input type="number"[^>]*aria-invalid[^>]*>', answer.text)
    assert 'value="0.5"' in at_fault
    assert f'aria-describedby="{name}-1-wrong"' in at_fault
    assert f'id="{name}-1-wrong"' in answer.text


def test_a_new_key_is_shown_once(operator: Viewer, at_work: Visitor) -> None:
    old = cabinet(operator).device_key
    page = at_work.send("/operator/cabinets/one-1/key").get_data(as_text=True)
    db.session.expire_all()
    new = db.session.scalars(select(Cabinet)).one().device_key
    assert new != old
    assert new in page
    assert new not in at_work.page("/operator/cabinets/one-1")


def fill(who: Viewer, code: str, slots: int) -> None:
    """A cabinet whose slots all sell something of their own seller and hold a unit."""
    cabinet(who, code, slots)
    for number in range(1, slots + 1):
        set_offer(who, code, number, lot().public_id, 500)
    restock(who, code, [TripLine(number, 1) for number in range(1, slots + 1)])
    receive(code, [sale(number, 2, slot=number) for number in range(1, slots + 1)])


def test_a_page_asks_as_often_for_thirty_slots_as_for_one(
    operator: Viewer, at_work: Visitor
) -> None:
    fill(operator, "small", 1)
    fill(operator, "large", 30)
    for path in (
        "/cabinets/{}",
        "/operator/cabinets/{}",
        "/operator/cabinets/{}/restock",
        "/operator/cabinets/{}/count",
        "/api/v1/cabinets/{}/stock",
    ):
        asked = []
        for code in ("small", "small", "large"):
            with counting() as sent:
                assert at_work.get(path.format(code)).status_code == 200, path
            asked.append(len(sent))
        assert asked[1] == asked[2] > 0, path


def test_the_lists_ask_as_often_for_many_cabinets_as_for_one(
    app: Flask, operator: Viewer, at_work: Visitor
) -> None:
    fill(operator, "first", 1)
    asked: dict[str, int] = {}
    for path in ("/cabinets", "/operator", "/operator/restock", "/api/v1/cabinets"):
        at_work.get(path)
        with counting() as sent:
            assert at_work.get(path).status_code == 200
        asked[path] = len(sent)
    for n in range(4):
        fill(operator, f"more-{n}", 3)
    for path, before in asked.items():
        with counting() as sent:
            assert at_work.get(path).status_code == 200
        assert len(sent) == before, path
