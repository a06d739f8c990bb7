"""Headers, content security policy, readable text and CSRF for every cookie write."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from flask import Flask, Response, abort, current_app, request
from flask_login import current_user
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect

from kernel.errors import NotFound
from marketplace.sessions import by_cookie

POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
UNKEEPABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and half of a surrogate pair
MOST_NESTED = 50
"""Nothing that we take is half as deep; what is read once more at almost a thousand is a fault."""

csrf = CSRFProtect()


class Headers(Talisman):  # type: ignore[misc]  # it carries no types
    """Talisman's headers; what they are for a view is found out once, not thrice a request."""

    def _get_local_options(self) -> dict[str, Any]:
        return self._options_of(request.endpoint)

    @cache  # noqa: B019  # there is one for an application, and both live as long
    def _options_of(self, _endpoint: str | None) -> dict[str, Any]:
        return dict(super()._get_local_options())


def _keepable(sent: Any) -> bool:
    """Tell whether PostgreSQL can hold every text within `sent`, names of members included.

    Nor is it nested so deep that whoever reads it once more gives up.
    """
    waiting = [(sent, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > MOST_NESTED:
            return False
        if isinstance(one, dict):
            waiting.extend((part, depth + 1) for part in (*one.keys(), *one.values()))
        elif isinstance(one, list):
            waiting.extend((part, depth + 1) for part in one)
        elif isinstance(one, str) and UNKEEPABLE.search(one):
            return False
    return True


def _is_signed() -> bool:
    """Tell whether the caller of this view signs its body, as `kernel.access.signed` marks it."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "signed", False))


def _json() -> Any:
    """Return the body's JSON; refuse what cannot be read, however deep or long it is."""
    try:
        return request.get_json(force=True)
    except RecursionError:
        abort(400)


def _check_text() -> None:
    """Refuse text that no column can hold, before any view looks for it or keeps it."""
    if request.endpoint is None:
        return  # routing failed: 404 or 405 follows
    if not _keepable(request.view_args):
        raise NotFound()
    sent: list[Any] = [request.args.to_dict(flat=False)] if request.args else []
    if request.method not in SAFE_METHODS:
        # What is signed is JSON whatever its header calls it, and a right key proves no sense.
        if (request.is_json or _is_signed()) and request.get_data():
            sent.append(_json())
        else:
            sent.append(request.form.to_dict(flat=False))
            sent.extend(file.filename for file in request.files.values())
    if not _keepable(sent):
        abort(400)


def _check_csrf() -> None:
    """Refuse a write that another site could have made this browser send."""
    if request.method in SAFE_METHODS or request.endpoint is None:
        return
    if _is_signed():
        return  # webhooks and devices prove themselves by a signature over the body
    if not by_cookie() and current_user.is_authenticated:
        return  # a token that works; with one that does not, the cookie would be left to believe
    if request.path.startswith("/api/") and not request.cookies:
        return  # no cookie: nothing that a browser added by itself
    csrf.protect()


def _stand_alone(answer: Response) -> Response:
    """Keep windows of other sites from holding ours."""
    answer.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return answer


def init_app(app: Flask) -> None:
    """Set the headers on every answer and check CSRF before every write."""
    settings = app.extensions["settings"]
    secure = settings.public_url.startswith("https://")
    policy = dict(POLICY)
    if settings.stripe_api_base:
        policy["form-action"] = f"'self' {settings.stripe_api_base}"
    else:
        policy["form-action"] = "'self' https://checkout.stripe.com"
    Headers(
        app,
        content_security_policy=policy,
        content_security_policy_nonce_in=["script-src", "style-src"],
        frame_options="DENY",
        force_https=secure,
        strict_transport_security=secure,
        session_cookie_secure=secure,
        referrer_policy="same-origin",
        permissions_policy={
            "geolocation": "()",
            "camera": "(self)",
            "microphone": "()",
            "payment": "()",
            "usb": "()",
        },
    )
    app.after_request(_stand_alone)
    csrf.init_app(app)
    app.before_request(_check_text)
    app.before_request(_check_csrf)
