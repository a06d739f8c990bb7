"""Sign-in, registration, language and my page."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import delete, select

from kernel.db import db, transaction
from kernel.identity import TRIES_PER_PAIR, Account, Role
from kernel.web_sessions import WebSession
from marketplace.account.paths import same_site
from tests import builders
from tests.visitors import Visitor

pytestmark = pytest.mark.usefixtures("shop")


def test_the_right_pair_signs_in_and_goes_on_to_the_page_that_was_wanted(
    visitor: Visitor,
) -> None:
    builders.account(login="buyer-1")
    answer = visitor.enter("buyer-1", next="/orders?cursor=x")
    assert answer.status_code == 302
    assert answer.location == "/orders?cursor=x"
    assert "某岗位" in visitor.get("/me").get_data(as_text=True)


def test_a_wrong_password_is_said_on_the_page_and_signs_nobody_in(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    answer = visitor.send("/sign-in", login="buyer-1", password="something-else")
    assert answer.status_code == 422
    assert "登录名或密码不对" in answer.get_data(as_text=True)
    assert visitor.get("/me").status_code == 302


def test_too_many_wrong_tries_are_told_to_wait(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    for _ in range(TRIES_PER_PAIR):
        assert visitor.send("/sign-in", login="buyer-1", password="wrong").status_code == 422
    answer = visitor.enter("buyer-1")
    assert answer.status_code == 429
    assert "过几分钟再试" in answer.get_data(as_text=True)
    assert visitor.get("/me").status_code == 302


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\e",
        "javascript:x",
        "",
        None,
    ],
)
def test_another_site_is_never_gone_to(path: str | None) -> None:
    assert same_site(path, "/me") == "/me"


def test_a_sign_in_without_the_pages_token_is_refused(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", data={"login": "buyer-1", "password": builders.PASSWORD})
    assert answer.status_code == 400
    assert visitor.get("/me").status_code == 302


def test_somebody_new_registers_and_is_signed_in(visitor: Visitor) -> None:
    answer = visitor.send(
        "/register", name="小店", login="new-one", password="12345678", again="12345678"
    )
    assert answer.status_code == 302
    account = db.session.scalars(select(Account)).one()
    assert (account.login, account.name_zh) == ("new-one", "小店")
    assert visitor.get("/me").status_code == 200


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"login": "taken"}, "已经有人用了"),
        ({"name": " \u3000 "}, "填一个称呼"),
        ({"password": "short", "again": "short"}, "密码至少 8 个字符"),
        ({"again": "different"}, "两次填的不一样"),
    ],
)
def test_a_registration_with_a_fault_says_it_and_makes_nobody(
    visitor: Visitor, form: dict[str, str], word: str
) -> None:
    builders.account(login="taken")
    good = {"name": "小店", "login": "new-one", "password": "12345678", "again": "12345678"}
    answer = visitor.send("/register", **{**good, **form})
    assert answer.status_code == 422
    assert word in answer.get_data(as_text=True)
    assert db.session.scalars(select(Account.login)).all() == ["taken"]


def test_the_language_is_chosen_and_the_page_stays(visitor: Visitor) -> None:
    answer = visitor.send("/language", language="en", next="/sign-in?next=/me")
    assert answer.location == "/sign-in?next=/me"
    assert 'lang="en"' in visitor.get("/sign-in").get_data(as_text=True)
    assert visitor.send("/language", language="xx").status_code == 422


def test_signing_out_keeps_the_language_and_nothing_else(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.send("/language", language="en")
    visitor.enter("buyer-1")
    visitor.send("/sign-out")
    assert visitor.get("/me").status_code == 302
    assert 'lang="en"' in visitor.get("/sign-in").get_data(as_text=True)


@pytest.mark.parametrize("role", [Role.OFFICIAL, Role.COORDINATOR, Role.HOST, None])
def test_whoever_may_make_share_links_is_led_to_them(visitor: Visitor, role: Role | None) -> None:
    unit = builders.buying_unit().organisation
    builders.account(role, unit, login="somebody") if role else builders.account(login="somebody")
    visitor.enter("somebody")
    page = visitor.page("/me")
    assert page.count('href="/links"') == (1 if role in (Role.OFFICIAL, Role.COORDINATOR) else 0)
    assert visitor.get("/links").status_code == (200 if role else 403)


def old_tab(visitor: Visitor, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """What a form of `path` sends, left open while something happens elsewhere."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.page(path))
    assert token is not None
    return {"csrf_token": token.group(1)}, {"Referer": f"http://localhost{path}"}


def test_a_tab_from_before_signing_out_says_so_and_leads_back(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    form, headers = old_tab(visitor, "/me/security/password")
    visitor.send("/sign-out")
    answer = visitor.post("/me/security/password", data=form, headers=headers)
    assert answer.status_code == 400
    assert "你退出了登录" in answer.text
    assert "什么都没有改" in answer.text
    assert 'href="/sign-in?next=/me/security/password"' in answer.text


def test_a_tab_of_somebody_else_says_who_is_signed_in_now(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    builders.account(login="buyer-2", name_zh="另一个人")
    visitor.enter("buyer-1")
    form, headers = old_tab(visitor, "/me/security/password")
    visitor.send("/sign-out")
    visitor.enter("buyer-2")
    answer = visitor.post("/me/security/password", data=form, headers=headers)
    assert answer.status_code == 400
    assert "现在登录的是 另一个人" in answer.text
    assert 'href="/me/security/password"' in answer.text


def test_a_form_sent_after_the_session_ended_is_said_to_be_undone_and_led_back_to(
    visitor: Visitor,
) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    form, headers = old_tab(visitor, "/me/security/password")
    with transaction() as session:
        session.execute(delete(WebSession))
    answer = visitor.post("/me/security/password", data=form, headers=headers)
    assert answer.location == "/sign-in?next=/me/security/password"
    assert "刚才那一步没有做" in visitor.page(answer.location)


def test_signing_out_everywhere_ends_other_browsers_and_tokens(shop: Flask) -> None:
    builders.account(login="buyer-1")
    one, other, program = (Visitor(shop, shop.response_class) for _ in range(3))
    one.enter("buyer-1")
    other.enter("buyer-1")
    pair = {"login": "buyer-1", "password": builders.PASSWORD}
    token = program.post("/api/v1/tokens", json=pair).get_json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert program.get("/me", headers=bearer).status_code == 200
    one.send("/me/sign-out-everywhere")
    assert other.get("/me").status_code == 302
    assert program.get("/me", headers=bearer).status_code == 302


def test_a_token_needs_the_right_pair_and_no_unknown_fields(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    wrong = visitor.post("/api/v1/tokens", json={"login": "buyer-1", "password": "wrong"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "wrong_password")
    more = {"login": "buyer-1", "password": builders.PASSWORD, "admin": True}
    unknown = visitor.post("/api/v1/tokens", json=more)
    assert (unknown.status_code, unknown.get_json()["code"]) == (422, "invalid")


def test_my_page_opens_the_doors_of_my_roles_only(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    assert "我的工作" not in visitor.get("/me").get_data(as_text=True)


def test_a_public_answer_does_not_send_the_session_back(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    visitor.page("/offers")
    for path in ("/static/css/tokens.css", "/offers"):
        with visitor.get(path) as answer:
            assert answer.status_code == 200
            assert "Set-Cookie" not in answer.headers
