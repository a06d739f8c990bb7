"""The sellers' JSON blueprint, and what its endpoints have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from flask_smorest import Blueprint
from werkzeug.datastructures import FileStorage

from kernel.idempotency import once_for_program
from sellers.actions import Upload

blueprint = Blueprint(
    "sellers_api", __name__, url_prefix="/api/v1/sellers", description="What sellers do"
)


def made_once(payload: Any, work: Callable[[], str]) -> str:
    """Do `work` once for the request's Idempotency-Key; return the public id that it gave."""
    endpoint = f"{request.method} {request.path}"[:80]
    made = once_for_program(endpoint, payload, lambda: {"id": work()})
    return str(made["id"])


def as_upload(sent: FileStorage) -> Upload:
    """Return a file of a multipart request as actions take it."""
    return Upload(sent.read(), sent.filename or "")
