"""Broadcasts: planned, pinned, live, ended, and their pages."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel import clock
from kernel.access import viewer_of
from kernel.db import db
from kernel.errors import Conflict, Invalid, NotFound, OfferClosed
from kernel.identity import Account, Role
from livestream import actions, queries
from livestream.actions import Pin, Plan
from livestream.model import Broadcast, BroadcastKind, OutsideRoom, Touch
from sellers.actions import close_lot, withdraw_offer
from sellers.model import LotMode, Offer
from tests import builders
from tests.livestream.hosting import host, pinned, planned, sell
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


def test_what_is_pinned_is_on_sale_only_while_the_host_is_live() -> None:
    viewer = host()
    code = planned(viewer).code
    broadcast = queries.by_code(code)
    assert broadcast is not None
    offer = pinned(viewer, code)
    with pytest.raises(OfferClosed):
        sell(broadcast, offer, 1)
    actions.start(viewer, code)
    sell(broadcast, offer, 1)
    actions.end(viewer, code)
    with pytest.raises(OfferClosed):
        sell(broadcast, offer, 1)


def test_going_live_sells_nothing_that_its_seller_withdrew_or_of_a_closed_lot() -> None:
    viewer = host()
    code = planned(viewer).code
    broadcast = queries.by_code(code)
    assert broadcast is not None
    withdrawn, closed, kept = (pinned(viewer, code) for _ in range(3))
    withdraw_offer(withdrawn.id)
    close_lot(closed.lot_id)
    actions.start(viewer, code)
    sell(broadcast, kept, 1)
    for offer in (withdrawn, closed):
        with pytest.raises(OfferClosed):
            sell(broadcast, offer, 1)


def test_the_page_of_a_live_broadcast_sells_nothing_that_its_seller_withdrew(app: Flask) -> None:
    viewer = host()
    code = planned(viewer).code
    kept, withdrawn = pinned(viewer, code), pinned(viewer, code)
    actions.start(viewer, code)
    withdraw_offer(withdrawn.id)
    page = Visitor(app, app.response_class).get(f"/live/{code}").text
    assert f'name="offer" value="{kept.public_id}"' in page
    assert f'name="offer" value="{withdrawn.public_id}"' not in page
    assert page.count("现在不卖。") == 1


def test_a_broadcast_that_ended_leads_on_to_its_sellers_in_the_shop(app: Flask) -> None:
    viewer = host()
    code = planned(viewer).code
    offer = pinned(viewer, code)
    actions.start(viewer, code)
    visitor = Visitor(app, app.response_class)
    shelf = f"/offers?seller={offer.seller.organisation.public_id}"
    during = visitor.get(f"/live/{code}").text
    assert (shelf in during, 'class="price' in during) == (False, True)
    actions.end(viewer, code)
    after = visitor.get(f"/live/{code}").text
    # Its price is not the shop's.
    assert (shelf in after, 'class="price' in after) == (True, False)
    assert "去看看有什么" in visitor.get(f"/offers/{offer.public_id}").text


def test_a_host_pins_no_lot_below_what_its_seller_says_the_sellers_own_host_included() -> None:
    offer = builders.offer(price_fen=5900, broadcast_floor_fen=5000)
    own = builders.account(Role.HOST, offer.seller.organisation)
    for viewer in (host(), viewer_of(db.session.get_one(Account, own.id), "")):
        code = planned(viewer).code
        with pytest.raises(Invalid) as refusal:
            actions.pin_offer(viewer, code, Pin(offer.lot.public_id, 4999, 10))
        assert set(refusal.value.fields) == {"price_fen"}
        broadcast = queries.by_code(code)
        assert broadcast is not None
        assert broadcast.pins == []
        actions.pin_offer(viewer, code, Pin(offer.lot.public_id, 5000, 10))


def test_a_host_picks_among_lots_that_are_on_sale_in_the_shop_each_with_its_floor() -> None:
    named = builders.offer(price_fen=5900, broadcast_floor_fen=5000)
    unnamed = builders.offer(price_fen=1200)
    builders.offer(price_fen=900, withdrawn_at=clock.now())
    builders.lot(builders.product(builders.seller()))
    assert [(lot.id, floor.fen) for lot, floor in queries.lots_to_pin().rows] == [
        (unnamed.lot_id, 1200),
        (named.lot_id, 5000),
    ]


def test_starting_and_ending_twice_change_nothing() -> None:
    viewer = host()
    code = planned(viewer).code
    started = actions.start(viewer, code).started_at
    assert actions.start(viewer, code).started_at == started
    ended = actions.end(viewer, code).ended_at
    assert actions.end(viewer, code).ended_at == ended
    with pytest.raises(Conflict):
        actions.start(viewer, code)


def test_a_broadcast_is_not_planned_in_the_past() -> None:
    viewer, now = host(), clock.now()
    plan = Plan("春橙直播", "", BroadcastKind.LIVESTREAM, "", "", now, now + timedelta(hours=2))
    actions.plan_broadcast(viewer, replace(plan, planned_from=now - timedelta(minutes=9)))
    with pytest.raises(Invalid) as refusal:
        actions.plan_broadcast(viewer, replace(plan, planned_from=now - timedelta(minutes=11)))
    assert set(refusal.value.fields) == {"planned_from"}
    assert len(db.session.scalars(select(Broadcast)).all()) == 1


def test_a_host_chooses_from_what_can_be_pinned() -> None:
    product, day = builders.product(builders.seller()), clock.today()
    in_hand = builders.lot(product, offered=5)
    begun = day - timedelta(days=9)
    harvested = builders.lot(
        product, 5, LotMode.IN_FIELD, harvest_from=begun, harvest_to=day - timedelta(days=1)
    )
    growing = builders.lot(product, 5, LotMode.IN_FIELD, harvest_from=begun, harvest_to=day)
    sold_out = builders.lot(product, offered=5, promised=5)
    for one in (in_hand, harvested, growing, sold_out):
        builders.offer(one)
    builders.lot(product, offered=5)  # its seller does not sell it in the shop
    assert [one.id for one, _ in queries.lots_to_pin().rows] == [growing.id, in_hand.id]


def test_every_room_id_of_the_platform_is_kept_once_and_shown_to_the_host(app: Flask) -> None:
    now = clock.local(clock.now())
    plan = {
        "title_zh": "春橙直播",
        "kind": "livestream",
        "platform": "某平台",
        "outside_rooms": "room-1  ex-2 room-1",
        "planned_from": f"{now:%Y-%m-%dT%H:%M}",
        "planned_to": f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M}",
    }
    visitor = Visitor(app, app.response_class)
    visitor.enter(builders.account(Role.HOST).login)
    shown = visitor.send("/host/new", **plan)
    assert "room-1 ex-2" in visitor.page(shown.location)
    kept = select(OutsideRoom.platform, OutsideRoom.room).order_by(OutsideRoom.id)
    assert db.session.execute(kept).all() == [("某平台", "room-1"), ("某平台", "ex-2")]

    again = visitor.send("/host/new", **plan)
    assert (again.status_code, "已经记在另一场" in again.text) == (422, True)
    nowhere = visitor.send("/host/new", **{**plan, "platform": "", "outside_rooms": "room-3"})
    assert (nowhere.status_code, "也要写是哪个平台" in nowhere.text) == (422, True)
    assert db.session.scalar(select(func.count(Broadcast.id))) == 1
    assert len(db.session.execute(kept).all()) == 2


def test_planned_times_decide_nothing() -> None:
    broadcast = planned(host())
    with clock.moved(timedelta(hours=1)):
        assert not broadcast.is_live


def test_somebody_elses_broadcast_is_not_found() -> None:
    code = planned(host()).code
    with pytest.raises(NotFound):
        actions.start(host(), code)
    assert db.session.scalars(select(Broadcast.started_at)).one() is None


@pytest.mark.parametrize(
    ("price_fen", "quota", "limit", "field"),
    [
        (0, 1, None, "price_fen"),
        (-5, 1, None, "price_fen"),
        (100, 0, None, "quota"),
        (100, 101, None, "quota"),
        (100, -1, None, "quota"),
        (100, 1, 0, "limit_per_buyer"),
    ],
)
def test_terms_out_of_bounds_pin_nothing(
    price_fen: int, quota: int, limit: int | None, field: str
) -> None:
    viewer = host()
    code = planned(viewer).code
    lot = builders.lot(builders.product(builders.seller()))
    with pytest.raises(Invalid) as refusal:
        actions.pin_offer(viewer, code, Pin(lot.public_id, price_fen, quota, limit))
    assert set(refusal.value.fields) == {field}
    assert db.session.scalar(select(func.count(Offer.id))) == 0


def test_the_next_offer_comes_round_and_round() -> None:
    viewer = host()
    broadcast = planned(viewer)
    first, second = pinned(viewer, broadcast.code), pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    seen = []
    for minute in range(1, 4):
        with clock.moved(timedelta(minutes=minute)):
            shown = actions.show_next(viewer, broadcast.code)
            assert shown is not None
            seen.append(shown.offer_id)
    assert seen == [second.id, first.id, second.id]


def test_coming_back_soon_is_the_same_visit_and_going_elsewhere_first_is_not() -> None:
    one, other = planned(host()), planned(host())
    for broadcast in (one, one, other, one):
        actions.touch(broadcast.credit, "visitor", None)
    touched = db.session.scalars(select(Touch.code).order_by(Touch.id)).all()
    assert touched == [one.code, other.code, one.code]


class TestPages:
    """What a browser sees."""

    def test_visiting_a_broadcast_is_a_touch(self, client: FlaskClient) -> None:
        code = planned(host()).code
        assert client.get(f"/live/{code}").status_code == 200
        assert db.session.scalars(select(Touch.code)).all() == [code]

    def test_a_price_of_nothing_is_refused_beside_its_input(self, app: Flask) -> None:
        viewer = host()
        code = planned(viewer).code
        lot = builders.lot(builders.product(builders.seller()))
        form = {"lot": lot.public_id, "price_fen": "0", "quota": "10", "idempotency_key": "once"}
        login = db.session.get_one(Account, viewer.account_id or 0).login
        visitor = Visitor(app, app.response_class)
        assert visitor.enter(login).status_code == 302
        answer = visitor.send(f"/host/{code}/pins", **form)
        assert answer.status_code == 422
        assert 'id="price_fen-wrong"' in answer.text
        assert "价格要大于零" in answer.text

    def test_the_picker_names_the_floor_and_so_does_the_refusal_of_a_lower_price(
        self, app: Flask
    ) -> None:
        viewer = host()
        code = planned(viewer).code
        lot = builders.offer(price_fen=5900, broadcast_floor_fen=5000).lot
        visitor = Visitor(app, app.response_class)
        visitor.enter(db.session.get_one(Account, viewer.account_id or 0).login)
        assert "最低 ¥50.00" in visitor.page(f"/host/{code}")
        form = {"lot": lot.public_id, "price_fen": "49.99", "quota": "10"}
        answer = visitor.send(f"/host/{code}/pins", **form, idempotency_key="once")
        assert answer.status_code == 422
        assert 'id="price_fen-wrong"' in answer.text
        assert "供货方定的最低价是 ¥50.00" in answer.text

    def test_an_unknown_broadcast_is_not_found(self, client: FlaskClient) -> None:
        assert client.get("/live/nothing").status_code == 404
        assert client.get("/live/nothing/qr.svg").status_code == 404

    def test_the_board_is_for_its_host_only(self, client: FlaskClient) -> None:
        code = planned(host()).code
        assert client.get(f"/host/{code}/board").status_code == 302
        assert client.get(f"/api/v1/broadcasts/{code}/board").status_code == 401

    def test_the_board_answers_304_while_nothing_changed(self, client: FlaskClient) -> None:
        viewer = host()
        code = planned(viewer).code
        account = db.session.get_one(Account, viewer.account_id or 0)
        token = client.post(
            "/api/v1/tokens", json={"login": account.login, "password": builders.PASSWORD}
        ).get_json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        first = client.get(f"/api/v1/broadcasts/{code}/board", headers=headers)
        assert first.status_code == 200
        assert first.get_json()["paid_fen"] == 0
        again = client.get(
            f"/api/v1/broadcasts/{code}/board",
            headers=headers | {"If-None-Match": first.headers["ETag"]},
        )
        assert again.status_code == 304
        assert again.data == b""
