"""The second factor: codes, recovery codes, and setting one up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from flask import Flask

from kernel import clock, factor
from kernel.db import db
from kernel.errors import Invalid
from kernel.identity import Account, Role
from kernel.settings import Environment
from tests import builders
from tests.marketplace.browsers import JSON, other, pair
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _shop(shop: Flask) -> None:
    """Every test here has a shop."""


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


def test_no_link_makes_setting_up_a_factor_end_in_something_posted(visitor: Visitor) -> None:
    builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    shown = visitor.page("/me/security/enrol?next=/me/sign-out-everywhere&again=1")
    assert "刚才填的都还在" not in shown
    secret, begun = begun_on(shown)
    [action] = re.findall(r'action="(/me/security/enrol[^"]+)"', shown)
    proof = {"present_password": builders.PASSWORD, "second_factor": factor.code_now(secret)}
    codes = visitor.send(action.replace("&amp;", "&"), **proof, begun_factor=begun)
    assert 'href="/me/sign-out-everywhere"' in codes.text
    assert 'action="/me/sign-out-everywhere"' not in codes.text


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


@pytest.mark.parametrize("has_factor", [True, False])
def test_asking_for_a_code_says_that_a_file_has_to_be_chosen_again(
    visitor: Visitor, has_factor: bool
) -> None:
    if has_factor:
        enrolled()
    else:
        builders.account(Role.STAFF, login="staff-1")
    visitor.enter("staff-1")
    whole = visitor.send("/staff/settlements", **a_seller_to_settle())
    assert "刚才填的都还在" in whole.text
    paper = (BytesIO(b"paper"), "paper.pdf")
    asked = visitor.send("/staff/settlements", **a_seller_to_settle(), paper=paper)
    assert asked.status_code == 403
    assert "刚才填的都还在" not in asked.text
    assert "密码和文件要再给一次" in asked.text
    assert 'name="seller"' in asked.text
