"""The sandbox as a Flask app."""

import logging

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from orders.payments.sandbox.api import api
from orders.payments.sandbox.calls import error_response, name_request, sign_answer
from orders.payments.sandbox.control import control
from orders.payments.sandbox.errors import ApiError
from orders.payments.sandbox.hosted import hosted, refusal_page
from orders.payments.sandbox.state import Sandbox

log = logging.getLogger(__name__)

BODY_LARGEST = 1024 * 1024
_API_PATHS = ("/v1/", "/sandbox/")


def create_app(sandbox: Sandbox) -> Flask:
    """Make the app that serves this sandbox: the API, its control calls and the hosted page."""
    app = Flask(__name__, static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LARGEST
    app.config["MAX_FORM_MEMORY_SIZE"] = BODY_LARGEST
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(api)
    app.register_blueprint(control)
    app.register_blueprint(hosted)
    app.before_request(name_request)
    app.after_request(sign_answer)
    app.register_error_handler(ApiError, _refuse)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)
    app.get("/healthz")(_healthz)
    return app


def _healthz() -> dict[str, str]:
    return {"status": "ok"}


def _refuse(error: ApiError) -> Response:
    if request.path.startswith(_API_PATHS):
        return error_response(error)
    return refusal_page(error.status)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if not request.path.startswith(_API_PATHS):
        return refusal_page(status)
    if status in (404, 405):
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return error_response(ApiError(404, message))
    return error_response(ApiError(status, error.description or error.name))


def _crash(error: Exception) -> Response:
    log.exception("request failed", exc_info=error)
    kind = "api_error"
    message = "The sandbox failed to carry this out; its log says why."
    if request.path.startswith(_API_PATHS):
        return error_response(ApiError(500, message, kind=kind))
    return refusal_page(500)
