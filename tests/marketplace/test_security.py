"""Headers, forged writes and ways out of this site, over every endpoint that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.access import FACTOR_ROLES, needs_factor, rule_of
from kernel.identity import Role, grant
from marketplace.account.paths import same_site
from marketplace.rooms import ROOT
from marketplace.security import SAFE_METHODS
from tests import builders
from tests.visitors import Visitor

PACKAGES = ("marketplace", "orders", "sellers", "livestream", "cabinets")


def writes(app: Flask) -> list[tuple[str, str, str]]:
    """Method, endpoint and a path of every write that a browser's cookie could make."""
    found = []
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if getattr(app.view_functions[rule.endpoint], "signed", False):
            continue  # proved by a signature over the body
        values = {
            name: "1" if type(rule._converters[name]).__name__ == "IntegerConverter" else "x"
            for name in rule.arguments
        }
        for method in sorted((rule.methods or set()) - SAFE_METHODS):
            found.append((method, rule.endpoint, adapter.build(rule.endpoint, values)))
    return found


@pytest.fixture
def insider(shop: Flask, visitor: Visitor) -> Visitor:
    """Somebody signed in who may do everything that people do."""
    person = builders.account(login="insider")
    for role in Role:
        if role not in (Role.VISITOR, Role.CONSUMER, Role.DEVICE):
            grant(person, role, None)
    visitor.enter("insider")
    visitor.show_factor()
    return visitor


def test_no_write_by_cookie_is_believed_without_its_token(shop: Flask, insider: Visitor) -> None:
    every = writes(shop)
    assert len(every) > 80
    believed = []
    for method, _endpoint, path in every:
        for body in ({"data": {"a": "b"}}, {"json": {"a": "b"}}):
            answer = insider.open(path, method=method, **body)
            code = answer.get_json()["code"] if answer.is_json else ""
            if answer.status_code != 400 or (path.startswith("/api/") and code != "csrf"):
                believed.append((method, path, body, answer.status_code, code))
    assert believed == []


def test_a_guests_cookie_is_not_believed_either(visitor: Visitor) -> None:
    visitor.page("/orders")
    answer = visitor.post("/api/v1/orders", json={}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "csrf")


def test_the_pages_token_or_a_bearer_token_is_enough(insider: Visitor) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', insider.page("/orders"))
    assert token is not None
    sent = insider.post("/api/v1/orders", json={}, headers={"X-CSRFToken": token[1]})
    assert sent.get_json()["code"] == "idempotency_key_missing"


def test_a_bearer_header_does_not_make_a_cookie_believable(insider: Visitor) -> None:
    forged = {"Authorization": "Bearer nonsense", "Idempotency-Key": "k"}
    answer = insider.post("/api/v1/settlements", json={}, headers=forged)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "csrf")
    assert insider.get("/api/v1/tokens", headers=forged).status_code == 401


def test_every_write_that_staff_alone_make_of_money_needs_the_factor(app: Flask) -> None:
    money = re.compile(r"settlement|payout|refund|payment.*confirm|staff/transfers|allocation")
    with app.app_context():
        without = {
            (method, path)
            for method, endpoint, path in writes(app)
            if money.search(path)
            and FACTOR_ROLES & (rule_of(endpoint) or set())
            and Role.VISITOR not in (rule_of(endpoint) or set())
            and not needs_factor(endpoint)
        }
    assert without == set()


def test_every_answer_carries_the_headers(shop: Flask, visitor: Visitor) -> None:
    nonces = set()
    for path in ("/", "/sign-in", "/api/v1/offers", "/no-such-page", "/static/css/tokens.css"):
        with visitor.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "geolocation=()" in headers["Permissions-Policy"]
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for part in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"):
            assert part in policy
        nonces.update(re.findall(r"script-src 'self' 'nonce-([^']+)'", policy))
    assert len(nonces) == 5


def test_the_cookie_is_kept_from_scripts_and_other_sites(visitor: Visitor) -> None:
    builders.account(login="buyer-1")
    cookies = visitor.enter("buyer-1").headers.getlist("Set-Cookie")
    assert {one.partition("=")[0] for one in cookies} == {"session", "known"}
    for one in cookies:
        assert "HttpOnly" in one
        assert "SameSite=Lax" in one


def templates() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("templates/**/*.html")):
            yield str(path.relative_to(ROOT)), path.read_text()


def test_no_page_has_script_or_style_of_its_own() -> None:
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<style|\sstyle=|\son[a-z]+=|javascript:"
    )
    found = {name: inline.findall(text) for name, text in templates() if inline.search(text)}
    assert len(list(templates())) > 50
    assert found == {}


WAYS_OUT = st.lists(
    st.sampled_from(
        ["/", "\\", "//", "\t", "\n", "\r", "\x00", "%09", "%2f", "@", ":", "?", "#", ".", "..",
         "http:", "https:", "javascript:", "data:", "evil.example", "me", "　", "／"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@given(WAYS_OUT | st.text(max_size=30))
@example("//evil.example")
@example("\\\\evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("/%09/evil.example")
@example("https:evil.example")
@example("/me\r\nSet-Cookie: a=b")
def test_next_leads_to_a_page_of_this_site_or_nowhere(path: str) -> None:
    to = same_site(path, "/me")
    if to == "/me":
        return
    # What a browser makes of it: backslashes are slashes, control characters are not there.
    seen = re.sub(r"[\x00-\x20\x7f]", "", to).replace("\\", "/")
    assert seen == to
    assert seen.startswith("/")
    assert not seen.startswith("//")
    assert urlsplit(seen).netloc == ""
    assert urlsplit(seen).scheme == ""


@pytest.mark.parametrize(
    "path", ["//evil.example", "\\\\evil", "/%0d/evil", "https://evil.example"]
)
def test_signing_in_stays_on_this_site(visitor: Visitor, path: str) -> None:
    builders.account(login="buyer-1")
    to = visitor.enter("buyer-1", next=path).location
    assert to is not None
    assert urlsplit(to).netloc == ""
    assert not to.startswith("//")
