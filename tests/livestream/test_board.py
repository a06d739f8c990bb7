"""A broadcast's board: what it counts, and when it changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from kernel import clock
from kernel.db import db, transaction
from kernel.errors import Conflict
from kernel.identity import Account
from livestream import actions, board
from livestream.board import FLOW_STEP_MIN, board_of
from orders.model import Order, PaymentMethod
from orders.placing import Credited, place
from sellers.actions import withdraw_offer
from sellers.model import Offer
from tests import builders
from tests.livestream.hosting import host, pinned, planned, sell
from tests.statements import counting
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


def test_the_board_counts_what_was_paid_and_nothing_else() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer, other = pinned(viewer, broadcast.code), pinned(viewer, broadcast.code, price_fen=1000)
    actions.start(viewer, broadcast.code)
    sell(broadcast, offer, 2)
    sell(broadcast, other, 3)
    sell(broadcast, offer, 1, paid=False)
    told = board_of(broadcast)
    assert (told.paid_fen, told.refunded_fen, told.net_fen) == (14800, 0, 14800)
    assert (told.created_orders, told.orders, told.lines, told.units) == (3, 2, 2, 5)
    assert (told.buyers, told.first_time_buyers) == (2, 2)
    assert [(pin.paid_fen, pin.sold, pin.left) for pin in told.pins] == [
        (11800, 3, 7),
        (3000, 3, 7),
    ]
    assert sum(count for _at, count in told.flow) == 2
    assert sum(pin.paid_fen for pin in told.pins) == told.paid_fen


def test_a_buyer_who_bought_before_is_not_a_first_time_buyer() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    buyer = builders.buyer()
    for hours_ago in (2, 1):
        placed = place(
            buyer,
            {offer.id: 1},
            {offer.id: Credited(broadcast.credit_source_id)},
            PaymentMethod.STRIPE,
        )
        with transaction() as session:
            kept = session.get_one(Order, placed.order_id)
            kept.paid_at = clock.now() - timedelta(hours=hours_ago)
    told = board_of(broadcast)
    assert (told.orders, told.buyers) == (2, 1)
    # The first of both orders was a first one, so the buyer counts as new in this broadcast.
    assert told.first_time_buyers == 1


def test_the_tag_of_a_board_changes_only_when_a_figure_does() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    with clock.frozen(clock.now()):
        before = board_of(broadcast).etag
        assert board_of(broadcast).etag == before
        sell(broadcast, offer, 1)
        assert board_of(broadcast).etag != before


def test_figures_are_read_again_only_after_something_was_committed() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    at = clock.now()
    with clock.frozen(at):
        first = board_of(broadcast)
    with clock.frozen(at + timedelta(milliseconds=1)), counting() as sent:
        again = board_of(broadcast)
    assert len(sent) == 1
    assert again.as_of > first.as_of
    assert replace(again, as_of=first.as_of) == first
    with db.engine.connect() as other:
        # Somebody else's change, which this session knows nothing of.
        other.execution_options(isolation_level="READ COMMITTED")
        other.execute(update(Offer).where(Offer.id == offer.id).values(sold=4))
        assert board_of(broadcast).etag == first.etag
        other.commit()
    db.session.expire_all()  # as for another request
    assert [pin.sold for pin in board_of(broadcast).pins] == [4]


def test_a_long_board_is_not_read_again_for_every_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "LINES_READ_A_SECOND", 1)
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    for _ in range(5):
        sell(broadcast, offer, 1)
    begins = clock.now() + timedelta(hours=1)
    begins -= timedelta(seconds=begins.timestamp() % 5)
    with clock.frozen(begins):
        first = board_of(broadcast)
    with clock.frozen(begins + timedelta(seconds=4)):
        sell(broadcast, offer, 1)
        assert board_of(broadcast) == first, "as it was four seconds ago, and it says so"
    with clock.frozen(begins + timedelta(seconds=5)):
        assert board_of(broadcast).lines == first.lines + 1
        actions.end(viewer, broadcast.code)
        assert not board_of(broadcast).live, "its end shows at once"


def test_the_flow_moves_on_while_nothing_is_committed() -> None:
    viewer = host()
    broadcast = planned(viewer)
    actions.start(viewer, broadcast.code)
    steps = []
    for minutes in (0, FLOW_STEP_MIN):
        with clock.moved(timedelta(minutes=minutes)):
            steps.append(len(board_of(broadcast).flow))
    assert steps[1] == steps[0] + 1


def test_what_its_seller_withdrew_is_not_left_and_the_host_reads_so(app: Flask) -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    withdraw_offer(offer.id)
    assert [(pin.left, pin.withdrawn) for pin in board_of(broadcast).pins] == [(0, True)]
    at_work = Visitor(app, app.response_class)
    at_work.enter(db.session.get_one(Account, viewer.account_id).login)
    assert "春橙下架了，讲下一个" in at_work.page(f"/host/{broadcast.code}/board")
    wall = at_work.page(f"/host/{broadcast.code}/board")
    assert '<p class="rest"><b class="word">已下架</b></p>' in wall
    assert '<td class="r">已下架</td>' in wall
    page = at_work.page(f"/host/{broadcast.code}")
    assert "已下架" in page
    assert "/quota/" not in page


def test_a_broadcast_that_has_ended_shows_and_offers_nothing_further() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer, _other = pinned(viewer, broadcast.code), pinned(viewer, broadcast.code)
    actions.start(viewer, broadcast.code)
    actions.end(viewer, broadcast.code)
    before = board_of(broadcast).pins
    assert actions.show_next(viewer, broadcast.code) is None
    with pytest.raises(Conflict) as refusal:
        actions.add_quota(viewer, broadcast.code, offer.public_id, 5)
    assert refusal.value.code == "broadcast_ended"
    assert board_of(broadcast).pins == before


def test_no_more_is_offered_of_what_its_seller_withdrew() -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code)
    withdraw_offer(offer.id)
    with pytest.raises(Conflict) as refusal:
        actions.add_quota(viewer, broadcast.code, offer.public_id, 5)
    assert refusal.value.code == "offer_withdrawn"


def test_a_host_adds_what_the_lot_still_has_and_no_more(app: Flask) -> None:
    viewer = host()
    broadcast = planned(viewer)
    offer = pinned(viewer, broadcast.code, quota=60)
    at_work = Visitor(app, app.response_class)
    at_work.enter(db.session.get_one(Account, viewer.account_id).login)
    manage = f"/host/{broadcast.code}"
    page = at_work.page(manage)
    assert "这一批还有 100 箱，最多再加 40 箱" in page
    assert 'max="40" value="40"' in page
    way = f"{manage}/quota/{offer.public_id}"
    at_work.send(way, units="41", idempotency_key="too many")
    assert "这一批只剩 100 箱，最多再加 40 箱。" in at_work.page(manage)
    assert [pin.quota for pin in board_of(broadcast).pins] == [60]
    at_work.send(way, units="40", idempotency_key="as many")
    page = at_work.page(manage)
    assert "这一批还有 100 箱，都能在这里卖" in page
    assert "/quota/" not in page
    assert [pin.quota for pin in board_of(broadcast).pins] == [100]
