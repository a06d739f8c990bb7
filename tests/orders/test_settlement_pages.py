"""What each household gets of a settlement, for a seller of few and of many of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select, text

from kernel.db import db, transaction
from kernel.identity import Role
from kernel.money import total
from kernel.second_person import Proposal
from orders.actions.settlement import state_settlement
from orders.model import Settlement
from orders.queries.settlement import FEW, PARTS_AT_ONCE, parts_page
from tests import builders
from tests.orders.harvest_builders import Closed, add_households
from tests.orders.test_settlement import handed_over
from tests.visitors import Visitor

MANY = PARTS_AT_ONCE + 50


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def somebody(app: Flask, login: str) -> Visitor:
    """Somebody who is signed in."""
    visitor = Visitor(app, app.response_class)
    visitor.enter(login)
    return visitor


def settled(households: int) -> tuple[Closed, str]:
    """A settlement in whose second distribution so many more households share."""
    closed = handed_over(60, 60)
    add_households(closed, households)
    return closed, state_settlement(closed.seller.id, closed.round.id).public_id


def test_few_households_stand_beside_their_settlement(app: Flask) -> None:
    closed, public_id = settled(0)
    page = somebody(app, closed.clerk.login).page("/seller/money")
    assert all(f"{one.number} 号农户" in page for one in closed.households)
    assert f"/seller/money/{public_id}" not in page


def test_many_households_have_a_page_of_their_own_that_names_each_once(app: Flask) -> None:
    closed, public_id = settled(MANY)
    clerk = somebody(app, closed.clerk.login)
    page = clerk.page("/seller/money")
    assert f"共 {MANY + len(closed.households)} 户" in page
    assert "0001 号农户" not in page
    way = f"/seller/money/{public_id}"
    assert way in page
    assert "0001 号农户" in clerk.page(way)
    assert f"{MANY:04d} 号农户" not in clerk.page(way)
    found = clerk.page(f"{way}?number={MANY:04d}")
    assert f"{MANY:04d} 号农户" in found
    assert "0001 号农户" not in found
    assert "0001 号农户" in clerk.page(f"{way}?number=1")
    assert "没有这个户号" in clerk.page(f"{way}?number=9999")


def test_a_household_is_found_by_its_number_as_people_say_it(app: Flask) -> None:
    closed, public_id = settled(MANY)
    page = somebody(app, closed.clerk.login).page(f"/seller/money/{public_id}?number=17")
    assert re.findall(r"(\d+) 号农户", page) == ["0017"]


def test_the_parts_of_all_pages_come_to_what_households_get() -> None:
    closed, public_id = settled(MANY)
    made = db.session.scalars(select(Settlement).where(Settlement.public_id == public_id)).one()
    first = parts_page(made.id, None)
    second = parts_page(made.id, first.next_cursor)
    parts = [*first.items, *second.items]
    assert second.next_cursor is None
    assert len(parts) == len({part.number for part in parts}) == MANY + len(closed.households)
    assert total(part.total for part in parts).fen == sum(one.amount_fen for one in made.shares)


def test_only_its_seller_staff_and_auditors_read_it(app: Flask) -> None:
    _, public_id = settled(FEW)
    way = f"/seller/money/{public_id}"
    for role in (Role.STAFF, Role.AUDITOR):
        assert "0001 号农户" in somebody(app, builders.account(role).login).page(way)
    stranger = builders.account(Role.CLERK, builders.seller().organisation)
    assert somebody(app, stranger.login).get(way).status_code == 404


def test_a_refused_payout_leads_on_through_the_list_and_not_through_itself(app: Flask) -> None:
    _, public_id = settled(0)
    staff = somebody(app, builders.account(Role.STAFF).login)
    staff.show_factor()
    with transaction() as session:
        made = session.scalars(select(Settlement).where(Settlement.public_id == public_id)).one()
        session.execute(
            text(
                "INSERT INTO settlement"
                " (public_id, seller_id, round_id, state, total_fen, stated_at,"
                " payout_reference)"
                " SELECT 'more-' || n, seller_id, round_id, state, total_fen, stated_at, ''"
                " FROM settlement, generate_series(1, 60) n WHERE id = :id"
            ),
            {"id": made.id},
        )
    answer = staff.send(
        f"/staff/settlements/{public_id}/payout", reference="", reason="", idempotency_key="k"
    )
    assert answer.status_code == 422
    assert db.session.scalars(select(Proposal)).all() == []
    assert 'href="/staff/settlements?cursor=' in answer.get_data(as_text=True)
