"""A notice of a cooperative with thousands of households: a page that a phone can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from kernel.db import db, transaction
from orders.actions.harvest import answer, propose, split
from orders.model import HouseholdQuota, QuotaState, YieldEntry
from orders.queries.harvest import households
from orders.web.many_households import FEW, LONGEST_ASKED, TASKS_AT_ONCE
from sellers.model import Household
from tests.orders.harvest_builders import Closed, add_households, closed_round
from tests.visitors import Visitor

MANY = 400


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def closed() -> Closed:
    """A notice of 450 boxes for three households and 400 more, each of one share."""
    made = closed_round(450)
    add_households(made, MANY)
    return made


def at_work(app: Flask, closed: Closed) -> Visitor:
    """The seller's clerk at the page."""
    clerk = Visitor(app, app.response_class)
    clerk.enter(closed.clerk.login)
    return clerk


def numbered(closed: Closed, number: str) -> Household:
    """A household of the seller."""
    return db.session.scalars(
        select(Household).where(Household.seller_id == closed.seller.id, Household.number == number)
    ).one()


def one_more(closed: Closed, number: str) -> None:
    """The seller has another household, of that number."""
    with transaction() as session:
        session.add(Household(seller_id=closed.seller.id, number=number, status="registered"))


def found(page: str) -> list[str]:
    """The households (public ids) that stand on the page with a field for their units."""
    return re.findall(r'name="units-(\w+)"', page)


def given(closed: Closed) -> dict[str, int]:
    """Household's number → units that it was offered."""
    db.session.expire_all()
    rows = db.session.execute(
        select(Household.number, HouseholdQuota.quantity)
        .join(HouseholdQuota.household)
        .where(HouseholdQuota.item_id == closed.item.id)
    )
    return {row.number: row.quantity for row in rows}


def test_many_households_are_split_among_with_one_button(app: Flask, closed: Closed) -> None:
    clerk = at_work(app, closed)
    page = clerk.page(f"/seller/harvest/{closed.notice.public_id}")
    assert len(page.encode()) < 40_000
    assert 'name="units-' not in page
    proposed = propose(closed.item, households(closed.seller.id))
    assert f"分给 {len(proposed)} 户" in page
    clerk.send(f"/seller/harvest/items/{closed.item.public_id}/split", by="shares")
    assert sum(given(closed).values()) == 450
    assert len(given(closed)) == len(proposed)


def test_whoever_is_to_get_another_number_is_found_and_the_others_share_the_rest(
    app: Flask, closed: Closed
) -> None:
    clerk = at_work(app, closed)
    way = f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}"
    page = clerk.page(f"{way}&find=17、0230%209999")
    shown = found(page)
    chosen = [numbered(closed, "0017"), numbered(closed, "0230")]
    assert shown == [one.public_id for one in chosen]
    assert "没有这些户号：9999" in page
    typed = dict(zip((f"units-{one}" for one in shown), ("40", "0"), strict=True))
    split_way = f"/seller/harvest/items/{closed.item.public_id}/split"
    refused = clerk.send(
        split_way, by="equal", find="17 230", **{**typed, f"units-{shown[0]}": "451"}
    )
    assert refused.status_code == 422
    assert found(refused.text) == shown
    assert 'value="451"' in refused.text
    assert given(closed) == {}
    clerk.send(split_way, by="equal", find="17 230", **typed)
    shares = given(closed)
    assert (shares["0017"], shares.get("0230"), sum(shares.values())) == (40, None, 450)
    assert {units for number, units in shares.items() if number != "0017"} == {1, 2}


def test_tasks_of_many_households_come_page_by_page_and_are_found_by_number(
    app: Flask, closed: Closed
) -> None:
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    quotas = db.session.scalars(
        select(HouseholdQuota).where(HouseholdQuota.item_id == closed.item.id)
    ).all()
    answer(quotas[0].id, accept=True, account_id=None, by_proxy=False)
    clerk = at_work(app, closed)
    path = f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}"
    seen: list[str] = []
    while path:
        page = clerk.page(path)
        assert len(page.encode()) < 150_000
        rows = re.findall(r'<th scope="row">(\d+) 号农户', page)
        assert len(rows) <= TASKS_AT_ONCE
        seen += rows
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following.group(1).replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == len(given(closed)) > FEW
    assert seen[-1] == quotas[0].household.number, "whoever answered comes last"
    page = clerk.page(
        f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}&who=0230"
    )
    assert re.findall(r'<th scope="row">(\d+) 号农户', page) == ["0230"]


def test_a_yield_of_many_households_is_entered_by_number(app: Flask, closed: Closed) -> None:
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    clerk = at_work(app, closed)
    way = f"/seller/harvest/items/{closed.item.public_id}/yield"
    clerk.send(way, household="17", quantity="1", idempotency_key="one")
    entry = db.session.scalars(select(YieldEntry)).one()
    assert entry.household_id == numbered(closed, "0017").id
    refused = clerk.send(way, household="9999", quantity="1", idempotency_key="two")
    assert refused.status_code == 422
    assert db.session.scalar(select(func.count(YieldEntry.id))) == 1
    assert db.session.scalar(
        select(func.count(HouseholdQuota.id)).where(HouseholdQuota.state == QuotaState.DELIVERED)
    )


def test_a_steward_finds_every_task_and_first_what_is_still_to_do(
    app: Flask, closed: Closed
) -> None:
    with transaction() as session:
        session.execute(update(Household).values(steward_id=closed.steward.id))
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    oldest = db.session.scalars(select(HouseholdQuota.id).order_by(HouseholdQuota.id)).all()
    for id_ in oldest[3:9]:
        answer(id_, accept=False, account_id=closed.steward.id, by_proxy=True)
    steward = Visitor(app, app.response_class)
    steward.enter(closed.steward.login)
    path, seen, done = "/field", [], ""
    while path:
        page = steward.page(path)
        seen.append(re.findall(r"(\d+) 号农户", page.partition("办完的")[0]))
        done = page.partition("办完的")[2]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following.group(1).replace("&amp;", "&") if following else ""
    assert all(len(numbers) == 60 for numbers in seen[:-1])
    assert sum(len(numbers) for numbers in seen) == len(oldest) - 6
    assert len(re.findall(r"\d+ 号农户", done)) == 6


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("0017", ["0017"]),
        ("17", ["17"]),
        ("17 0017 17", ["17", "0017"]),
        ("00017", ["0017", "17"]),
        ("017、17", ["0017", "17"]),
    ],
)
def test_of_two_households_that_differ_by_a_zero_the_one_that_is_written_is_found(
    app: Flask, closed: Closed, asked: str, numbers: list[str]
) -> None:
    one_more(closed, "17")
    clerk = at_work(app, closed)
    way = f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}"
    assert found(clerk.page(f"{way}&find={asked}")) == [
        numbered(closed, number).public_id for number in numbers
    ]
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    rows = re.findall(r'<th scope="row">(\d+) 号农户', clerk.page(f"{way}&who={asked}"))
    assert rows == numbers


def test_a_yield_goes_to_the_household_whose_number_is_written_and_to_none_where_two_may_be_meant(
    app: Flask, closed: Closed
) -> None:
    one_more(closed, "17")
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    clerk = at_work(app, closed)
    way = f"/seller/harvest/items/{closed.item.public_id}/yield"
    clerk.send(way, household=" 17 ", quantity="1", idempotency_key="one")
    clerk.send(way, household="０017", quantity="2", idempotency_key="two")
    refused = clerk.send(way, household="017", quantity="3", idempotency_key="three")
    assert "有几户可以这样写" in refused.text
    entered = {one.household_id: one.quantity for one in db.session.scalars(select(YieldEntry))}
    assert entered == {numbered(closed, "17").id: 1, numbered(closed, "0017").id: 2}


def test_all_numbers_that_the_field_takes_are_found(app: Flask, closed: Closed) -> None:
    clerk = at_work(app, closed)
    asked = " ".join(str(n) for n in range(10, 10 + LONGEST_ASKED // 4))
    way = f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}"
    assert 'maxlength="300"' in clerk.page(way)
    assert LONGEST_ASKED == 300
    page = clerk.page(f"{way}&find={asked}")
    assert len(found(page)) == asked.count(" ") + 1 > FEW


def test_ways_from_a_refused_step_lead_on_in_the_item_that_stands_open(
    app: Flask, closed: Closed
) -> None:
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    clerk = at_work(app, closed)
    refused = clerk.send(
        f"/seller/harvest/items/{closed.item.public_id}/yield",
        household="9999",
        quantity="1",
        idempotency_key="one",
    )
    following = re.search(r'href="([^"]+)" rel="next"', refused.text)
    assert following
    assert following[1].startswith(
        f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}&amp;cursor="
    )


def test_who_splits_equally_does_so_after_looking_for_a_task(app: Flask, closed: Closed) -> None:
    split(closed.item.id, propose(closed.item, households(closed.seller.id), by_shares=False))
    quota = db.session.scalars(select(HouseholdQuota).order_by(HouseholdQuota.id)).first()
    assert quota
    answer(quota.id, accept=False, account_id=None, by_proxy=False)
    way = f"/seller/harvest/{closed.notice.public_id}?item={closed.item.public_id}&by=equal"
    page = at_work(app, closed).page(way)
    [task_search] = re.findall(r'<form [^>]*role="search">(?:(?!</form>).)*name="who"', page)
    assert '<input type="hidden" name="by" value="equal">' in task_search


def test_an_item_that_is_none_of_the_notice_opens_the_first_one(app: Flask, closed: Closed) -> None:
    page = at_work(app, closed).page(f"/seller/harvest/{closed.notice.public_id}?item=nothing")
    assert f'id="i-{closed.item.public_id}" open' in page


def test_a_refused_split_goes_on_at_the_notice_and_not_at_the_step_that_was_refused(
    app: Flask, closed: Closed
) -> None:
    clerk = at_work(app, closed)
    way = f"/seller/harvest/{closed.notice.public_id}"
    step = f"/seller/harvest/items/{closed.item.public_id}/split"
    typed = {f"units-{closed.households[0].public_id}": "451"}
    refused = clerk.send(step, by="shares", find=closed.households[0].number, **typed)
    assert refused.status_code == 422
    leads = re.findall(r'<form [^>]*method="get" action="([^"]*)"', refused.text)
    leads += re.findall(r'<a href="([^"]*by=[^"]*)"', refused.text)
    assert len(leads) == 3
    for lead in leads:
        assert urljoin(step, lead.replace("&amp;", "&")).startswith(way)
    typed_again = refused.text.partition(typed.popitem()[0])[2]
    assert 'value="451"' in typed_again
