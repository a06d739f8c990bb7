"""Static files are asked for once, and again as soon as they change."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace import statics


def test_a_page_names_the_version_of_each_file_and_the_browser_may_keep_it(
    client: FlaskClient,
) -> None:
    page = client.get("/sign-in").text
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(named) > 10
    for address in named:
        assert re.search(r"\?v=[0-9a-f]{10}$", address), address
    with client.get(named[0]) as answer:
        assert answer.status_code == 200
        assert answer.cache_control.max_age == statics.VERSIONED
        assert answer.cache_control.immutable
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_a_file_without_a_version_is_asked_for_again_within_the_hour(client: FlaskClient) -> None:
    with client.get("/static/img/mark.svg") as answer:
        assert answer.cache_control.max_age == statics.UNVERSIONED
        assert not answer.cache_control.immutable


def test_a_missing_file_is_not_kept(client: FlaskClient) -> None:
    answer = client.get("/static/css/none.css?v=0123456789")
    assert answer.status_code == 404
    assert answer.cache_control.max_age is None


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    def address() -> str:
        app = Flask("shop", static_folder=str(tmp_path), static_url_path="/static")
        statics.init_app(app)
        with app.test_request_context():
            return app.url_for("static", filename="one.css")

    (tmp_path / "one.css").write_text("a { color: red }")
    before = address()
    (tmp_path / "one.css").write_text("a { color: green }")
    assert address() != before
    assert before.startswith("/static/one.css?v=")


@pytest.mark.parametrize("name", ["../app.py", "css/../../app.py"])
def test_nothing_outside_the_folder_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
