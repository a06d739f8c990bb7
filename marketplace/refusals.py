"""Refusals and faults become HTTP here, once: problem documents or pages."""

from __future__ import annotations

import errno
import logging
from typing import Any

import psycopg
from flask import (
    Flask,
    Response,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from kernel import logs
from kernel.access import READS, may_enter, viewer
from kernel.db import db
from kernel.errors import Conflict, FactorNeeded, Invalid, Refusal, SignInNeeded, Unavailable
from kernel.field_words import in_words
from kernel.language import local
from marketplace.account import carrying, step_up
from marketplace.account.forms import SignInForm
from marketplace.menu import came_from
from marketplace.request_log import request_id
from marketplace.security import SAFE_METHODS

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
CODES = {
    400: "bad_request",
    401: "sign_in_needed",
    403: "denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_tries",
    500: "internal_error",
    503: "unavailable",
}
OTHERS = {
    "cabinets.show": ("cabinets.index", _l("看看别的柜子")),
    "livestream.show": ("livestream.index", _l("看看别的直播")),
}
"""Where a code on paper leads → the list of others, where there is nothing behind it."""


def _say(status: int) -> str:
    """Return words for a status that no refusal of ours explains."""
    words = {
        404: _("没有找到这一页。可能已经下架，或者网址不完整。"),
        405: _("这个网址不能这样用。返回上一页再试。"),
        413: _("文件太大，最多 10 MB。压缩后再上传。"),
        415: _("内容的格式不对。请用 JSON 提交。"),
        429: _("试得太频繁了。过几分钟再试。"),
        500: _("我们这边出了错，已经记下。什么都没有改，过一会儿再试。"),
        503: _("暂时忙不过来，什么都没有改。过一会儿再试。"),
    }
    return str(words.get(status, _("这个请求读不懂。检查内容后再试。")))


def wants_problem() -> bool:
    """Tell whether the caller reads problem documents rather than pages."""
    return request.path.startswith(("/api/", "/webhooks/"))


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    fields: dict[str, Any] | None = None,
    extra: dict[str, Any] | None = None,
) -> Response:
    """Return an RFC 9457 problem document with a stable `code`."""
    body: dict[str, Any] = {
        "type": f"/api/docs#problem-{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id(),
        **(extra or {}),
    }
    if fields:
        body["fields"] = fields
    answer = jsonify(body)
    answer.status_code = status
    answer.mimetype = PROBLEM_TYPE
    if extra and "retry_after_s" in extra:
        answer.headers["Retry-After"] = str(extra["retry_after_s"])
    return answer


def _page(
    status: int,
    code: str,
    message: str,
    retry_after_s: int | None = None,
    **more: Any,
) -> ResponseReturnValue:
    """Show a refusal; `more` is what the page says of this one alone."""
    words = {"status": status, "code": code, "message": message, "request_id": request_id(), **more}
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    if status < 500:
        return render_template("errors/error.html", **words), status, headers
    # Context processors ask who is signed in, which may be the very thing that has no answer now.
    page = current_app.jinja_env.get_template("errors/error.html").render(words)
    return page, status, headers


def _refused(refusal: Refusal) -> ResponseReturnValue:
    db.session.rollback()
    message = str(refusal.message)
    if wants_problem():
        fields = {name: str(text) for name, text in refusal.fields.items()}
        return problem(refusal.status, refusal.code, message, fields=fields, extra=refusal.extra)
    if isinstance(refusal, SignInNeeded):
        return _sign_in_first(refusal)
    if isinstance(refusal, FactorNeeded):
        return step_up.ask()
    again = refusal.extra.get("retry_after_s")
    return _page(refusal.status, refusal.code, message, again, next_step=_elsewhere(refusal))


def _elsewhere(refusal: Refusal) -> dict[str, str] | None:
    """Return where there are others of what a printed code no longer leads to."""
    if refusal.status != 404 or request.endpoint not in OTHERS:
        return None
    endpoint, words = OTHERS[request.endpoint]
    return {"href": url_for(endpoint), "text": str(words)}


def _sign_in_first(refusal: SignInNeeded) -> ResponseReturnValue:
    """Lead to the sign-in page; what a page of ours was sending comes along."""
    if request.method in READS:
        return redirect(url_for("account.sign_in", next=carrying.posted_to()))
    kept = carrying.to_send_again()
    if not kept:
        words = _("登录已经结束，刚才那一步没有做，什么都没有改。登录后回到那一页，再做一次。")
        flash(words, "wait")
        return redirect(url_for("account.sign_in", next=came_from()))
    flash(_("登录已经结束，刚才那一步没有做，什么都没有改。"), "wait")
    form = SignInForm(formdata=None, next=carrying.posted_to())
    words = {"form": form, "wrong": None, "kept": kept, "is_whole": carrying.is_whole()}
    return render_template("account/sign_in.html", **words), refusal.status


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    code = CODES.get(status, "refused")
    if wants_problem():
        fields = in_words((getattr(error, "data", None) or {}).get("messages"))
        answer = problem(status, code, _say(status), fields=fields)
        if status == 405 and error.get_headers():
            answer.headers.update({k: v for k, v in error.get_headers() if k.lower() == "allow"})
        return answer
    return _page(status, code, _say(status))


def _csrf(error: CSRFError) -> ResponseReturnValue:
    if wants_problem():
        return problem(400, "csrf", _("CSRF 令牌缺少或不对，什么都没有改。重新取一个再提交。"))
    if viewer().account_id is None:
        words = _("这一页打开以后，你退出了登录，或者开得太久。刚才这一步没有做，什么都没有改。")
    else:
        words = _(
            "这一页打开以后，换了人登录，或者开得太久。刚才这一步没有做，什么都没有改。"
            "现在登录的是 %(who)s。",
            who=local(viewer()),
        )
    again = {
        "fields": carrying.to_send_again(),
        "to": carrying.posted_to(),
        "is_whole": carrying.is_whole(),
        "may": may_enter(request.endpoint or "", viewer()),
    }
    return _page(400, "csrf", words, again=again)


# A unique row that somebody else wrote first, two who waited for each other, a later snapshot.
RACE_STATES = frozenset({"23505", "40P01", "40001"})


def _sqlstate(error: Exception) -> str | None:
    """Return what kind of error the database named; None where it named none."""
    state: str | None = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state


def _lost_race(error: Exception) -> ResponseReturnValue:
    """Answer whoever came second of two at once; the log keeps it whole, for it may be a fault."""
    logs.fault(log, "lost_race", error, reason=_sqlstate(error), **_here())
    words = _("刚才同时有人做了同样的事，这一次什么都没有改。看看现在的样子，需要的话再做一次。")
    return _refused(Conflict(words, code="lost_race"))


def _refused_by_database(error: Exception) -> ResponseReturnValue:
    return _lost_race(error) if _sqlstate(error) in RACE_STATES else _fault(error)


def _database_down(error: Exception) -> ResponseReturnValue:
    if _sqlstate(error) in RACE_STATES:
        return _lost_race(error)
    logs.fault(log, "database_silent", error, **_here())
    db.session.rollback()
    lost = getattr(error, "connection_invalidated", isinstance(error, psycopg.OperationalError))
    if request.method not in SAFE_METHODS and lost:
        # It may have been lost after it had committed and before it could say so.
        return _refused(Unavailable(_("暂时忙不过来。先看看刚才那一步做成了没有，没有再做一次。")))
    return _refused(Unavailable(_say(503)))


def _disk(error: OSError) -> ResponseReturnValue:
    """Answer when a file could not be written because there is no room for it."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return _fault(error)
    logs.fault(log, "disk_full", error, **_here())
    words = _("存放文件的地方满了，什么都没有改。请告诉平台，过一会儿再试。")
    return _refused(Unavailable(words, code="disk_full"))


# Out of range, not a date, not text: what the database says of values, not of our statements.
VALUE_STATES = frozenset({"22001", "22003", "22007", "22008", "22021", "22P02", "22P05"})


def _unkeepable(error: DataError | psycopg.DataError | OverflowError) -> ResponseReturnValue:
    """Answer for a value that no column can hold and that no form or schema caught."""
    state = _sqlstate(error)
    if state is not None and state not in VALUE_STATES:
        return _fault(error)
    logs.say(log, logging.WARNING, "unkeepable_value", reason=state, **_here())
    return _refused(Invalid())


def _here() -> dict[str, Any]:
    """Return what a line of the log says of the request."""
    return {"request": request_id(), "method": request.method, "endpoint": request.endpoint}


def _fault(error: Exception) -> ResponseReturnValue:
    logs.fault(log, "fault", error, **_here())
    db.session.rollback()
    if wants_problem():
        return problem(500, "internal_error", _say(500))
    return _page(500, "internal_error", _say(500))


def register(app: Flask) -> None:
    """Handle every refusal and fault of `app`."""
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DataError, _unkeepable)
    app.register_error_handler(OverflowError, _unkeepable)
    app.register_error_handler(IntegrityError, _refused_by_database)
    app.register_error_handler(OperationalError, _database_down)
    # What `kernel.reads` asks comes back with the driver's own errors.
    app.register_error_handler(psycopg.DataError, _unkeepable)
    app.register_error_handler(psycopg.IntegrityError, _refused_by_database)
    app.register_error_handler(psycopg.OperationalError, _database_down)
    app.register_error_handler(PoolTimeout, _database_down)
    app.register_error_handler(OSError, _disk)
    app.register_error_handler(Exception, _fault)
