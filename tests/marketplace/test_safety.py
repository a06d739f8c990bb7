"""Sessions, tokens and passwords: what a stolen one is worth, and for how long."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock, tokens, web_sessions
from kernel.db import db, transaction
from kernel.identity import Membership, MembershipState, Role, grant
from kernel.settings import SignInLimits
from kernel.tokens import issue_token
from kernel.web_sessions import SEEN_EVERY, WebSession
from marketplace.account.jobs import drop_what_is_over
from marketplace.app import create_app
from tests import builders
from tests.marketplace.browsers import JSON, is_in, key_of, other, pair, stolen
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _shop(shop: Flask) -> None:
    """Every test here has a shop."""


def test_a_stolen_cookie_dies_when_its_owner_signs_out(shop: Flask, visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    thief = stolen(shop, visitor)
    assert is_in(thief)
    visitor.send("/sign-out")
    assert not is_in(thief)


def test_signing_in_again_gives_another_session(shop: Flask, visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    thief, before = stolen(shop, visitor), key_of(visitor)
    visitor.enter("buyer-1")
    assert key_of(visitor) != before
    assert is_in(visitor)
    assert not is_in(thief)


def test_another_role_renews_the_session_and_forgets_the_factor(
    shop: Flask, visitor: Visitor
) -> None:
    person = builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    visitor.show_factor()
    thief, before = stolen(shop, visitor), key_of(visitor)
    grant(person, Role.AUDITOR, None)
    assert is_in(visitor)
    assert key_of(visitor) != before
    assert not is_in(thief)
    db.session.rollback()
    assert db.session.scalars(select(WebSession.factor_at)).all() == [None]


def test_a_role_that_ended_renews_the_session_too(visitor: Visitor) -> None:
    builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    before = key_of(visitor)
    with transaction() as session:
        for one in session.scalars(select(Membership).where(Membership.role == Role.STAFF)):
            one.state = MembershipState.ENDED
    assert is_in(visitor)
    assert key_of(visitor) != before


def test_another_password_ends_every_other_session_and_token(shop: Flask, visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    thief, phone = stolen(shop, visitor), other(shop)
    phone.enter("buyer-1")
    token = other(shop).post(JSON, json=pair("buyer-1")).get_json()["token"]
    wrong = visitor.send(
        "/me/security/password", present="not-it", password="another-one", again="another-one"
    )
    assert (wrong.status_code, is_in(phone)) == (422, True)
    answer = visitor.send(
        "/me/security/password",
        present=builders.PASSWORD,
        password="another-one",
        again="another-one",
    )
    assert answer.status_code == 303
    assert [is_in(one) for one in (visitor, thief, phone)] == [True, False, False]
    assert other(shop).get(JSON, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert visitor.enter("buyer-1").status_code == 422
    assert visitor.send("/sign-in", login="buyer-1", password="another-one").status_code == 302


@pytest.mark.parametrize(("role", "kind"), [(None, "limits"), (Role.STAFF, "staff_limits")])
def test_a_session_ends_when_it_idles_and_at_the_longest(
    shop: Flask, visitor: Visitor, at: datetime, role: Role | None, kind: str
) -> None:
    limits = getattr(shop.extensions["settings"], kind)
    builders.account(role, login="person-1")
    visitor.enter("person-1")
    idle = stolen(shop, visitor)
    with clock.frozen(at + limits.idle + timedelta(seconds=1)):
        assert not is_in(idle)
    moment, ends = at, at + limits.longest
    while moment + limits.idle < ends:
        moment += limits.idle - SEEN_EVERY
        with clock.frozen(moment):
            assert is_in(visitor)
    with clock.frozen(ends + timedelta(seconds=1)):
        assert not is_in(visitor)


@pytest.mark.parametrize("kind", ["limits", "staff_limits"])
def test_neither_the_cookie_nor_the_night_ends_a_session_before_its_limit(
    shop: Flask, at: datetime, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    long = SignInLimits(idle=timedelta(days=40), longest=timedelta(days=90))
    settings = dataclasses.replace(shop.extensions["settings"], **{kind: long})
    assert create_app(settings).config["PERMANENT_SESSION_LIFETIME"] == long.longest
    monkeypatch.setitem(shop.extensions, "settings", settings)
    key = web_sessions.start(builders.account(Role.STAFF if kind == "staff_limits" else None), "")
    for days, stays in ((39, True), (41, False)):
        with clock.frozen(at + timedelta(days=days)):
            drop_what_is_over(0)
            assert (web_sessions.find(key) is not None) is stays


def test_staff_stay_signed_in_for_a_shorter_time_than_buyers(shop: Flask) -> None:
    settings = shop.extensions["settings"]
    assert settings.staff_limits.idle < settings.limits.idle
    assert settings.staff_limits.longest < settings.limits.longest


def test_a_token_lives_shorter_from_the_moment_its_owner_becomes_staff(
    shop: Flask, at: datetime
) -> None:
    person = builders.account(login="buyer-1")
    program = other(shop)
    token = program.post(JSON, json=pair("buyer-1", label="收银程序")).get_json()["token"]
    shown = {"Authorization": f"Bearer {token}"}
    later = at + shop.extensions["settings"].staff_limits.longest
    with clock.frozen(later):
        assert program.get(JSON, headers=shown).status_code == 200
        grant(person, Role.STAFF, None)
        assert program.get(JSON, headers=shown).status_code == 401


def test_neither_token_nor_session_carries_a_role_that_waits_or_has_ended() -> None:
    person = builders.account(login="buyer-1")
    token, key = issue_token(person), web_sessions.start(person, "")
    for state in MembershipState:
        grant(person, Role.COORDINATOR, builders.buying_unit().organisation, state=state)
    by_token, by_key = tokens.find(token), web_sessions.find(key)
    assert by_token is not None
    assert by_key is not None
    for holder in (by_token[1], by_key.holder):
        active = [seat for seat in holder.seats if seat.role is Role.COORDINATOR]
        assert len(active) == 1
        assert {seat.role for seat in holder.seats} == {Role.CONSUMER, Role.COORDINATOR}


def test_tokens_are_listed_and_revoked_by_their_owner_only(shop: Flask) -> None:
    builders.account(login="buyer-1")
    builders.account(login="buyer-2")
    program = other(shop)
    mine, theirs = (
        {"Authorization": f"Bearer {program.post(JSON, json=pair(who)).get_json()['token']}"}
        for who in ("buyer-1", "buyer-2")
    )
    [listed] = program.get(JSON, headers=mine).get_json()["items"]
    assert set(listed) == {"id", "label", "created_at", "expires_at", "factor_at"}
    assert program.delete(f"{JSON}/{listed['id']}", headers=theirs).status_code == 404
    assert program.delete(f"{JSON}/{listed['id']}", headers=mine).status_code == 204
    assert program.get(JSON, headers=mine).status_code == 401


def test_the_page_shows_where_i_am_signed_in_and_ends_one_of_them(
    shop: Flask, visitor: Visitor
) -> None:
    builders.account(login="buyer-1")
    builders.account(login="buyer-2")
    visitor.enter("buyer-1")
    phone, stranger = other(shop), other(shop)
    phone.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Linux; Android 14) Chrome/130"
    phone.enter("buyer-1")
    stranger.enter("buyer-2")
    page = visitor.page("/me/security")
    assert "Chrome · Android" in page
    [end] = re.findall(r"/me/security/sessions/[^/]+/end", page)
    assert stranger.send(end).status_code == 404
    assert is_in(phone)
    assert visitor.send(end).status_code == 303
    assert [is_in(phone), is_in(visitor)] == [False, True]
