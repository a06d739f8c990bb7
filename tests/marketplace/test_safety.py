"""Sessions, tokens, password and second factor: what a stolen one is worth, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from kernel import clock, factor, tokens, web_sessions
from kernel.db import db, transaction
from kernel.errors import Invalid
from kernel.identity import Account, Membership, MembershipState, Role, grant
from kernel.settings import Environment
from kernel.tokens import issue_token
from kernel.web_sessions import SEEN_EVERY, WebSession
from tests import builders
from tests.visitors import Visitor

JSON = "/api/v1/tokens"


@pytest.fixture(autouse=True)
def _shop(shop: Flask) -> None:
    """Every test here has a shop."""


@pytest.fixture
def at() -> Iterator[datetime]:
    """The clock stands still."""
    with clock.frozen(clock.now()):
        yield clock.now()


def other(shop: Flask) -> Visitor:
    """Another browser."""
    return Visitor(shop, shop.response_class)


def stolen(shop: Flask, of: Visitor) -> Visitor:
    """A browser with a copy of the cookie that `of` has now."""
    thief = other(shop)
    cookie = of.get_cookie("session")
    assert cookie is not None
    thief.set_cookie("session", cookie.value)
    return thief


def is_in(browser: Visitor) -> bool:
    """Whether somebody is signed in there."""
    db.session.rollback()
    return browser.get("/me").status_code == 200


def pair(login: str, **more: str) -> dict[str, str]:
    return {"login": login, "password": builders.PASSWORD, **more}


def key_of(browser: Visitor) -> str:
    with browser.session_transaction() as session:
        return str(session["_user_id"])


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


def enrolled(login: str = "staff-1") -> tuple[Account, str]:
    """Somebody of staff with a second factor, and its secret."""
    person = builders.account(Role.STAFF, login=login)
    secret = factor.begin()
    with clock.moved(-timedelta(hours=1)):
        factor.enrol(person, secret, factor.code_now(secret))
    return person, secret


def test_a_code_is_good_for_a_minute_and_a_half_and_only_once(shop: Flask, at: datetime) -> None:
    _, secret = enrolled()
    program = other(shop)
    early = factor.code_now(secret)
    for late in (timedelta(seconds=75), timedelta(minutes=5)):
        with clock.frozen(at + late):
            refused = program.post(JSON, json=pair("staff-1", code=early))
            assert (refused.status_code, refused.get_json()["code"]) == (422, "wrong_code")
    with clock.frozen(at + timedelta(seconds=30)):
        assert program.post(JSON, json=pair("staff-1", code=early)).status_code == 201
        again = program.post(JSON, json=pair("staff-1", code=early))
        assert (again.status_code, again.get_json()["code"]) == (422, "wrong_code")


def test_codes_cannot_be_guessed(shop: Flask, at: datetime) -> None:
    _, secret = enrolled()
    program = other(shop)
    right = factor.code_now(secret)
    wrong = [f"{number:06d}" for number in range(20) if f"{number:06d}" != right]
    said = [
        program.post(JSON, json=pair("staff-1", code=code)).status_code
        for code in [*wrong[: factor.FREE_TRIES + 1], right]
    ]
    assert said == [422] * factor.FREE_TRIES + [429, 429]


def test_a_recovery_code_stands_in_once(shop: Flask) -> None:
    person = builders.account(Role.STAFF, login="staff-1")
    secret = factor.begin()
    codes = factor.enrol(person, secret, factor.code_now(secret))
    assert len(set(codes)) == factor.RECOVERY_CODES
    program = other(shop)
    typed = codes[0].lower().replace("-", " ")
    assert program.post(JSON, json=pair("staff-1", code=typed)).status_code == 201
    assert program.post(JSON, json=pair("staff-1", code=codes[0])).status_code == 422
    assert factor.recovery_codes_left(person.id) == factor.RECOVERY_CODES - 1


def test_the_secret_is_not_readable_in_the_database(shop: Flask) -> None:
    _, secret = enrolled()
    kept = db.session.connection().exec_driver_sql("SELECT secret FROM second_factor").scalar()
    assert kept
    assert secret not in str(kept)


def a_seller_to_settle() -> dict[str, object]:
    """A form that moves money, for a seller that there is."""
    return {"seller": builders.seller().organisation.public_id, "idempotency_key": "form-1"}


def test_staff_are_asked_for_a_code_before_money_and_go_on_with_what_they_typed(
    shop: Flask, visitor: Visitor, at: datetime
) -> None:
    _, secret = enrolled()
    visitor.enter("staff-1")
    asked = visitor.send("/staff/settlements", **a_seller_to_settle())
    assert asked.status_code == 403
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    [action] = re.findall(r'action="(/me/security/confirm[^"]+)"', asked.text)
    action = action.replace("&amp;", "&")
    wrong = visitor.post(action, data={**fields, "second_factor": "000000"})
    assert wrong.status_code == 422
    assert fields["seller"] in wrong.text
    right = visitor.post(action, data={**fields, "second_factor": factor.code_now(secret)})
    assert right.status_code == 307
    assert right.location == "/staff/settlements"
    done = visitor.post(right.location, data={**fields, "second_factor": "used"})
    assert "没有可以结算的货" in done.text
    assert visitor.send("/staff/settlements", **a_seller_to_settle()).status_code == 409
    with clock.frozen(at + shop.extensions["settings"].factor_life):
        visitor.enter("staff-1")
        assert visitor.send("/staff/settlements", **a_seller_to_settle()).status_code == 403


def begun_on(page: str) -> tuple[str, str]:
    """The secret that a page shows, and the field in which it carries it."""
    [secret] = re.findall(r"<code>([A-Z2-7 ]+)</code>", page)
    [begun] = re.findall(r'name="begun_factor" value="([^"]+)"', page)
    return secret.replace(" ", ""), begun


def test_a_secret_that_another_page_showed_is_not_enrolled(visitor: Visitor) -> None:
    person = builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    stolen, _ = begun_on(visitor.page("/me/security/enrol"))
    shown, begun = begun_on(visitor.page("/me/security/enrol"))
    assert shown != stolen
    form = {"present_password": builders.PASSWORD, "begun_factor": begun}
    assert visitor.send("/me/security/enrol", **form, second_factor="000000").status_code == 422
    seen = factor.code_now(stolen)
    assert visitor.send("/me/security/enrol", **form, second_factor=seen).status_code == 422
    right = visitor.send("/me/security/enrol", **form, second_factor=factor.code_now(shown))
    assert right.status_code == 200
    assert factor.is_enrolled(person.id)


def test_a_mistyped_code_leaves_the_secret_that_is_in_the_phone(visitor: Visitor) -> None:
    builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    shown, begun = begun_on(visitor.page("/me/security/enrol"))
    form = {"present_password": builders.PASSWORD, "begun_factor": begun}
    again = visitor.send("/me/security/enrol", **form, second_factor="000000")
    assert begun_on(again.text) == (shown, begun)


def test_a_secret_is_enrolled_for_whom_it_was_shown_to_and_for_nobody_else(
    shop: Flask, visitor: Visitor
) -> None:
    for login in ("staff-1", "staff-2"):
        builders.account(Role.STAFF, login=login)
    visitor.enter("staff-1")
    secret, begun = begun_on(visitor.page("/me/security/enrol"))
    stranger = other(shop)
    stranger.enter("staff-2")
    form = {"present_password": builders.PASSWORD, "second_factor": factor.code_now(secret)}
    for seal in (begun, "made-up", ""):
        answer = stranger.send("/me/security/enrol", **form, begun_factor=seal)
        assert answer.status_code == 409
        assert begun_on(answer.text)[0] != secret


def test_whoever_has_no_factor_yet_sets_one_up_on_the_way(visitor: Visitor) -> None:
    person = builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    asked = visitor.send("/staff/settlements", **a_seller_to_settle())
    assert asked.status_code == 403
    [secret] = re.findall(r"<code>([A-Z2-7 ]+)</code>", asked.text)
    assert 'src="data:image/svg+xml' in asked.text
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    [action] = re.findall(r'action="(/me/security/enrol[^"]+)"', asked.text)
    action = action.replace("&amp;", "&")
    proof = {**fields, "second_factor": factor.code_now(secret.replace(" ", ""))}
    assert visitor.post(action, data={**proof, "present_password": "wrong"}).status_code == 422
    assert not factor.is_enrolled(person.id)
    codes = visitor.post(action, data={**proof, "present_password": builders.PASSWORD})
    assert codes.status_code == 200
    assert len(re.findall(r"<li><code>", codes.text)) == factor.RECOVERY_CODES
    assert fields["seller"] in codes.text
    [on] = re.findall(r'action="(/staff/settlements)"', codes.text)
    assert "没有可以结算的货" in visitor.post(on, data=fields).text


def test_another_phone_needs_the_factor_of_the_one_before(visitor: Visitor, at: datetime) -> None:
    person, secret = enrolled()
    visitor.enter("staff-1")
    assert "填验证码" in visitor.page("/me/security/enrol")
    form = {"second_factor": factor.code_now(secret), "present_password": builders.PASSWORD}
    assert visitor.send("/me/security/enrol", **form).status_code == 403
    assert visitor.send("/me/security/recovery").status_code == 403
    visitor.show_factor()
    new, begun = begun_on(visitor.page("/me/security/enrol"))
    assert new != secret
    form |= {"second_factor": factor.code_now(new), "begun_factor": begun}
    assert visitor.send("/me/security/enrol", **form).status_code == 200
    with clock.frozen(at + timedelta(minutes=2)):
        with pytest.raises(Invalid):
            factor.check(person, factor.code_now(secret))
        factor.check(person, factor.code_now(new))


def test_programs_without_the_factor_are_told_what_to_do(shop: Flask, at: datetime) -> None:
    _, secret = enrolled()
    program = other(shop)
    body = {"seller_id": builders.seller().organisation.public_id, "round_id": None}

    def settle(token: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "settle-1"}
        answer = program.post("/api/v1/settlements", json=body, headers=headers)
        return answer.status_code, answer.get_json()["code"]

    plain = program.post(JSON, json=pair("staff-1")).get_json()["token"]
    assert settle(plain) == (403, "second_factor_needed")
    code = factor.code_now(secret)
    shown = program.post(JSON, json=pair("staff-1", code=code)).get_json()["token"]
    assert settle(shown) == (409, "nothing_to_settle")
    with clock.frozen(at + shop.extensions["settings"].factor_life):
        assert settle(shown) == (403, "second_factor_needed")


def test_production_takes_no_factor_of_the_demo(shop: Flask) -> None:
    person = builders.account(Role.STAFF, login="staff-1")
    factor.enrol_known([person.id], factor.DEMO_SECRET)
    program = other(shop)
    code = factor.code_now(factor.DEMO_SECRET)
    assert program.post(JSON, json=pair("staff-1", code=code)).status_code == 201
    before = shop.extensions["settings"]
    shop.extensions["settings"] = replace(before, environment=Environment.PRODUCTION)
    try:
        with clock.moved(timedelta(minutes=2)):
            code = factor.code_now(factor.DEMO_SECRET)
            refused = program.post(JSON, json=pair("staff-1", code=code))
    finally:
        shop.extensions["settings"] = before
    assert (refused.status_code, refused.get_json()["code"]) == (409, "factor_not_enrolled")
