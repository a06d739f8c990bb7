"""Who is signed in: a cookie session or a bearer token, ended by the account's epoch."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, Request, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user
from sqlalchemy.orm import joinedload, selectinload

from kernel import access, clock
from kernel.db import db
from kernel.identity import Account, Membership, account_for_token

IDLE_LIMIT = timedelta(days=7)
ABSOLUTE_LIMIT = timedelta(days=30)


class SignedIn(UserMixin):
    """Flask-Login's user: an account at the epoch at which it signed in."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_id(self) -> str:
        """Return '<account id>.<session epoch>'."""
        return f"{self.account.id}.{self.account.session_epoch}"


def _load(session_id: str) -> SignedIn | None:
    account_id, _, epoch = session_id.partition(".")
    if not account_id.isdecimal() or not epoch.isdecimal():
        return None
    account = db.session.get(
        Account,
        int(account_id),
        options=[selectinload(Account.memberships).options(joinedload(Membership.organisation))],
    )
    if account is None or not account.active or account.session_epoch != int(epoch):
        return None
    now = clock.now().timestamp()
    if now - session.get("seen", now) > IDLE_LIMIT.total_seconds():
        return None
    if now - session.get("since", now) > ABSOLUTE_LIMIT.total_seconds():
        return None
    if now - session.get("seen", 0) > 300:  # written seldom, so that pages stay cacheable
        session["seen"] = now
    return SignedIn(account)


def _load_from_request(incoming: Request) -> SignedIn | None:
    kind, _, token = incoming.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    account = account_for_token(token.strip())
    return SignedIn(account) if account else None


def by_cookie() -> bool:
    """Tell whether this request is (or would be) authenticated by its cookie."""
    return not request.headers.get("Authorization", "").lower().startswith("bearer ")


def sign_in(account: Account) -> None:
    """Start a fresh session for `account`; cart and visitor key come along."""
    kept = {name: session[name] for name in ("visitor", "language", "cart") if name in session}
    session.clear()
    session.update(kept)
    session.permanent = True
    session["since"] = session["seen"] = clock.now().timestamp()
    login_user(SignedIn(account))


def sign_out() -> None:
    """End the session of this browser; the language stays."""
    language = session.get("language")
    logout_user()
    session.clear()
    if language:
        session["language"] = language


def init_app(app: Flask) -> None:
    """Set up Flask-Login and give every page its `viewer`."""
    manager = LoginManager(app)
    manager.session_protection = None
    manager.user_loader(_load)
    manager.request_loader(_load_from_request)
    app.context_processor(lambda: {"viewer": access.viewer()})
