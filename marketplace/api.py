"""The JSON API: flask-smorest, OpenAPI 3.1, bearer tokens and health."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_smorest import Api

from kernel.access import EVERYONE
from marketplace import rooms


class ProblemApi(Api):
    """flask-smorest, with its own errors as problem documents too."""

    def _register_error_handlers(self) -> None:
        """Leave errors to `marketplace.refusals`, which handles them for the whole app."""


def init_app(app: Flask) -> None:
    """Register every room's API blueprints under /api/v1."""
    app.config.update(
        API_TITLE="Xiangji 乡集",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = ProblemApi(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for blueprint in rooms.api_blueprints():
        api.register_blueprint(blueprint)
    _open_the_document(app)


def _open_the_document(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("api-docs."):
            marked: Any = view
            marked.__dict__.setdefault("access", EVERYONE)
