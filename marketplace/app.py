"""create_app: settings in, a Flask application out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from werkzeug.middleware.proxy_fix import ProxyFix

from kernel import access, jobs
from kernel.db import CONNECTION_OPTIONS, db, watch
from kernel.settings import Settings, data_keys
from marketplace import (
    addresses,
    api,
    cli,
    filters,
    list_pages,
    locale,
    menu,
    refusals,
    request_log,
    rooms,
    security,
    sessions,
    statics,
)
from marketplace.demo import note
from marketplace.shop import Shop


class Migrations:
    """Stands where Flask-Migrate is looked for, until it is: few processes migrate anything."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        app.extensions["migrate"] = self
        if click.get_current_context(silent=True) is not None:
            self.load()  # `flask` is asked for its commands, and `db` is one of them

    def load(self) -> Any:
        """Give the place to Flask-Migrate, and return what stands there then."""
        from flask_migrate import Migrate  # noqa: PLC0415  # with Alembic a tenth of a start

        Migrate(self._app, db, directory=str(rooms.MIGRATIONS))
        return self._app.extensions["migrate"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.load(), name)


def create_app(settings: Settings) -> Flask:
    """Return the application for `settings`; its database_url must be set by now."""
    if settings.database_url is None:
        raise ValueError("create_app needs a database_url; the launcher sets it")
    app = Shop(__name__, template_folder="templates", static_folder="static")
    _configure(app, settings)
    db.init_app(app)
    with app.app_context():
        watch(db.engine)
    Migrations(app)
    jobs.bind(app)
    request_log.init_app(app)
    statics.init_app(app)
    locale.init_app(app)
    sessions.init_app(app)
    security.init_app(app)
    app.before_request(access.guard)
    refusals.register(app)
    filters.register(app)
    addresses.register(app)
    rooms.register(app)
    api.init_app(app)
    menu.register(app)
    list_pages.register(app)
    cli.register(app)
    note.register(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    """Give Flask and its extensions what `settings` say."""
    settings.template_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    compiled = FileSystemBytecodeCache(str(settings.template_dir))
    app.jinja_options = {**app.jinja_options, "bytecode_cache": compiled}
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": settings.pool_size,
            "max_overflow": 0,
            "pool_timeout": 5,
            **CONNECTION_OPTIONS,
        },
        UPLOAD_DIR=str(settings.upload_dir),
        MAX_CONTENT_LENGTH=12 * 1024 * 1024,
        # Guests keep their cart and orders for a month; no sign-in outlives its cookie.
        PERMANENT_SESSION_LIFETIME=max(
            timedelta(days=30), settings.limits.longest, settings.staff_limits.longest
        ),
        # Else a slow answer, even a picture, would bring back a session that has just ended.
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        JSON_AS_ASCII=False,
        DEBUG=False,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    app.extensions["settings"] = settings
    app.extensions["data_key"] = data_keys(settings.data_key)
    if count := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way to wrap
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
