"""Sessions of browsers: a row each, so that one that was ended or stolen is really over.

The cookie holds a random key, of which only the hash is kept. The key is drawn anew at
sign-in, at a change of password, and as soon as the account's roles are not those for which
it was given; what was proved under the old key (a second factor) is not proved under the new.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, Keyed, db, transaction
from kernel.errors import NotFound
from kernel.identity import (
    Account,
    Holder,
    Seat,
    hash_key,
    held_by,
    holder_of,
    lasts,
    seats_of,
)
from kernel.reads import Read

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


@dataclass(frozen=True)
class Kept:
    """A session that is not over: its row, the key that opens it, and who holds it."""

    session_id: int
    public_id: str
    key: str
    seats_hash: str
    seen_at: datetime
    holder: Holder

    @property
    def is_outdated(self) -> bool:
        """Tell whether the key was given for other roles than are held now."""
        return self.seats_hash != seats_hash(self.holder.seats)


def seats_hash(seats: Collection[Seat]) -> str:
    """Return a short text that changes when what is held does."""
    held = " ".join(sorted(f"{seat.role}:{seat.organisation_id}" for seat in seats))
    return hashlib.sha256(held.encode()).hexdigest()[:16]


def start(account: Account, agent: str, epoch: int | None = None) -> str:
    """Start a session for `account` and return its key.

    It is over as soon as `epoch`, by default that of now, is.
    """
    key = secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(
            WebSession(
                account_id=account.id,
                key_hash=hash_key(key),
                session_epoch=account.session_epoch if epoch is None else epoch,
                seats_hash=seats_hash(seats_of(account)),
                agent=agent[:200],
            )
        )
    return key


# Every page of somebody who is signed in asks this.
_BY_KEY = Read(
    held_by(
        WebSession.id,
        WebSession.public_id,
        WebSession.seats_hash,
        WebSession.seen_at,
        WebSession.created_at,
    ).where(WebSession.key_hash == bindparam("key_hash"))
)


def find(key: str) -> Kept | None:
    """Return the session that has this key, with who holds it; None if it is over."""
    rows = _BY_KEY.rows(key_hash=hash_key(key))
    if not rows:
        return None
    session_id, public_id, given_for, seen_at, created_at = rows[0][:5]
    holder = holder_of(rows)
    at, limits = clock.now(), lasts(holder.seats)
    if at - seen_at > limits.idle or at - created_at > limits.longest:
        return None
    return Kept(session_id, public_id, key, given_for, seen_at, holder)


def seen(kept: Kept) -> None:
    """Remember that the session was used, if that was not remembered a moment ago."""
    at = clock.now()
    if at - kept.seen_at < SEEN_EVERY:
        return
    with transaction() as session:
        session.execute(
            update(WebSession)
            .where(WebSession.id == kept.session_id, WebSession.seen_at < at)
            .values(seen_at=at)
        )


def renew(kept: Kept) -> Kept:
    """Give the session another key and return it: the old one is over, and so is its factor.

    Of two requests that a browser sends at once, the first gets the new key; the second is
    answered with the one it came with, or the browser would be left with one of two.
    """
    key, held = secrets.token_urlsafe(32), seats_hash(kept.holder.seats)
    with transaction() as session:
        first = session.scalar(
            update(WebSession)
            .where(WebSession.id == kept.session_id, WebSession.key_hash == hash_key(kept.key))
            .values(key_hash=hash_key(key), seats_hash=held, factor_at=None)
            .returning(WebSession.id)
        )
    holder = replace(kept.holder, factor_at=None)
    return replace(kept, key=key if first else kept.key, seats_hash=held, holder=holder)


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
    at, limits = clock.now(), lasts(seats_of(account))
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
