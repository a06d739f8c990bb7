"""Headers, content security policy and CSRF for every cookie-authenticated write."""

from __future__ import annotations

from flask import Flask, current_app, request
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect

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

csrf = CSRFProtect()


def _check_csrf() -> None:
    """Refuse a write that another site could have made this browser send."""
    if request.method in SAFE_METHODS or request.endpoint is None or not by_cookie():
        return
    view = current_app.view_functions.get(request.endpoint)
    if getattr(view, "signed", False):  # set by kernel.access.signed
        return  # webhooks and devices prove themselves by a signature over the body
    if request.path.startswith("/api/") and not request.cookies:
        return  # no cookie: nothing that a browser added by itself
    csrf.protect()


def init_app(app: Flask) -> None:
    """Set the headers on every answer and check CSRF before every write."""
    settings = app.extensions["settings"]
    secure = settings.public_url.startswith("https://")
    policy = dict(POLICY)
    if settings.stripe_api_base:
        policy["form-action"] = f"'self' {settings.stripe_api_base}"
    else:
        policy["form-action"] = "'self' https://checkout.stripe.com"
    Talisman(
        app,
        content_security_policy=policy,
        force_https=secure,
        strict_transport_security=secure,
        session_cookie_secure=secure,
        referrer_policy="same-origin",
        permissions_policy={"geolocation": "()", "camera": "(self)", "microphone": "()"},
    )
    csrf.init_app(app)
    app.before_request(_check_csrf)
