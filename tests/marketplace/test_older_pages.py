"""A host's broadcasts and a seller's notices: however many there are, the oldest can be reached."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role
from kernel.tokens import issue_token
from livestream import actions
from livestream.model import Broadcast
from orders.actions.rounds import create_round
from orders.model import HarvestNotice
from tests import builders
from tests.livestream.hosting import host, planned
from tests.orders.fairs import plan
from tests.visitors import Visitor

MANY = 51


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def named_on_pages(visitor: Visitor, path: str, name: str) -> list[list[str]]:
    """What the pages name behind each other, from the first to the last."""
    pages: list[list[str]] = []
    while path:
        page = visitor.page(path)
        pages.append(re.findall(name, page))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = html.unescape(following.group(1)) if following else ""
    return pages


def listed(app: Flask, who: Account, path: str, name: Callable[[dict[str, str]], str]) -> list[str]:
    """What a program reads of a list, page by page."""
    program = Visitor(app, app.response_class)
    headers = {"Authorization": f"Bearer {issue_token(who)}"}
    names: list[str] = []
    query = "?page_size=20"
    while query:
        answer = program.get(f"/api/v1/{path}{query}", headers=headers).get_json()
        names += [name(one) for one in answer["items"]]
        query = f"?page_size=20&cursor={answer['next_cursor']}" if answer["next_cursor"] else ""
    return names


def test_a_host_reaches_the_oldest_broadcast_and_finds_what_has_not_ended_first(
    app: Flask,
) -> None:
    viewer = host()
    codes = [planned(viewer).code for _ in range(MANY)]
    planned(host())
    with transaction() as session:
        for one in session.query(Broadcast).filter(Broadcast.code.in_(codes[1:])):
            one.started_at = one.ended_at = clock.now()
    actions.start(viewer, codes[0])
    wanted = [codes[0], *reversed(codes[1:])]
    account = db.session.get_one(Account, viewer.account_id or 0)
    visitor = Visitor(app, app.response_class)
    visitor.enter(account.login)
    pages = named_on_pages(visitor, "/host", r'class="row-x" href="/host/(\w+)"')
    assert [one for page in pages for one in page] == wanted
    assert [len(page) for page in pages] == [24, 24, 3]
    assert listed(app, account, "broadcasts", lambda one: one["code"]) == wanted


def test_a_seller_reaches_the_oldest_notice(app: Flask) -> None:
    seller, other = builders.seller(), builders.seller()
    clerk = builders.account(Role.CLERK, seller.organisation)
    rounds = [create_round(plan()) for _ in range(MANY)]
    with transaction() as session:
        notices = [HarvestNotice(round_id=one.id, seller_id=seller.id) for one in rounds]
        session.add_all([*notices, HarvestNotice(round_id=rounds[0].id, seller_id=other.id)])
    wanted = [one.public_id for one in reversed(notices)]
    visitor = Visitor(app, app.response_class)
    visitor.enter(clerk.login)
    pages = named_on_pages(visitor, "/seller/harvest", r'href="/seller/harvest/([\w-]+)"')
    assert [one for page in pages for one in page] == wanted
    assert [len(page) for page in pages] == [24, 24, 3]
    assert listed(app, clerk, "harvest-notices", lambda one: one["id"]) == wanted
