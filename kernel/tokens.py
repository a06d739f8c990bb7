"""Bearer tokens: what a program sends in place of a session."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, bindparam, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, Keyed, db, transaction
from kernel.errors import NotFound
from kernel.identity import Account, Holder, hash_key, held_by, holder_of, lasts, seats_of
from kernel.reads import Read


class ApiToken(Keyed, Base):
    """A bearer token; only its SHA-256 is kept. `label` is what its owner calls it."""

    __tablename__ = "api_token"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    session_epoch: Mapped[int]
    label: Mapped[str] = mapped_column(String(40), default="", server_default="")
    factor_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]


def issue_token(
    account: Account, *, label: str = "", factor: bool = False, epoch: int | None = None
) -> str:
    """Create a bearer token for `account` and return it; it is shown only this once.

    With `factor`, its owner has just shown a second factor, and the token carries it. It is
    over as soon as `epoch`, by default that of now, is.
    """
    token = "xj_" + secrets.token_urlsafe(32)
    at = clock.now()
    with transaction() as session:
        session.add(
            ApiToken(
                account_id=account.id,
                token_hash=hash_key(token),
                session_epoch=account.session_epoch if epoch is None else epoch,
                label=label,
                factor_at=at if factor else None,
                created_at=at,
                expires_at=at + lasts(seats_of(account)).longest,
            )
        )
    return token


# Every request with a token asks this.
_BY_TOKEN = Read(
    held_by(ApiToken.id, ApiToken.created_at).where(
        ApiToken.token_hash == bindparam("token_hash"), ApiToken.expires_at > bindparam("at")
    )
)


def find(token: str) -> tuple[int, Holder] | None:
    """Return a bearer token's id and who holds it, None if it is unknown, old or revoked.

    A role that came later may shorten a token's life.
    """
    at = clock.now()
    rows = _BY_TOKEN.rows(token_hash=hash_key(token), at=at)
    if not rows:
        return None
    token_id, created_at = rows[0][:2]
    holder = holder_of(rows)
    if at >= created_at + lasts(holder.seats).longest:
        return None
    return token_id, holder


def tokens_of(account_id: int) -> Sequence[ApiToken]:
    """Return the tokens of an account that still work, newest first."""
    return db.session.scalars(
        select(ApiToken)
        .join(Account, ApiToken.account_id == Account.id)
        .where(
            ApiToken.account_id == account_id,
            ApiToken.session_epoch == Account.session_epoch,
            ApiToken.expires_at > clock.now(),
        )
        .order_by(ApiToken.id.desc())
    ).all()


def revoke_token(account_id: int, public_id: str) -> None:
    """End one of an account's own tokens. Raises NotFound for anybody else's."""
    with transaction() as session:
        gone = session.execute(
            delete(ApiToken)
            .where(ApiToken.account_id == account_id, ApiToken.public_id == public_id)
            .returning(ApiToken.id)
        ).one_or_none()
        if gone is None:
            raise NotFound()
