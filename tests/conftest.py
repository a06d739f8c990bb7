"""The database that every test may have fresh, and the application on top of it."""

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg
import pytest
from cryptography.fernet import Fernet
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient

from kernel import jobs
from kernel.db import db
from kernel.postgres import Cluster
from kernel.settings import Environment, Settings
from marketplace.app import create_app
from tests import fresh

TEMPLATE = "template_of_tests"
DATABASE = "xiangji_under_test"


def pytest_collection_finish() -> None:
    """Keep what is loaded out of garbage collection, as a server does: a tenth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def var_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that PostgreSQL's user reaches too; the folders of pytest are too private."""
    folder = Path(tempfile.mkdtemp(prefix="xiangji-tests-"))
    folder.chmod(0o711)
    # What one worker of a run has compiled, the others need not.
    run = tmp_path_factory.getbasetemp()
    templates = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "templates"
    templates.mkdir(exist_ok=True)
    (folder / "templates").symlink_to(templates)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster(var_dir: Path) -> Iterator[Cluster]:
    """One server for each worker of the test run."""
    with Cluster(var_dir, durable=False) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def template(cluster: Cluster, var_dir: Path) -> str:
    """The name of a database with every table and nothing in them."""
    cluster.create_database(TEMPLATE)
    build_template(cluster.url(TEMPLATE), var_dir)
    with psycopg.connect(cluster.url(TEMPLATE), autocommit=True) as connection:
        fresh.keep_baseline(connection)
    return TEMPLATE


def build_template(url: str, var_dir: Path) -> None:
    """Bring the database at `url` to the newest version of the schema."""
    app = create_app(settings_for(url, var_dir))
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()


def settings_for(url: str, var_dir: Path) -> Settings:
    """Settings of an application under test, on the database at `url`."""
    return Settings(
        environment=Environment.TESTING,
        var_dir=var_dir,
        database_url=url,
        pool_size=4,
        public_url="http://localhost",
        stripe_api_base="http://127.0.0.1:9",
        stripe_webhook_secret="whsec_" + secrets.token_hex(24),
        secret_key=secrets.token_hex(32),
        data_key=Fernet.generate_key().decode(),
    )


@pytest.fixture(scope="session")
def application(cluster: Cluster, template: str, var_dir: Path) -> Flask:
    """The one application of this worker. Its database is made fresh for each test."""
    return create_app(settings_for(cluster.url(DATABASE), var_dir))


@pytest.fixture(scope="session")
def _fresh(cluster: Cluster, template: str) -> Iterator[fresh.Fresh]:
    """The database of this worker, which is made fresh for each test."""
    kept = fresh.Fresh(cluster.url(DATABASE), cluster.url("postgres"), template)
    yield kept
    kept.close()


@pytest.fixture
def database(_fresh: fresh.Fresh) -> str:
    """The address of a database in which only the first rows of the migrations stand."""
    _fresh.make()
    return _fresh.url


@pytest.fixture
def app(database: str, application: Flask) -> Iterator[Flask]:
    """The application on a fresh database; jobs run in it."""
    jobs.bind(application)
    yield application
    with application.app_context():
        db.session.remove()


class FreshClient(FlaskClient):
    """A browser whose requests forget who asked before.

    Inside a test's own application context Flask keeps `g` from one request to the next,
    which never happens in a real server.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request as a server would see it."""
        if has_app_context():
            for name in list(g):
                g.pop(name)
        return super().open(*args, **kwargs)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor's browser without scripts: it keeps cookies."""
    app.test_client_class = FreshClient
    return app.test_client()
