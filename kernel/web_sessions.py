"""Sessions of browsers: a row each, so that one that was ended or stolen is really over.

The cookie holds a random key, of which only the hash is kept. The key is drawn anew at
sign-in, at a change of password, and as soon as the account's roles are not those for which
it was given; what was proved under the old key (a second factor) is not proved under the new.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, selectinload

from kernel import clock
from kernel.db import Base, Keyed, db, transaction
from kernel.errors import NotFound
from kernel.identity import Account, Membership, MembershipState, hash_key, lasts, roles_of

SEEN_EVERY = timedelta(minutes=5)
"""How exactly `seen_at` is kept: most requests then write nothing."""


class WebSession(Keyed, Base):
    """One browser in which somebody is signed in."""

    __tablename__ = "web_session"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    session_epoch: Mapped[int]
    seats_hash: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(200), default="")
    factor_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)


def seats_hash(account: Account) -> str:
    """Return a short text that changes when the roles of `account` do."""
    seats = sorted(
        f"{m.role}:{m.organisation_id}"
        for m in account.memberships
        if m.state is MembershipState.ACTIVE
    )
    return hashlib.sha256(" ".join(seats).encode()).hexdigest()[:16]


def start(account: Account, agent: str) -> str:
    """Start a session for `account` and return its key."""
    key = secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(
            WebSession(
                account_id=account.id,
                key_hash=hash_key(key),
                session_epoch=account.session_epoch,
                seats_hash=seats_hash(account),
                agent=agent[:200],
            )
        )
    return key


def find(key: str) -> tuple[WebSession, Account] | None:
    """Return the session that has this key, with its account and roles; None if it is over."""
    found = db.session.execute(
        select(WebSession, Account)
        .join(Account, WebSession.account_id == Account.id)
        .where(
            WebSession.key_hash == hash_key(key),
            WebSession.session_epoch == Account.session_epoch,
            Account.active,
        )
        .options(
            selectinload(Account.memberships).options(joinedload(Membership.organisation)),
        )
    ).one_or_none()
    if found is None:
        return None
    kept, account = found
    at, limits = clock.now(), lasts(roles_of(account))
    if at - kept.seen_at > limits.idle or at - kept.created_at > limits.longest:
        return None
    return kept, account


def seen(kept: WebSession) -> None:
    """Remember that the session was used, if that was not remembered a moment ago."""
    at = clock.now()
    if at - kept.seen_at < SEEN_EVERY:
        return
    with transaction() as session:
        session.execute(
            update(WebSession)
            .where(WebSession.id == kept.id, WebSession.seen_at < at)
            .values(seen_at=at)
        )


def renew(kept: WebSession, account: Account) -> str:
    """Give the session another key and return it: the old one is over, and so is its factor."""
    key = secrets.token_urlsafe(32)
    with transaction() as session:
        session.execute(
            update(WebSession)
            .where(WebSession.id == kept.id)
            .values(key_hash=hash_key(key), seats_hash=seats_hash(account), factor_at=None)
        )
    return key


def end(account_id: int, public_id: str) -> None:
    """End one of an account's own sessions. Raises NotFound for anybody else's."""
    with transaction() as session:
        gone = session.execute(
            delete(WebSession)
            .where(WebSession.account_id == account_id, WebSession.public_id == public_id)
            .returning(WebSession.id)
        ).one_or_none()
        if gone is None:
            raise NotFound()


def sessions_of(account: Account) -> Sequence[WebSession]:
    """Return the sessions of `account` that are not over, the latest used first."""
    at, limits = clock.now(), lasts(roles_of(account))
    return db.session.scalars(
        select(WebSession)
        .where(
            WebSession.account_id == account.id,
            WebSession.session_epoch == account.session_epoch,
            WebSession.seen_at > at - limits.idle,
            WebSession.created_at > at - limits.longest,
        )
        .order_by(WebSession.seen_at.desc(), WebSession.id.desc())
    ).all()
