"""How a host finds the lot to pin, and the owner of a share link the offer that it opens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db
from kernel.identity import Account, Role
from livestream import queries
from livestream.model import BroadcastOffer, ShareLink
from sellers.model import Offer
from sellers.queries import choosing
from tests import builders
from tests.livestream.hosting import planned
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        builders.credit_source()
        yield


@pytest.fixture
def old() -> Offer:
    """What was listed before everything else."""
    goods = builders.product(builders.seller(name_zh="山里合作社"), name_zh="小米")
    return builders.offer(builders.lot(goods, code="S-77"))


@pytest.fixture
def new(old: Offer) -> list[Offer]:
    """What was listed since."""
    return [builders.offer() for _ in range(3)]


@pytest.fixture
def host() -> Viewer:
    account = builders.account(Role.HOST, login="host")
    return viewer_of(db.session.get_one(Account, account.id), "")


@pytest.fixture
def at_work(app: Flask, host: Viewer) -> Visitor:
    """The host's browser."""
    visitor = Visitor(app, app.response_class)
    visitor.enter("host")
    return visitor


def options(page: str) -> list[str]:
    """The public ids among which a page lets choose."""
    return re.findall(r'<option (?:selected )?value="(\w+)"', page)


def chosen(page: str) -> list[str]:
    """The public ids that a page has as chosen."""
    return re.findall(r'<option selected value="(\w+)"', page)


def pin_form(page: str) -> dict[str, str]:
    """Where the form that pins is sent, and its key."""
    form = r'action="(/host/\w+/pins[^"]*)".*?name="idempotency_key" value="(\w+)"'
    found = re.search(form, page, re.DOTALL)
    assert found is not None
    return {"path": found[1], "idempotency_key": found[2]}


@pytest.mark.parametrize("asked", ["小米", "山里 小米", " s-7 ", "public id"])
def test_a_host_finds_any_lot_however_many_are_newer(
    host: Viewer,
    at_work: Visitor,
    old: Offer,
    new: list[Offer],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    monkeypatch.setattr(choosing, "MAX_CHOICES", 2)
    path = f"/host/{planned(host).code}"
    page = at_work.page(path)
    assert options(page) == [new[2].lot.public_id, new[1].lot.public_id]
    assert "里是最新的 2 批，还有更多" in page
    asked = old.lot.public_id if asked == "public id" else asked
    page = at_work.get(path, query_string={"q": asked}).text
    assert options(page) == [old.lot.public_id]
    assert "找到 1 批" in page
    assert "小米 · 最低 ¥59.00 · 山里合作社 · 还有 100 箱 · S-77" in page
    assert '<details class="sheet blk" id="add" open>' in page


@pytest.mark.parametrize("asked", ["小米", "山里 小米", " s-7 ", "lot", "offer"])
def test_a_share_link_opens_any_offer_however_many_are_newer(
    at_work: Visitor,
    old: Offer,
    new: list[Offer],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    monkeypatch.setattr(choosing, "MAX_CHOICES", 2)
    page = at_work.page("/links")
    assert options(page) == [new[2].public_id, new[1].public_id]
    assert "里是最新的 2 件，还有更多" in page
    asked = {"lot": old.lot.public_id, "offer": old.public_id}.get(asked, asked)
    page = at_work.get("/links", query_string={"q": asked}).text
    assert options(page) == [old.public_id]
    assert "找到 1 件" in page
    assert "小米 · 山里合作社 · S-77" in page


@pytest.mark.parametrize("asked", ["冬橙", "？！", "%", "100%"])
def test_a_search_that_finds_nothing_says_so(
    host: Viewer, at_work: Visitor, old: Offer, asked: str
) -> None:
    for path in (f"/host/{planned(host).code}", "/links"):
        assert "没有找到" not in at_work.page(path)
        page = at_work.get(path, query_string={"q": asked}).text
        assert (options(page), "没有找到" in page) == ([], True), path


def test_nothing_is_found_that_could_not_be_pinned_or_shared(new: list[Offer]) -> None:
    goods = builders.product(builders.seller(), name_zh="冬橙")
    builders.lot(goods)  # its seller does not sell it in the shop
    withdrawn = builders.offer(builders.lot(goods), withdrawn_at=clock.now())
    asked = [withdrawn.lot.public_id, withdrawn.public_id]
    for search in ("冬橙", *asked):
        assert queries.lots_to_pin(search, asked).rows == []
        assert queries.offers_to_share(search, asked).rows == []


def test_a_lot_that_is_not_listed_is_pinned_and_stays_chosen_while_its_form_is_refused(
    host: Viewer,
    at_work: Visitor,
    old: Offer,
    new: list[Offer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "MAX_CHOICES", 2)
    path = f"/host/{planned(host).code}"
    filled = {"lot": old.lot.public_id, "price_fen": "59", "quota": "101"}
    page = at_work.send(**pin_form(at_work.page(path)), **filled).text
    assert "这一批只剩 100 箱" in page
    assert chosen(page) == [old.lot.public_id]
    # What was searched stays as well, and what was chosen is none of what that finds.
    page = at_work.send(**pin_form(at_work.page(f"{path}?q=春橙 x")), **filled).text
    assert (options(page), chosen(page)) == ([old.lot.public_id], [old.lot.public_id])
    assert 'value="春橙 x"' in page
    assert "没有找到" in page
    at_work.send(**pin_form(page), **{**filled, "quota": "100"})
    pins = db.session.scalars(select(BroadcastOffer)).all()
    assert [pin.offer.lot_id for pin in pins] == [old.lot_id]


def test_an_offer_that_is_not_listed_is_shared_and_stays_chosen_while_its_form_is_refused(
    at_work: Visitor, old: Offer, new: list[Offer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MAX_CHOICES", 2)
    page = at_work.send("/links?q=冬橙", title_zh="", offer=old.public_id).text
    assert (options(page), chosen(page)) == ([old.public_id], [old.public_id])
    assert 'value="冬橙"' in page
    at_work.send("/links", title_zh="山里的小米", offer=old.public_id)
    assert [link.offer_id for link in db.session.scalars(select(ShareLink))] == [old.id]
