"""Who: accounts, organisations, memberships, sign-in and tokens."""

from __future__ import annotations

import enum
import hashlib
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey, choice, db, transaction
from kernel.errors import Invalid, TooMany

TOKEN_LIFE = timedelta(days=30)
TRY_WINDOW = timedelta(minutes=10)
TRIES_PER_LOGIN = 8
TRIES_PER_ADDRESS = 60


class Role(enum.StrEnum):
    """What somebody is in the marketplace; a membership gives a role in an organisation."""

    VISITOR = "visitor"
    CONSUMER = "consumer"
    OFFICIAL = "official"
    COORDINATOR = "coordinator"
    CLERK = "clerk"
    STEWARD = "steward"
    HOST = "host"
    OPERATOR = "operator"
    DEVICE = "device"
    STAFF = "staff"
    AUDITOR = "auditor"
    ADMIN = "admin"


class OrganisationKind(enum.StrEnum):
    """What an organisation is; sellers and buying units add their own table."""

    PLATFORM = "platform"
    SELLER = "seller"
    BUYING_UNIT = "buying_unit"
    CABINET_OPERATOR = "cabinet_operator"
    COUNTY = "county"


class Organisation(Keyed, Base):
    """Anything that people belong to: the platform, a seller, a buying unit, an operator."""

    __tablename__ = "organisation"

    kind: Mapped[OrganisationKind] = mapped_column(choice(OrganisationKind, 20))
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(160), default="")
    region: Mapped[str] = mapped_column(String(80), default="", index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Account(Keyed, Base):
    """Somebody who can sign in. `session_epoch` rises to sign out everywhere."""

    __tablename__ = "account"

    login: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    session_epoch: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    memberships: Mapped[list[Membership]] = relationship(
        back_populates="account", order_by="Membership.id"
    )


class MembershipState(enum.StrEnum):
    """Pending until the unit's coordinator or the staff list approves it."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


class Membership(SmallKey, Base):
    """One account's role in one organisation (none for a plain consumer or an administrator)."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint(
            "account_id", "role", "organisation_id", postgresql_nulls_not_distinct=True
        ),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    role: Mapped[Role] = mapped_column(choice(Role, 20))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    state: Mapped[MembershipState] = mapped_column(
        choice(MembershipState, 10), default=MembershipState.ACTIVE
    )
    staff_number: Mapped[str] = mapped_column(String(20), default="")
    department: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    account: Mapped[Account] = relationship(back_populates="memberships")
    organisation: Mapped[Organisation | None] = relationship()


class ApiToken(SmallKey, Base):
    """A bearer token; only its SHA-256 is kept."""

    __tablename__ = "api_token"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    session_epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]


class SignInTry(SmallKey, Base):
    """One failed try to sign in, kept to throttle across all workers."""

    __tablename__ = "sign_in_try"
    __table_args__ = (
        Index("ix_sign_in_try_login", "login", "tried_at"),
        Index("ix_sign_in_try_address", "address_hash", "tried_at"),
    )

    login: Mapped[str] = mapped_column(String(80))
    address_hash: Mapped[str] = mapped_column(String(64))
    tried_at: Mapped[datetime] = mapped_column(default=clock.now)


# The library's own defaults are RFC 9106's low-memory choice; they bound a worker to 64 MiB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`."""
    return _hasher.hash(password)


_NOBODY = hash_password(secrets.token_hex(16))


def register_account(login: str, password: str, name_zh: str, *, name_en: str = "") -> Account:
    """Create an account and return it. Raises Invalid when the login is taken or too short."""
    cleaned = login.strip().lower()
    if not 3 <= len(cleaned) <= 80 or not cleaned.isprintable() or " " in cleaned:
        raise Invalid(fields={"login": _l("登录名用 3 到 80 个字母、数字或符号，不含空格。")})
    if len(password) < 8:
        raise Invalid(fields={"password": _l("密码至少 8 个字符。")})
    with transaction() as session:
        if session.scalar(select(Account.id).where(Account.login == cleaned)):
            raise Invalid(fields={"login": _l("这个登录名已经有人用了，换一个。")})
        account = Account(
            login=cleaned, password_hash=hash_password(password), name_zh=name_zh, name_en=name_en
        )
        session.add(account)
        session.flush()
        session.add(Membership(account_id=account.id, role=Role.CONSUMER))
    return account


def _address_hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def authenticate(login: str, password: str, address: str) -> Account:
    """Return the account for a right login and password.

    Raises Invalid for a wrong pair (the same answer whether or not the login exists) and
    TooMany after 8 wrong tries of one login or 60 from one address within 10 minutes.
    """
    cleaned, hashed_address = login.strip().lower()[:80], _address_hash(address)
    since = clock.now() - TRY_WINDOW
    tries = db.session.execute(
        select(
            func.count().filter(SignInTry.login == cleaned),
            func.count().filter(SignInTry.address_hash == hashed_address),
        ).where(
            SignInTry.tried_at > since,
            (SignInTry.login == cleaned) | (SignInTry.address_hash == hashed_address),
        )
    ).one()
    if tries[0] >= TRIES_PER_LOGIN or tries[1] >= TRIES_PER_ADDRESS:
        raise TooMany(retry_after_s=int(TRY_WINDOW.total_seconds()))
    account = db.session.scalar(select(Account).where(Account.login == cleaned))
    try:
        # A hash is checked even for an unknown login, so that time tells nothing.
        _hasher.verify(account.password_hash if account else _NOBODY, password)
    except (VerificationError, InvalidHashError):
        account = None
    if account is None or not account.active:
        with transaction() as session:
            session.add(SignInTry(login=cleaned, address_hash=hashed_address))
        raise Invalid(
            _l("登录名或密码不对。检查大小写，再试一次。"), code="wrong_password", fields={}
        )
    return account


def issue_token(account: Account) -> str:
    """Create a bearer token for `account` and return it; it is shown only this once."""
    token = "xj_" + secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(
            ApiToken(
                account_id=account.id,
                token_hash=hashlib.sha256(token.encode()).hexdigest(),
                session_epoch=account.session_epoch,
                expires_at=clock.now() + TOKEN_LIFE,
            )
        )
    return token


def account_for_token(token: str) -> Account | None:
    """Return the account that a bearer token stands for, None if unknown, old or revoked."""
    hashed = hashlib.sha256(token.encode()).hexdigest()
    return db.session.scalar(
        select(Account)
        .join(ApiToken, ApiToken.account_id == Account.id)
        .where(
            ApiToken.token_hash == hashed,
            ApiToken.expires_at > clock.now(),
            ApiToken.session_epoch == Account.session_epoch,
            Account.active,
        )
    )


def sign_out_everywhere(account: Account) -> None:
    """End every session and token of `account`."""
    with transaction() as session:
        session.merge(account).session_epoch += 1


def grant(
    account: Account,
    role: Role,
    organisation: Organisation | None,
    *,
    state: MembershipState = MembershipState.ACTIVE,
    staff_number: str = "",
    department: str = "",
) -> Membership:
    """Give `account` a role in `organisation`; an existing membership is returned as it is."""
    with transaction() as session:
        organisation_id = organisation.id if organisation else None
        existing = session.scalar(
            select(Membership).where(
                Membership.account_id == account.id,
                Membership.role == role,
                Membership.organisation_id.is_not_distinct_from(organisation_id),
            )
        )
        if existing:
            return existing
        membership = Membership(
            account_id=account.id,
            role=role,
            organisation_id=organisation_id,
            state=state,
            staff_number=staff_number,
            department=department,
        )
        session.add(membership)
        session.flush()
    return membership
