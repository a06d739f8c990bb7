"""Who is signed in: a browser's session or a bearer token, each a row that can be ended."""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import cache, cached_property
from typing import Any

from flask import Flask, Request, Response, current_app, g, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, login_user, logout_user
from itsdangerous import BadSignature, URLSafeTimedSerializer

from kernel import access, clock, tokens, web_sessions
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.identity import Account, Holder, hash_key, wrong_pair
from kernel.tokens import ApiToken
from kernel.web_sessions import Kept, WebSession

DEVICE_COOKIE = "known"
DEVICE_LIFE = timedelta(days=180)
LOGINS_PER_DEVICE = 5


class Cookies(SecureCookieSessionInterface):
    """Flask's own sessions, whose signer is made once and not for every request."""

    @cache  # noqa: B019  # there is one for an application, and both live as long
    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs and reads the cookie."""
        return super().get_signing_serializer(app)


class SignedIn(UserMixin):
    """Flask-Login's user: who holds a session or a token. Rows are read where asked for."""

    def __init__(
        self, holder: Holder, proof: type[WebSession] | type[ApiToken], proof_id: int
    ) -> None:
        self._holder = holder
        self._proof: Any = proof
        self._proof_id = proof_id
        self.account_id = holder.account_id

    @cached_property
    def account(self) -> Account:
        """The account."""
        return db.session.get_one(Account, self.account_id)

    @cached_property
    def proof(self) -> WebSession | ApiToken:
        """The session, or the token that was sent."""
        found: WebSession | ApiToken = db.session.get_one(self._proof, self._proof_id)
        return found

    def viewer(self, visitor: str) -> Viewer:
        """Return who asks, in a browser that is known as `visitor`."""
        holder = self._holder
        return Viewer(
            account_id=holder.account_id,
            visitor=visitor,
            name_zh=holder.name_zh,
            name_en=holder.name_en,
            seats=holder.seats,
            factor_at=holder.factor_at,
        )


class SignedInHere(SignedIn):
    """The same in a browser, whose cookie holds the session's key."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(kept.holder, WebSession, kept.session_id)
        self._key = kept.key

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return self._key


def _load(key: str) -> SignedIn | None:
    if not by_cookie():
        return None  # whoever sends a token is who the token says, or nobody
    kept = web_sessions.find(key)
    if kept is None:
        return None
    if kept.is_outdated:
        kept = web_sessions.renew(kept)
        if kept.key != key:
            session["_user_id"] = kept.key
    else:
        web_sessions.seen(kept)
    return SignedInHere(kept)


def _load_from_request(incoming: Request) -> SignedIn | None:
    kind, _, token = incoming.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    found = tokens.find(token.strip())
    return SignedIn(found[1], ApiToken, found[0]) if found else None


def by_cookie() -> bool:
    """Tell whether this request is (or would be) authenticated by its cookie."""
    return not request.headers.get("Authorization", "").lower().startswith("bearer ")


def _devices() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="known-device")


def _device() -> dict[str, list[str]]:
    """Return this browser's name and the hashed logins that it has signed in to."""
    try:
        known: dict[str, list[str]] = _devices().loads(
            request.cookies.get(DEVICE_COOKIE, ""), max_age=int(DEVICE_LIFE.total_seconds())
        )
    except BadSignature:
        return {}
    return known


def known_device(login: str) -> str | None:
    """Return this browser's name if it has signed in to `login` before."""
    for name, logins in _device().items():
        if hash_key(login.strip().lower()[:80])[:16] in logins:
            return name
    return None


def _remember_device(login: str) -> None:
    """Let this answer tell the browser that it is known to `login`."""
    [(name, logins)] = _device().items() or {secrets.token_hex(8): []}.items()
    mine = hash_key(login)[:16]
    kept = [mine, *(one for one in logins if one != mine)][:LOGINS_PER_DEVICE]
    g.device_cookie = _devices().dumps({name: kept})


def _send_device(answer: Response) -> Response:
    if "device_cookie" in g:
        answer.set_cookie(
            DEVICE_COOKIE,
            g.device_cookie,
            max_age=DEVICE_LIFE,
            path="/sign-in",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return answer


def sign_in(account: Account, epoch: int | None = None) -> None:
    """Start a fresh session for `account`; cart and visitor key come along.

    Raises Invalid if everything of `epoch`, in which the password was right, has ended since.
    """
    end_this()
    stays = {name: session[name] for name in ("visitor", "language", "cart") if name in session}
    session.clear()
    g.pop("csrf_token", None)  # made for the session that was; the answer may hold a form
    session.update(stays)
    session.permanent = True
    kept = web_sessions.find(web_sessions.start(account, request.user_agent.string, epoch))
    if kept is None:
        raise wrong_pair()
    login_user(SignedInHere(kept))
    g.pop("viewer", None)
    _remember_device(account.login)


def end_this() -> None:
    """End the session that this browser's cookie stands for, if it stands for one."""
    kept = web_sessions.find(session.get("_user_id", ""))
    if kept is not None:
        web_sessions.end(kept.holder.account_id, kept.public_id)


def sign_out() -> None:
    """End the session of this browser; the language stays."""
    end_this()
    language = session.get("language")
    logout_user()
    session.clear()
    if language:
        session["language"] = language


def keep_factor(signed_in: SignedIn) -> None:
    """Remember in this session that a second factor was shown just now."""
    with transaction() as database:
        database.merge(signed_in.proof).factor_at = clock.now()
    g.pop("viewer", None)


def _keep_private(answer: Response) -> Response:
    """Let no browser show again, after signing out, what somebody who was signed in saw.

    With `no-store` Chromium forgets pages that it kept for Back as soon as the cookie changes;
    until then Back gives them as they were left, half-filled forms too.
    """
    if "viewer" in g and g.viewer.account_id is not None:
        answer.headers.setdefault("Cache-Control", "private, no-store")
    return answer


def init_app(app: Flask) -> None:
    """Set up Flask-Login and give every page its `viewer`."""
    app.session_interface = Cookies()
    manager = LoginManager()
    # In place of `init_app`, which looks after every answer for a cookie that we never give:
    # each would then depend on who asks.
    app.login_manager = manager  # type: ignore[attr-defined]  # where Flask-Login looks for it
    manager.session_protection = None
    manager.user_loader(_load)
    manager.request_loader(_load_from_request)
    app.after_request(_send_device)
    app.after_request(_keep_private)
    app.context_processor(lambda: {"viewer": access.viewer()})
