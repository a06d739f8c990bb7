"""A long list leads on, back and to its first page, and keeps what narrows it."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from flask import Flask

from cabinets import queries as cabinets
from kernel import clock
from kernel.identity import OrganisationKind, Role
from livestream import actions as live
from livestream import queries
from livestream.model import BroadcastKind
from marketplace.list_pages import MAX_LENGTH, Ways, ways
from orders.actions.rounds import create_round
from orders.payments import queries as payments
from orders.queries import handover, settlement
from orders.queries.rounds import SHOWN_ROUNDS
from sellers.queries import storefront
from tests import builders, town
from tests.marketplace.purchases import ADDRESS, hidden, orders
from tests.orders.fairs import plan
from tests.town.channels import viewer
from tests.visitors import Visitor

HOUR = timedelta(hours=1)


def way(page: str, rel: str) -> str | None:
    """The address behind the pager's link; None where there is none."""
    found = re.search(rf'href="([^"]*)" rel="{rel}"', page)
    return html.unescape(found[1]) if found else None


def said(page: str) -> str:
    """What the pager says beside its links."""
    found = re.search(r'<nav class="pager".*?<p class="note">(.*?)</p>', page, re.DOTALL)
    return found[1] if found else ""


def test_a_shelf_is_walked_to_its_end_and_back_page_by_page(visitor: Visitor) -> None:
    product = builders.product(builders.seller())
    for _ in range(3 * storefront.PAGE_SIZE + 1):
        builders.offer(builders.lot(product))
    walked = ["/offers?category=fruit"]
    while following := way(visitor.page(walked[-1]), "next"):
        walked.append(following)
    assert len(walked) == 4
    assert all("category=fruit" in one for one in walked)
    pages = [visitor.page(one) for one in walked]
    assert [said(page) for page in pages] == ["", "第 2 页", "第 3 页", "第 4 页，最后一页"]
    assert [way(page, "prev") for page in pages] == [None, *walked[:-1]]
    # Of the second page, the first is the one before it.
    assert [way(page, "first") for page in pages] == [None, None, walked[0], walked[0]]


def test_a_list_of_one_page_has_no_ways(visitor: Visitor) -> None:
    builders.offer()
    assert 'class="pager"' not in visitor.page("/offers")


def test_a_very_long_walk_keeps_an_address_short_and_never_skips_a_page(app: Flask) -> None:
    def at(path: str, following: str | None) -> Ways:
        with app.test_request_context(path):
            return ways(following)

    walked = ["/ledger"]
    for number in range(100):
        walked.append(at(walked[-1], f"cursor{number}").following)
    assert max(len(one) for one in walked) < MAX_LENGTH + 50
    back = at(walked[-1], None)
    assert (back.first, back.number) == ("/ledger", None)
    steps = 0
    while back.previous:
        steps += 1
        here = walked[-1 - steps]
        assert back.previous.split("&")[0] == here.split("&")[0]
        back = at(back.previous, "on")
    assert 20 < steps < 100
    assert back.first == "/ledger"


@pytest.mark.parametrize("before", ["..", "-", "-.-", "x.-", "." * 2000])
def test_what_nobody_wrote_there_breaks_no_page(visitor: Visitor, before: str) -> None:
    builders.offer()
    answer = visitor.get("/offers", query_string={"cursor": "WzJd", "before": before})
    assert answer.status_code == 200


def test_back_from_an_order_leads_to_the_page_of_the_list_that_led_there(
    visitor: Visitor,
) -> None:
    platform = builders.organisation(OrganisationKind.PLATFORM)
    builders.account(Role.STAFF, platform, login="staff-1")
    visitor.enter("staff-1")
    planned = create_round(plan()).public_id
    path = f"/staff/rounds/{planned}"
    asked = "/staff/rounds?cursor=WzJd&before=WzFd"
    from_list = visitor.get(path, headers={"Referer": f"http://localhost{asked}"}).text
    assert f'href="{html.escape(asked)}" aria-label="返回"' in from_list
    for elsewhere in ("http://localhost/staff/rounds/new", "http://elsewhere.example/staff/rounds"):
        page = visitor.get(path, headers={"Referer": elsewhere}).text
        assert 'href="/staff/rounds" aria-label="返回"' in page


def test_a_buyer_goes_back_to_the_page_of_orders_that_led_to_one(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    visitor.send("/cart/lines", offer=builders.offer().public_id, quantity=1)
    form = {**hidden(visitor.page("/checkout")), **ADDRESS, "payment": "transfer"}
    visitor.post("/checkout", data=form)
    [order] = orders()
    asked = "/orders?cursor=WzJd&before=WzFd"
    page = visitor.get(
        f"/orders/{order.number}", headers={"Referer": f"http://localhost{asked}"}
    ).text
    assert f'class="crumb" href="{html.escape(asked)}"' in page


def test_no_broadcast_link_or_round_drops_off_the_end_of_its_list(visitor: Visitor) -> None:
    platform = builders.organisation(OrganisationKind.PLATFORM)
    staff = builders.account(Role.STAFF, platform, login="staff-1")
    visitor.enter("staff-1")
    at = clock.now()
    wanted = live.Plan("最早的直播", "", BroadcastKind.LIVESTREAM, "某平台", "", at, at + HOUR)
    live.plan_broadcast(viewer(staff), wanted)
    live.make_share_link(viewer(staff), "最早的推广码", "", None)
    for number in range(queries.PAGE_SIZE):
        live.plan_broadcast(
            viewer(staff),
            live.Plan("直播", "", BroadcastKind.LIVESTREAM, "某平台", "", at, at + HOUR),
        )
        live.make_share_link(viewer(staff), f"推广码{number}", "", None)
    for _ in range(SHOWN_ROUNDS + 1):
        create_round(plan())
    for path, last in (("/host", "最早的直播"), ("/links", "最早的推广码"), ("/staff/rounds", "")):
        first = visitor.page(path)
        assert not last or last not in first
        following = way(first, "next")
        assert following, path
        page = visitor.page(following)
        assert last in page
        assert said(page) == "第 2 页，最后一页"


def test_what_stands_before_a_list_stands_on_its_first_page_only(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = town.build(2)
    monkeypatch.setattr(handover, "PAGE_SIZE", 1)
    monkeypatch.setattr(settlement, "PAGE_SIZE", 1)
    asked = (
        (people.clerk, "/seller/consignments", "可以装了"),
        (people.staff, "/staff/settlements", "签收了，待结算"),
    )
    for account, path, words in asked:
        visitor.enter(account.login)
        first = visitor.page(path)
        following = way(first, "next")
        assert words in first, path
        assert following, path
        assert words not in visitor.page(following), path
        visitor.send("/sign-out")


def test_a_list_that_shows_only_the_first_says_so(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = town.build(2)
    asked = (
        (people.operator, "/operator/restock", "先列最空的"),
        (people.staff, "/staff/transfers", "先列 "),
        (people.staff, "/staff/refunds", "先列 "),
    )
    for most, shown in ((1, True), (100, False)):
        monkeypatch.setattr(cabinets, "TO_RESTOCK", most)
        monkeypatch.setattr(payments, "AT_MOST", most)
        for account, path, words in asked:
            visitor.enter(account.login)
            assert (words in visitor.page(path)) is shown, path
            visitor.send("/sign-out")
