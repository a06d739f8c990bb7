"""Menus hold no dead link: a word shows only if its page exists and lets the viewer in."""

from __future__ import annotations

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from flask_babel import lazy_gettext

from kernel.access import Viewer, may_enter
from kernel.identity import Role, Seat
from marketplace.menu import RAIL_LIMIT, RAILS, SHOP, TABBAR, Item, came_from, can, shop_nav
from tests import builders
from tests.visitors import Visitor

EVERY_ITEM = {item.endpoint: item for items in (SHOP, TABBAR, *RAILS.values()) for item in items}


@pytest.mark.parametrize("endpoint", sorted(EVERY_ITEM))
def test_every_word_of_every_menu_has_a_page(application: Flask, endpoint: str) -> None:
    assert endpoint in application.view_functions


@pytest.mark.parametrize("role", sorted(RAILS))
def test_a_rail_holds_only_pages_that_its_role_may_enter(application: Flask, role: Role) -> None:
    who = Viewer(account_id=1, visitor="", seats=frozenset({Seat(role, 1)}))
    with application.app_context():
        closed = [item.endpoint for item in RAILS[role] if not may_enter(item.endpoint, who)]
    assert not closed


@pytest.mark.parametrize("role", sorted(RAILS))
def test_a_rail_has_at_most_eight_words(role: Role) -> None:
    assert 0 < len(RAILS[role]) <= RAIL_LIMIT


def test_a_visitor_is_not_shown_what_is_closed_to_visitors(client: FlaskClient) -> None:
    with client:
        client.get("/")
        assert not can("sellers.certificates")
        assert can("storefront.home")
        assert url_for("storefront.home") in {link.href for link in shop_nav()}


def test_an_endpoint_that_does_not_exist_can_not_be_entered(client: FlaskClient) -> None:
    with client:
        client.get("/")
        assert not can("nowhere.at_all")


def test_a_word_is_current_on_its_page_and_on_those_below_it() -> None:
    item = Item("sellers.offers", lazy_gettext("上架"), "tag", ("sellers.offer",))
    assert item.is_current("sellers.offers")
    assert item.is_current("sellers.offer_new")
    assert not item.is_current("sellers.lots")
    assert not item.is_current(None)


@pytest.mark.parametrize(
    ("referrer", "path"),
    [
        ("http://localhost/offers?q=橙", "/offers?q=橙"),
        ("http://elsewhere.example/offers", None),
        (None, None),
    ],
)
def test_only_a_page_of_this_site_is_gone_back_to(
    application: Flask, referrer: str | None, path: str | None
) -> None:
    headers = {"Referer": referrer} if referrer else {}
    with application.test_request_context("/cart", headers=headers):
        assert came_from() == path


def test_on_the_phone_the_words_of_the_rail_stand_on_the_pages_they_lead_to(
    shop: Flask, visitor: Visitor
) -> None:
    who = builders.account(Role.STAFF)
    visitor.enter(who.login)
    with shop.test_request_context():
        paths = [url_for(item.endpoint) for item in RAILS[Role.STAFF]]
    top = visitor.page(paths[0])
    strip = top[top.index('class="chips phone-only"') :]
    assert [path for path in paths if f'href="{path}"' not in strip] == []
    assert 'class="chips phone-only"' not in visitor.page("/staff/rounds/new")
