"""Every list that goes on behind a cursor refuses one that no list gave, in the same words."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel.errors import Invalid
from kernel.paging import decode, encode
from kernel.tokens import issue_token
from orders.actions.rounds import create_round
from tests import builders
from tests.orders.fairs import plan

READS_A_CURSOR = re.compile(r'"cursor"|\bcursor\(\)')
SPOILT = ["xx", "é", "1", "a" * 300, encode(0), encode(-5), encode(2**63), encode("\x00"), "W10"]
"""No key, no text of ours, no list, too long, no row's number, nothing that a page shows, empty."""


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    """Somebody who holds every role and so reads every list."""
    with app.app_context():
        return {"Authorization": f"Bearer {issue_token(builders.of_every_role())}"}


def test_every_list_of_the_api_refuses_a_cursor_that_no_list_gave(
    app: Flask, client: FlaskClient, headers: dict[str, str]
) -> None:
    with app.app_context():
        planned = create_round(plan()).public_id
    lists = [
        path.format(round_id=planned)
        for path, methods in client.get("/api/openapi.json").get_json()["paths"].items()
        if any(one.get("name") == "cursor" for one in methods.get("get", {}).get("parameters", []))
    ]
    assert {"/api/v1/offers", "/api/v1/rounds", "/api/v1/cabinets"} < set(lists)
    for path in lists:
        assert client.get(path, headers=headers).status_code == 200, path
        assert client.get(f"{path}?cursor=", headers=headers).status_code == 200, path
        answer = client.get(f"{path}?cursor=xx", headers=headers)
        told = answer.get_json()
        assert (answer.status_code, told["code"]) == (422, "cursor_invalid"), path
        assert set(told["fields"]) == {"cursor"}, path
        assert "第一页" in told["detail"], path


def test_every_page_with_a_list_refuses_a_cursor_that_no_list_gave(
    app: Flask, client: FlaskClient, headers: dict[str, str]
) -> None:
    lists = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or set())
        and not rule.arguments
        and not rule.rule.startswith("/api/")
        and READS_A_CURSOR.search(inspect.getsource(inspect.unwrap(view_of(app, rule.endpoint))))
    ]
    assert {"/offers", "/orders", "/seller/lots", "/staff/sellers", "/ledger"} < set(lists)
    for path in lists:
        assert client.get(path, headers=headers).status_code == 200, path
        answer = client.get(f"{path}?cursor=xx", headers=headers)
        assert answer.status_code == 422, path
        assert "这一页翻不到了" in answer.get_data(as_text=True), path


def view_of(app: Flask, endpoint: str) -> Callable[..., Any]:
    """The function behind an endpoint."""
    return app.view_functions[endpoint]


@pytest.mark.parametrize("cursor", SPOILT)
@pytest.mark.parametrize("kind", [int, str])
def test_a_spoilt_cursor_is_refused(cursor: str, kind: type) -> None:
    with pytest.raises(Invalid) as refusal:
        decode(cursor, kind)
    assert (refusal.value.code, set(refusal.value.fields)) == ("cursor_invalid", {"cursor"})


def test_half_a_character_never_reaches_the_database() -> None:
    spoilt = base64.urlsafe_b64encode(rb'["\ud800"]').decode().rstrip("=")
    with pytest.raises(Invalid):
        decode(spoilt, str)
    assert decode(encode("site-1"), str) == ("site-1",)
