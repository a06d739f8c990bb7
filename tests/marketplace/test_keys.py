"""Writes of money and stock through JSON: which need a key, and that its absence is said first."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from kernel.idempotency import HEADER, is_keyed
from kernel.tokens import issue_token
from tests import builders

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
WITHOUT_A_KEY = {
    # Who somebody is, what a seller says of itself, and its papers.
    "tokens.create_token",
    "tokens.revoke",
    "sellers_api.register",
    "sellers_api.verify",
    "sellers_api.send_back",
    "sellers_api.update",
    "sellers_api.add_certificate",
    "sellers_api.submit",
    "sellers_api.add_product",
    "sellers_api.upload_import",
    "sellers_api.change_product",
    "sellers_api.confirm_bank",
    "sellers_api.set_photo",
    "sellers_api.remove_photo",
    "sellers_api.accept_certificate",
    "sellers_api.return_certificate",
    # Households and how income reaches them; revealing is remembered each time.
    "sellers_api.add_household",
    "sellers_api.change_household",
    "sellers_api.reveal_household",
    "sellers_api.review_household",
    "sellers_api.add_plan",
    # Broadcasts and visits; a device's reports carry sequence numbers.
    "broadcasts_api.plan",
    "broadcasts_api.show_next",
    "links_api.make_link",
    "broadcasts_api.start",
    "broadcasts_api.end",
    "broadcasts_api.views",
    "broadcasts_api.touched",
    "cabinets_api.events",
    "cabinets_api.difference",
    # Members, answers and papers: repeating them changes nothing.
    "rounds_api.join",
    "rounds_api.approve",
    "rounds_api.decline",
    "units_api.keep_staff",
    "field_api.answer",
    # A plan in place of the one before it.
    "planning_api.revise",
    "planning_api.set_leg",
    "harvest_api.split",
    "harvest_api.answer",
    "payments_api.send_proof",
}
"""Every write through JSON that moves neither money nor stock."""


def rules(app: Flask) -> list[tuple[str, Rule]]:
    """Every JSON write: its method and its rule."""
    return [
        (method, rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in sorted((rule.methods or set()) & WRITES)
    ]


def path_of(rule: Rule) -> str:
    """The rule's path with something in the place of every argument."""
    return "".join("1" if dynamic else text for dynamic, text in rule._trace if text != "|")


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    """Somebody who holds every role and so passes every rule."""
    with app.app_context():
        return {"Authorization": f"Bearer {issue_token(builders.of_every_role(), factor=True)}"}


def test_every_write_is_keyed_or_known_to_move_neither_money_nor_stock(app: Flask) -> None:
    unkeyed = {
        rule.endpoint
        for _, rule in rules(app)
        if not is_keyed(app.view_functions.get(rule.endpoint))
    }
    assert unkeyed == WITHOUT_A_KEY


def test_a_missing_key_is_said_before_anything_about_the_body(
    app: Flask, client: FlaskClient, headers: dict[str, str]
) -> None:
    keyed = [one for one in rules(app) if is_keyed(app.view_functions[one[1].endpoint])]
    assert len(keyed) > 15
    for method, rule in keyed:

        def ask(key: dict[str, str], method: str = method, path: str = path_of(rule)) -> Any:
            answer = client.open(path, method=method, json={"bad": 1}, headers=headers | key)
            return answer.status_code, answer.get_json()["code"]

        missing = (400, "idempotency_key_missing")
        assert ask({}) == ask({HEADER: ""}) == missing, rule.endpoint
        assert ask({HEADER: "k"})[0] in {404, 409, 422}, rule.endpoint


def test_the_document_names_the_key_where_it_is_needed_and_nowhere_else(
    app: Flask, client: FlaskClient
) -> None:
    paths: dict[str, Any] = client.get("/api/openapi.json").get_json()["paths"]
    told = {
        (method.upper(), "/".join("1" if part[:1] == "{" else part for part in path.split("/")))
        for path, methods in paths.items()
        for method, about in methods.items()
        if isinstance(about, dict)
        for one in about.get("parameters", [])
        if one.get("name") == HEADER and one["in"] == "header" and one["required"]
    }
    needed = {
        (method, path_of(rule))
        for method, rule in rules(app)
        if is_keyed(app.view_functions[rule.endpoint])
    }
    assert told == needed
