"""The JSON API under /api/v1: every room's calls, described in one OpenAPI 3.1 document."""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock
from typing import Any

from apispec import BasePlugin
from flask import Flask, Response, current_app
from flask.json import dumps
from flask_smorest import Api, Blueprint

from kernel.access import EVERYONE
from marketplace import rooms
from marketplace.refusals import CODES, PROBLEM_TYPE

REFUSED = tuple(status for status in CODES if status != HTTPStatus.INTERNAL_SERVER_ERROR)
"""Every status with which a call can be refused; each comes as a problem document."""
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "fields": {"type": "object"},
    },
}


class Refusals(BasePlugin):
    """Documents every operation's refusals, in one place for all rooms."""

    def operation_helper(
        self, path: str | None = None, operations: dict[Any, Any] | None = None, **kwargs: Any
    ) -> None:
        """Name each status with which an operation can be refused, in place of a default."""
        for operation in (operations or {}).values():
            answers = operation.setdefault("responses", {})
            answers.pop("default", None)
            answers.update({str(status): "Problem" for status in REFUSED})


class ProblemApi(Api):
    """flask-smorest, with its own errors as problem documents, described when somebody asks.

    Describing every operation takes a tenth of a start, and most processes are never asked.
    """

    def __init__(self, app: Flask, **options: Any) -> None:
        self._undescribed: list[Blueprint] = []
        self._describing = Lock()
        super().__init__(app, **options)
        app.cli.commands.pop("openapi")  # it prints what is described by then: nothing

    def _register_error_handlers(self) -> None:
        """Leave errors to `marketplace.refusals`, which handles them for the whole app."""

    def register_blueprint(self, blp: Blueprint, **options: Any) -> None:
        """Let the application answer at a blueprint's addresses, and describe them later."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document of all blueprints."""
        with self._describing:
            for blp in self._undescribed:
                blp.register_views_in_doc(
                    self, self._app, self.spec, name=blp.name, parameters=None
                )
                self.spec.tag({"name": blp.name, "description": blp.description})
            self._undescribed.clear()
            described: dict[str, Any] = self.spec.to_dict()
        return described

    def _openapi_json(self) -> Response:
        """Send the document, its paths and fields in the order in which they were declared."""
        said = dumps(self.document, indent=2, sort_keys=False)
        return current_app.response_class(said, mimetype="application/json")


def init_app(app: Flask) -> None:
    """Register every room's API blueprints under /api/v1."""
    app.config.update(
        API_TITLE="Xiangji 乡集",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = ProblemApi(app, spec_kwargs={"extra_plugins": [Refusals()]})
    api.spec.components.schema("Problem", _PROBLEM)
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    api.spec.components.response(
        "Problem", {"description": "Refused, RFC 9457", "content": {PROBLEM_TYPE: problem}}
    )
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for blueprint in rooms.api_blueprints():
        api.register_blueprint(blueprint)
    _open_the_document(app)


def _open_the_document(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("api-docs."):
            marked: Any = view
            marked.__dict__.setdefault("access", EVERYONE)
