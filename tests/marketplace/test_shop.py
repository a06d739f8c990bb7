"""Flask as the shop uses it: late work is the same work."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.routing import Map, Rule, UUIDConverter

from marketplace.app import create_app
from marketplace.shop import Route
from tests.conftest import settings_for

ONE = UUID("0198a000-0000-7000-8000-000000000001")


def test_every_route_writes_the_address_that_werkzeugs_own_would(app: Flask) -> None:
    plain = Map(converters=app.url_map.converters)
    for route in app.url_map.iter_rules():
        assert type(route) is Route
        rule = Rule(route.rule, endpoint=route.endpoint, methods=route.methods)
        plain.add(rule)
        values = {name: _value(route, name) for name in route.arguments} | {"page": "2 ä"}
        for unknown in (True, False):
            assert route.build(values, unknown) == rule.build(values, unknown), route.rule


def test_building_the_application_compiles_nobodys_address(
    database: str, var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    real = Rule._compile_builder

    def noted(rule: Rule, append_unknown: bool = True) -> object:
        compiled.append(rule.rule)
        return real(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", noted)
    app = create_app(settings_for(database, var_dir))
    assert compiled == []
    with app.test_request_context():
        assert app.url_for("storefront.home") == "/"
    assert compiled == ["/"]


def _value(route: Rule, name: str) -> object:
    return ONE if isinstance(route._converters[name], UUIDConverter) else 7
