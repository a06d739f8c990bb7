"""Refusals and faults as pages: what happened, what to do next, and never a second fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kernel.db import db
from kernel.postgres import Cluster
from marketplace.app import create_app
from tests.conftest import settings_for


@pytest.fixture
def offline(cluster: Cluster, var_dir: Path) -> Iterator[FlaskClient]:
    """A signed-in browser at a shop whose database is not there."""
    shop = create_app(settings_for(cluster.url("a_database_that_is_not_there"), var_dir))
    client = shop.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "no-such-key"
    yield client
    with shop.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_page_without_its_database_says_that_nothing_was_changed(offline: FlaskClient) -> None:
    answer = offline.get("/offers")
    assert answer.status_code == 503
    assert "暂时忙不过来，什么都没有改。过一会儿再试。" in answer.text
    assert "再试一次" in answer.text


def test_a_program_without_the_database_gets_a_problem_document(offline: FlaskClient) -> None:
    answer = offline.get("/api/v1/offers")
    assert answer.status_code == 503
    assert answer.get_json()["code"] == "unavailable"


def test_a_page_that_does_not_exist_offers_a_way_on(client: FlaskClient) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert "没有这一页" in answer.text
    assert 'href="/"' in answer.text


def test_an_old_page_can_be_reloaded_and_nothing_else_is_offered_first(client: FlaskClient) -> None:
    came_from = "http://localhost/sign-in"
    answer = client.application.test_client().post(
        "/language", data={"language": "en"}, headers={"Referer": came_from}
    )
    assert answer.status_code == 400
    assert "刚才这一步没有做，什么都没有改" in answer.text
    assert 'href="/sign-in"' in answer.text


def test_a_page_of_another_site_is_never_gone_back_to(client: FlaskClient) -> None:
    answer = client.application.test_client().post(
        "/language", data={}, headers={"Referer": "http://elsewhere.example/trap"}
    )
    assert answer.status_code == 400
    assert "elsewhere.example" not in answer.text
