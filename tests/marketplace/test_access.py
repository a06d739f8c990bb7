"""Deny by default: every endpoint carries a rule."""

from flask import Flask
from flask.testing import FlaskClient

from kernel.access import rule_of

# The paths that others build on (design: HTTP contract).
CONTRACT = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/tokens"),
    ("GET", "/api/v1/offers"),
    ("GET", "/api/v1/offers/<>"),
    ("POST", "/api/v1/orders"),
    ("GET", "/api/v1/orders/<>"),
    ("GET", "/api/v1/rounds"),
    ("POST", "/api/v1/rounds/<>/group-orders"),
    ("PUT", "/api/v1/group-orders/<>/needs"),
    ("GET", "/api/v1/rounds/<>/harvest-notices"),
    ("GET", "/api/v1/broadcasts/<>/board"),
    ("POST", "/api/v1/cabinets/<>/events"),
    ("GET", "/api/v1/reports/channels"),
    ("POST", "/webhooks/stripe"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
}


def paths_of(app: Flask) -> set[tuple[str, str]]:
    """Every method and path of the application, arguments written as <>."""
    found = set()
    for rule in app.url_map.iter_rules():
        path = "".join("<>" if dynamic else text for dynamic, text in rule._trace if text != "|")
        for method in rule.methods or ():
            found.add((method, path))
    return found


def test_every_endpoint_has_a_rule(app: Flask) -> None:
    with app.app_context():
        without = [r.endpoint for r in app.url_map.iter_rules() if rule_of(r.endpoint) is None]
    assert without == []


def test_every_path_of_the_contract_exists(app: Flask) -> None:
    assert CONTRACT - paths_of(app) == set()


def test_the_openapi_document_lists_the_contract(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    listed = {
        (method.upper(), "/".join("<>" if part[:1] == "{" else part for part in path.split("/")))
        for path, methods in document["paths"].items()
        for method in methods
    }
    wanted = {pair for pair in CONTRACT if pair[1].startswith("/api/v1/")}
    assert wanted - listed == set()
    # As they were declared: signing in comes first.
    assert next(iter(document["paths"])) == "/api/v1/tokens"
    assert client.get("/api/openapi.json").get_json() == document


def test_a_view_without_a_rule_is_denied(app: Flask, client: FlaskClient) -> None:
    app.view_functions["health.alive"], kept = (lambda: "open"), app.view_functions["health.alive"]
    try:
        assert client.get("/healthz").status_code == 403
    finally:
        app.view_functions["health.alive"] = kept
