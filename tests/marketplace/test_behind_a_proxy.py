"""Behind a proxy, and as in production: whose address counts, and what https adds."""

import dataclasses
from pathlib import Path

import pytest
from flask import Flask, request

from kernel.access import allow
from kernel.db import db
from marketplace.app import create_app
from tests.conftest import settings_for

CLAIMED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}


def shop(tmp_path: Path, proxies: int, address: str = "http://localhost") -> Flask:
    settings = settings_for("postgresql://nobody@127.0.0.1:9/none", tmp_path)
    return create_app(dataclasses.replace(settings, trusted_proxies=proxies, public_url=address))


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "198.51.100.7")])
def test_only_as_many_proxies_are_believed_as_there_are(
    tmp_path: Path, proxies: int, seen: str
) -> None:
    app = shop(tmp_path, proxies)

    @app.get("/who")
    @allow.everyone
    def who() -> str:
        return request.remote_addr or ""

    assert app.test_client().get("/who", headers=CLAIMED).text == seen


def test_with_https_browsers_are_told_to_stay_with_it(tmp_path: Path) -> None:
    app = shop(tmp_path, 1, "https://shop.example")
    client = app.test_client()
    plain = client.get("/offers")
    assert plain.status_code == 302
    assert plain.headers["Location"].startswith("https://")
    answer = client.get("/healthz", headers=CLAIMED)
    assert answer.status_code == 200
    assert "max-age=31556926" in answer.headers["Strict-Transport-Security"]
    assert app.config["SESSION_COOKIE_SECURE"]


def test_with_https_too_the_launcher_on_the_same_machine_hears_that_the_shop_is_ready(
    app: Flask, database: str, tmp_path: Path
) -> None:
    settings = settings_for(database, tmp_path)
    real = create_app(dataclasses.replace(settings, public_url="https://shop.example"))
    client = real.test_client()
    assert client.get("/readyz").status_code == 200
    assert client.get("/healthz").status_code == 200
    with real.app_context():
        db.engine.dispose()
