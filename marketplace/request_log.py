"""One line in the log for every request, and the id by which a person can name it."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from sqlalchemy import event

from kernel import logs
from kernel.db import db

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"


def request_id() -> str:
    """Return the id of this request; an error page shows it, and its log lines carry it."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    known: str = g.request_id
    return known


def _begin() -> None:
    g.began_at = time.perf_counter()
    g.statements = 0


def _count(*_event: Any) -> None:
    if has_request_context() and "statements" in g:
        g.statements += 1


def _end(answer: Response) -> Response:
    answer.headers[HEADER] = request_id()
    if not log.isEnabledFor(logging.INFO):
        return answer
    who = g.get("viewer")
    logs.say(
        log,
        logging.INFO,
        "request",
        request=request_id(),
        method=request.method,
        endpoint=request.endpoint,
        status=answer.status_code,
        ms=round((time.perf_counter() - g.get("began_at", time.perf_counter())) * 1000, 1),
        account=who.account_id if who is not None else None,
        statements=g.get("statements", 0),
    )
    return answer


def init_app(app: Flask) -> None:
    """Count and tell. To be called first, so that its line comes after everything else."""
    app.before_request(_begin)
    app.after_request(_end)
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", _count)
