"""The payment sandbox's hosted page, as a browser without JavaScript uses it."""

import re
from typing import Any

import pytest
import requests
import stripe

from tests.payment_sandbox import SandboxServer, session_params


def _open(sandbox: SandboxServer, **changes: Any) -> str:
    """Open a session and give its page's address."""
    session = sandbox.client().v1.checkout.sessions.create(session_params(**changes))
    assert session.url is not None
    return session.url


def _get(url: str, language: str = "zh-CN") -> requests.Response:
    return requests.get(url, headers={"Accept-Language": language}, timeout=5)


def _post(url: str, **fields: str) -> requests.Response:
    return requests.post(url, fields, allow_redirects=False, timeout=5)


def _session(sandbox: SandboxServer, url: str) -> stripe.checkout.Session:
    return sandbox.client().v1.checkout.sessions.retrieve(url.rpartition("/")[2])


def test_the_page_speaks_the_sessions_language_or_the_browsers(sandbox: SandboxServer) -> None:
    plain = _open(sandbox)
    assert "支付 ¥128.00" in _get(plain).text
    assert "Pay ¥128.00" in _get(plain, "en-GB,en").text
    assert "支付 ¥128.00" in _get(plain, "fr").text
    assert "支付 ¥128.00" in _get(_open(sandbox, locale="zh"), "en").text
    english = _get(_open(sandbox, locale="en"), "zh-CN").text
    assert "Pay ¥128.00" in english
    assert '<html lang="en">' in english


def test_the_page_brings_everything_itself(sandbox: SandboxServer) -> None:
    page = _get(_open(sandbox))
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert "<script" not in page.text
    assert "style=" not in page.text
    sources = re.findall(r'<link[^>]+href="([^"]+)"', page.text)
    assert len(sources) == 2
    for source in sources:
        assert source.startswith("/static/")
        assert _get(sandbox.url + source).status_code == 200


def test_what_a_shop_writes_is_shown_as_text(sandbox: SandboxServer) -> None:
    params = session_params()
    params["line_items"][0]["price_data"]["product_data"]["name"] = "<b>橙</b>"
    page = _get(_open(sandbox, line_items=params["line_items"])).text
    assert "&lt;b&gt;橙&lt;/b&gt;" in page


def test_a_card_that_succeeds_leads_to_the_success_page(sandbox: SandboxServer) -> None:
    url = _open(sandbox)
    answer = _post(url, method="card", card="success")
    session = _session(sandbox, url)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"http://127.0.0.1:9/paid?session={session.id}"
    assert session.payment_status == "paid"
    assert "这笔订单已经付款" in _get(url).text
    assert "这笔订单已经付款" in _post(url, method="card", card="success").text
    assert len(sandbox.client().v1.charges.list().data) == 1


@pytest.mark.parametrize(
    ("card", "said"), [("declined", "银行拒绝了这笔付款"), ("insufficient_funds", "余额不足，没有")]
)
def test_a_declined_card_leads_back_and_says_why(
    sandbox: SandboxServer, card: str, said: str
) -> None:
    url = _open(sandbox)
    answer = _post(url, method="card", card=card)
    assert answer.status_code == 303
    assert sandbox.url + answer.headers["Location"] == url
    assert said in _get(url).text
    assert _session(sandbox, url).payment_status == "unpaid"


@pytest.mark.parametrize("wallet", ["alipay", "wechat_pay"])
def test_a_wallet_asks_on_a_page_of_its_own(sandbox: SandboxServer, wallet: str) -> None:
    url = _open(sandbox)
    answer = _post(url, method=wallet)
    authorise = sandbox.url + answer.headers["Location"]
    assert "授权付款" in _get(authorise).text
    assert _session(sandbox, url).payment_status == "unpaid"
    failed = _post(authorise, answer="fail")
    assert sandbox.url + failed.headers["Location"] == url
    assert "付款没有被授权" in _get(url).text
    _post(url, method=wallet)
    paid = _post(authorise, answer="authorise")
    assert paid.headers["Location"].startswith("http://127.0.0.1:9/paid?session=cs_test_")
    assert _session(sandbox, url).payment_status == "paid"
    late = _post(authorise, answer="authorise")
    assert sandbox.url + late.headers["Location"] == url
    assert len(sandbox.client().v1.charges.list().data) == 1


def test_a_person_can_walk_away(sandbox: SandboxServer) -> None:
    url = _open(sandbox)
    assert 'href="http://127.0.0.1:9/cart"' in _get(url).text
    assert _session(sandbox, url).status == "open"


def test_nothing_chosen_is_asked_for_again(sandbox: SandboxServer) -> None:
    url = _open(sandbox, payment_method_types=["card"], payment_method_options=None)
    for fields in ({}, {"method": "alipay"}, {"method": "card", "card": "stolen"}):
        answer = _post(url, **fields)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
    assert _session(sandbox, url).payment_intent is None


def test_an_expired_session_says_so_and_takes_no_money(sandbox: SandboxServer) -> None:
    url = _open(sandbox)
    sandbox.advance_clock(25 * 3_600)
    assert "这个付款页面已经失效" in _get(url).text
    assert "这个付款页面已经失效" in _post(url, method="card", card="success").text
    assert sandbox.client().v1.charges.list().data == []


def test_an_unknown_page_is_a_page_too(sandbox: SandboxServer) -> None:
    answer = _get(f"{sandbox.url}/c/pay/cs_test_nothing")
    assert answer.status_code == 404
    assert "找不到这个付款页面" in answer.text
