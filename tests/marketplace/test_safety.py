"""Sessions, tokens and passwords: what a stolen one is worth, and for how long."""

from __future__ import annotations

import dataclasses
import re
import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock, identity, tokens, web_sessions
from kernel.db import db, transaction
from kernel.identity import Account, Membership, MembershipState, Role, grant
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


def test_two_requests_at_once_after_another_role_leave_one_key_that_opens() -> None:
    person = builders.account()
    key = web_sessions.start(person, "")
    grant(person, Role.STAFF, None)
    first, second = web_sessions.find(key), web_sessions.find(key)
    assert first is not None
    assert second is not None
    renewed, late = web_sessions.renew(first), web_sessions.renew(second)
    assert (renewed.key != key, late.key) == (True, key)
    assert late.holder.factor_at is None
    assert web_sessions.find(renewed.key) is not None
    assert web_sessions.find(key) is None


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


def test_nobody_comes_in_by_a_password_that_changes_as_it_is_looked_at(
    shop: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, thief = builders.account(login="buyer-1"), other(shop)
    looked_at, times = identity._is_right, iter(range(2))

    def slowly(password_hash: str, password: str) -> bool:
        right = looked_at(password_hash, password)
        owner = threading.Thread(target=change, args=[f"another-one-{next(times)}"])
        owner.start()
        owner.join(20)
        return right

    def change(password: str) -> None:
        with shop.app_context():
            person = db.session.get_one(Account, account_id)
            identity.change_password(person, password, person.password_hash)
            with transaction() as session:  # the old one again, for the program that comes next
                session.get_one(Account, account_id).password_hash = old

    account_id, old = person.id, person.password_hash
    monkeypatch.setattr(identity, "_is_right", slowly)
    answer = thief.enter("buyer-1")
    assert (answer.status_code, "登录名或密码不对" in answer.text) == (422, True)
    assert not is_in(thief)
    token = other(shop).post(JSON, json=pair("buyer-1")).get_json()["token"]
    assert other(shop).get(JSON, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_of_two_who_change_a_password_at_once_only_one_does(
    shop: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    account_id, hashed = person.id, identity.hash_password

    def slowly(password: str) -> str:
        monkeypatch.undo()
        owner = threading.Thread(target=change)
        owner.start()
        owner.join(20)
        return hashed(password)

    def change() -> None:
        with shop.app_context():
            owner = db.session.get_one(Account, account_id)
            identity.change_password(
                owner, "the-owners-own", identity.prove(owner, builders.PASSWORD)
            )

    monkeypatch.setattr(identity, "hash_password", slowly)
    answer = visitor.send(
        "/me/security/password",
        present=builders.PASSWORD,
        password="another-one",
        again="another-one",
    )
    assert (answer.status_code, "现在的密码不对" in answer.text) == (422, True)
    assert visitor.send("/sign-in", login="buyer-1", password="another-one").status_code == 422
    assert visitor.send("/sign-in", login="buyer-1", password="the-owners-own").status_code == 302


def test_two_who_sign_out_everywhere_at_once_end_what_began_between_them(shop: Flask) -> None:
    person = builders.account()
    stale = person.session_epoch
    between = threading.Thread(target=end_everything, args=[shop, person.id])
    with transaction() as session:
        assert session.get_one(Account, person.id).session_epoch == stale
        between.start()
        between.join(20)
        identity.sign_out_everywhere(person)
    db.session.refresh(person)
    assert person.session_epoch == stale + 2


def end_everything(shop: Flask, account_id: int) -> None:
    with shop.app_context():
        identity.sign_out_everywhere(db.session.get_one(Account, account_id))


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
