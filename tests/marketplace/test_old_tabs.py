"""A form that was left open too long loses nothing of what was typed into it."""

from __future__ import annotations

import re
from io import BytesIO

from sqlalchemy import delete

from kernel.db import transaction
from kernel.web_sessions import WebSession
from tests import builders
from tests.marketplace.purchases import ADDRESS, hidden, orders
from tests.visitors import Visitor

PAGE = "http://localhost"


def old_form(visitor: Visitor, path: str) -> dict[str, str]:
    """What a form of `path` carries, left open while something happens elsewhere."""
    return hidden(visitor.page(path))


def resend(visitor: Visitor, page: str, at: int = 0) -> str:
    """Press a button of `page` that sends again what it carries; return what is shown then."""
    form = re.findall(r'<form[^>]*action="[^"]+">.*?</form>', page, re.DOTALL)[at]
    to = re.search(r'action="([^"]+)"', form)
    assert to is not None
    answer = visitor.post(to[1].replace("&amp;", "&"), data=hidden(form))
    return answer.location or answer.text


def test_a_checkout_left_open_while_somebody_signed_in_keeps_what_was_typed(
    visitor: Visitor,
) -> None:
    builders.account(login="buyer-1")
    visitor.send("/cart/lines", offer=builders.offer().public_id, quantity=2)
    form = {**old_form(visitor, "/checkout"), **ADDRESS, "payment": "stripe"}
    visitor.enter("buyer-1")
    refused = visitor.post("/checkout", data=form, headers={"Referer": f"{PAGE}/checkout"})
    assert (refused.status_code, orders()) == (400, [])
    assert "刚才填的都还在" in refused.text
    assert resend(visitor, refused.text).startswith("/pay/")
    [order] = orders()
    assert order.recipient is not None
    assert ADDRESS["address"] in order.recipient


def test_what_was_typed_outlives_signing_in_again(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    form = {**old_form(visitor, "/me/security"), "note": "记一下"}
    with transaction() as session:
        session.execute(delete(WebSession))
    asked = visitor.post(
        "/me/sign-out-everywhere", data=form, headers={"Referer": f"{PAGE}/me/security"}
    )
    assert (asked.status_code, "刚才填的都还在" in asked.text) == (401, True)
    sign_in = {**hidden(asked.text), "login": "buyer-1", "password": "wrong-password"}
    wrong = visitor.post("/sign-in", data=sign_in)
    again = visitor.post(
        "/sign-in", data={**hidden(wrong.text), "login": "buyer-1", "password": builders.PASSWORD}
    )
    assert 'name="note" value="记一下"' in again.text
    assert resend(visitor, again.text) == "/sign-in"


def test_signing_in_again_says_that_a_file_has_to_be_given_again(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    old = old_form(visitor, "/me/security")
    with transaction() as session:
        session.execute(delete(WebSession))
    asked = visitor.post(
        "/me/sign-out-everywhere",
        data={**old, "note": "记一下", "photo": (BytesIO(b"photo"), "photo.jpg")},
        headers={"Referer": f"{PAGE}/me/security"},
    )
    again = visitor.post(
        "/sign-in", data={**hidden(asked.text), "login": "buyer-1", "password": builders.PASSWORD}
    )
    for page in (asked, again):
        assert 'value="记一下"' in page.text
        assert "密码和文件要再给一次" in page.text
        assert "刚才填的都还在" not in page.text


def test_after_signing_out_an_old_form_is_carried_through_the_sign_in_page(
    visitor: Visitor,
) -> None:
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    form = {**old_form(visitor, "/me/security"), "note": "记一下"}
    visitor.send("/sign-out")
    refused = visitor.post(
        "/me/sign-out-everywhere", data=form, headers={"Referer": f"{PAGE}/me/security"}
    )
    asked = resend(visitor, refused.text)
    assert 'name="kept:note" value="记一下"' in asked
    assert "要填" not in asked
    again = visitor.post(
        "/sign-in", data={**hidden(asked), "login": "buyer-1", "password": builders.PASSWORD}
    )
    assert resend(visitor, again.text) == "/sign-in"


def test_no_password_is_written_into_a_page(visitor: Visitor) -> None:
    form = {
        "login": "someone",
        "name": "某人",
        "password": "a-long-secret",
        "again": "a-long-secret",
    }
    refused = visitor.post("/register", data=form, headers={"Referer": f"{PAGE}/register"})
    assert (refused.status_code, "a-long-secret" in refused.text) == (400, False)
    assert "密码和文件要再给一次" in refused.text
    assert 'value="someone"' in resend(visitor, refused.text)


def test_what_another_site_sends_is_not_offered_again(visitor: Visitor) -> None:
    for headers in ({}, {"Referer": "http://elsewhere.example/checkout"}):
        refused = visitor.post("/checkout", data=ADDRESS, headers=headers)
        assert (refused.status_code, ADDRESS["address"] in refused.text) == (400, False)


def ended(visitor: Visitor, **more: object) -> str:
    """The sign-in page, when a session has ended while a form was open."""
    builders.account(login="buyer-1")
    visitor.enter("buyer-1")
    old = old_form(visitor, "/me/security")
    with transaction() as session:
        session.execute(delete(WebSession))
    return visitor.post(
        "/me/sign-out-everywhere",
        data={**old, "note": "记一下", **more},
        headers={"Referer": f"{PAGE}/me/security"},
    ).text


def form_to(page: str, action: str, at: int = 0) -> dict[str, str]:
    """What the form of `page` with this action carries."""
    found = re.findall(rf'<form[^>]*action="{action}"[^>]*>.*?</form>', page, re.DOTALL)
    return hidden(found[at])


def test_what_was_typed_outlives_registering_instead_of_signing_in(visitor: Visitor) -> None:
    asked = visitor.post("/register", data=form_to(ended(visitor), "/register")).text
    assert 'name="kept:note" value="记一下"' in asked
    assert "注册后再交一次就行" in asked
    assert "要填" not in asked
    typed = {"name": "某人", "login": "buyer-2", "password": "short", "again": "short"}
    wrong = visitor.post("/register", data={**form_to(asked, "/register"), **typed}).text
    pair = dict.fromkeys(("password", "again"), builders.PASSWORD)
    again = visitor.post("/register", data={**form_to(wrong, "/register"), **typed, **pair}).text
    assert 'name="note" value="记一下"' in again
    assert resend(visitor, again) == "/sign-in"


def test_who_has_an_account_after_all_goes_back_with_what_was_typed(visitor: Visitor) -> None:
    asked = visitor.post("/register", data=form_to(ended(visitor), "/register")).text
    back = visitor.post("/sign-in", data=form_to(asked, "/sign-in")).text
    assert 'name="kept:note" value="记一下"' in back


def test_what_was_typed_outlives_a_change_of_language(visitor: Visitor) -> None:
    page = ended(visitor, photo=(BytesIO(b"photo"), "photo.jpg"))
    for path, title in (("/sign-in", "<h1>Sign in</h1>"), ("/register", "<h1>Register</h1>")):
        if path == "/register":
            page = visitor.post(path, data=form_to(page, path)).text
        chosen = visitor.post("/language", data={**form_to(page, "/language"), "language": "en"})
        assert (chosen.status_code, chosen.location) == (307, path)
        sent = {**form_to(page, "/language"), "language": "en"}
        page = visitor.post(path, data=sent).text
        assert title in page
        assert 'name="kept:note" value="记一下"' in page
        assert "kept_part" in page


def test_a_change_of_language_after_a_refused_form_stays_on_its_page(visitor: Visitor) -> None:
    wrong = visitor.post(
        "/sign-in",
        data={**old_form(visitor, "/sign-in"), "login": "x", "password": "y"},
        headers={"Referer": f"{PAGE}/sign-in?next=/orders"},
    ).text
    chosen = visitor.post("/language", data={**form_to(wrong, "/language"), "language": "en"})
    assert chosen.location == "/sign-in?next=/orders"
