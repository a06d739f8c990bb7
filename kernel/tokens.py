"""Bearer tokens: what a program sends in place of a session."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, String, and_, bindparam, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, Keyed, db, transaction
from kernel.errors import NotFound
from kernel.identity import (
    Account,
    Membership,
    MembershipState,
    Role,
    Seat,
    hash_key,
    lasts,
    roles_of,
)
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


def issue_token(account: Account, *, label: str = "", factor: bool = False) -> str:
    """Create a bearer token for `account` and return it; it is shown only this once.

    With `factor`, its owner has just shown a second factor, and the token carries it.
    """
    token = "xj_" + secrets.token_urlsafe(32)
    at = clock.now()
    with transaction() as session:
        session.add(
            ApiToken(
                account_id=account.id,
                token_hash=hash_key(token),
                session_epoch=account.session_epoch,
                label=label,
                factor_at=at if factor else None,
                created_at=at,
                expires_at=at + lasts(roles_of(account)).longest,
            )
        )
    return token


@dataclass(frozen=True)
class Bearer:
    """Whom a token stands for, and when a second factor was shown for it."""

    token_id: int
    account_id: int
    name_zh: str
    name_en: str
    seats: frozenset[Seat]
    factor_at: datetime | None


# Every request with a token asks this; a row for each role that is held.
_BY_TOKEN = Read(
    select(
        ApiToken.id,
        ApiToken.created_at,
        ApiToken.factor_at,
        Account.id,
        Account.name_zh,
        Account.name_en,
        Membership.role,
        Membership.organisation_id,
    )
    .join(Account, ApiToken.account_id == Account.id)
    .outerjoin(
        Membership,
        and_(Membership.account_id == Account.id, Membership.state == MembershipState.ACTIVE.value),
    )
    .where(
        ApiToken.token_hash == bindparam("token_hash"),
        ApiToken.expires_at > bindparam("at"),
        ApiToken.session_epoch == Account.session_epoch,
        Account.active,
    )
)


def bearer(token: str) -> Bearer | None:
    """Return whom a bearer token stands for, None if it is unknown, old or revoked.

    A role that came later may shorten a token's life.
    """
    at = clock.now()
    rows = _BY_TOKEN.rows(token_hash=hash_key(token), at=at)
    if not rows:
        return None
    token_id, created_at, factor_at, account_id, name_zh, name_en, _, _ = rows[0]
    seats = frozenset(Seat(Role(role), organisation) for *_, role, organisation in rows if role)
    if at >= created_at + lasts({seat.role for seat in seats}).longest:
        return None
    return Bearer(token_id, account_id, name_zh, name_en, seats, factor_at)


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
