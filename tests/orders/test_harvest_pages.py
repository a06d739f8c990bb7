"""The seller's harvest page: what it showed is what is done."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.db import db
from kernel.money import Money
from orders.actions.harvest import propose, split
from orders.lifecycle import lapse_due
from orders.model import AllocationRun, OrderLine
from tests.laws import assert_laws_hold
from tests.orders.harvest_builders import PRICE_FEN, Closed, closed_round, harvest
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def lapse_unpaid(closed: Closed) -> None:
    """The member who never paid takes no part any more."""
    assert lapse_due(clock.now() + timedelta(days=30)) == 1


def shown_on(page: str) -> str:
    code = re.search(r'name="shown" value="([^"]+)"', page)
    assert code is not None
    return code.group(1)


CHANGES: list[Callable[[Closed], None]] = [lambda closed: harvest(closed, 60), lapse_unpaid]


@pytest.mark.parametrize("change", CHANGES)
def test_an_old_page_divides_nothing_and_shows_the_new_division(
    app: Flask, change: Callable[[Closed], None]
) -> None:
    closed = closed_round(50, 30, paid=1)
    harvest(closed, 70)
    clerk = Visitor(app, app.response_class)
    clerk.enter(closed.clerk.login)
    clerk.show_factor()
    old = shown_on(clerk.page(f"/seller/harvest/{closed.notice.public_id}"))
    change(closed)
    way = f"/seller/harvest/items/{closed.item.public_id}/allocation"
    refused = clerk.send(way, shown=old, idempotency_key="old")
    assert refused.status_code == 409
    assert "实收或者订单刚刚变了，还没有分配" in refused.text
    db.session.expire_all()
    assert db.session.scalars(select(AllocationRun)).all() == []
    assert set(db.session.scalars(select(OrderLine.allocated))) == {None}
    new = shown_on(refused.text)
    assert new != old
    assert clerk.send(way, shown=new, idempotency_key="new").status_code == 302
    assert len(db.session.scalars(select(AllocationRun)).all()) == 1
    assert_laws_hold()


def test_the_page_hangs_the_question_on_the_figure_at_fault_and_moves_on(app: Flask) -> None:
    closed = closed_round(60)
    split(closed.item.id, propose(closed.item, closed.households))
    first, second = closed.households[:2]
    clerk = Visitor(app, app.response_class)
    clerk.enter(closed.clerk.login)
    way = f"/seller/harvest/items/{closed.item.public_id}/yield"
    typed = {"household": first.public_id, "quantity": "30"}
    asked = clerk.send(way, **typed, weight="1", idempotency_key="asked").text
    assert re.search(r'name="weight"[^>]*aria-invalid', asked)
    assert not re.search(r'name="quantity"[^>]*aria-invalid', asked)
    assert "任务是" not in asked
    kept = clerk.send(way, **typed, weight="", idempotency_key="kept")
    page = clerk.page(kept.headers["Location"])
    assert f'value="{second.public_id}" selected' in page
    assert f"{Money(30 * PRICE_FEN)}：没付的少付" in page
