"""The world of two sides, built once, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from kernel import jobs
from kernel.db import db
from kernel.postgres import Cluster
from marketplace import refusals
from marketplace.app import create_app
from tests.access.ground import Ground
from tests.access.world import World, build
from tests.conftest import settings_for

DATABASE = "two_sides"


@pytest.fixture(scope="module")
def world(cluster: Cluster, template: str, var_dir: Path) -> Iterator[World]:
    """Two of everything."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template} STRATEGY FILE_COPY")
    app = create_app(settings_for(cluster.url(DATABASE), var_dir))
    jobs.bind(app)
    with app.app_context():
        world = build(app)
        db.session.remove()
    yield world
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def ground(world: World, cluster: Cluster) -> Iterator[Ground]:
    """What the world is before anybody asks."""
    with psycopg.connect(cluster.url(DATABASE), autocommit=True) as connection:
        yield Ground(connection)


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The world's application, whose jobs run in it.

    Drawing the page of a refusal takes long and asks nobody.
    """
    jobs.bind(world.app)
    monkeypatch.setattr(refusals, "render_template", lambda _name, **words: words["code"])
    return world.app
