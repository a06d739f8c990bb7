"""The seller's harvest page: what it showed is what is done."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.db import db
from orders.actions.yields import Harvested, enter_yield
from orders.lifecycle import lapse_due
from orders.model import AllocationRun, OrderLine
from tests.laws import assert_laws_hold
from tests.orders.harvest_builders import Closed, closed_round
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def harvest(closed: Closed, units: int) -> None:
    enter_yield(closed.item.id, None, Harvested(units, confirmed=True), account_id=closed.clerk.id)


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
