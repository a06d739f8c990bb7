"""Who: accounts, organisations, memberships and sign-in."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Select, String, UniqueConstraint, and_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column, relationship

from kernel import clock, throttle
from kernel.db import Base, Keyed, SmallKey, choice, db, transaction
from kernel.errors import Invalid, NotFound
from kernel.settings import Settings, SignInLimits
from kernel.throttle import Gate


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


TRIES_PER_PAIR = 8
"""Free wrong passwords for one login from one address; after that each costs time."""
TRIES_PER_LOGIN = 50
"""The same for one login from everywhere, but from browsers that signed in to it before."""
TRIES_PER_ADDRESS = 60
STRICT_ROLES = frozenset({Role.STAFF, Role.AUDITOR, Role.ADMIN})
"""Whoever holds one of these is signed in for a shorter time."""


_CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")


class OrganisationKind(enum.StrEnum):
    """What an organisation is; sellers and buying units add their own table."""

    PLATFORM = "platform"
    SELLER = "seller"
    BUYING_UNIT = "buying_unit"
    CABINET_OPERATOR = "cabinet_operator"


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


# The library's own defaults are RFC 9106's low-memory choice; they bound a worker to 64 MiB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`."""
    return _hasher.hash(password)


# No password has this hash, and looking takes as long as with any other.
_COST = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
_NOBODY = f"$argon2id$v=19${_COST}${'A' * 22}${'A' * 43}"


def register_account(login: str, password: str, name_zh: str, *, name_en: str = "") -> Account:
    """Create an account and return it. Raises Invalid when the login is taken or too short."""
    cleaned = login.strip().lower()
    if not 3 <= len(cleaned) <= 80 or not cleaned.isprintable() or " " in cleaned:
        raise Invalid(fields={"login": _l("登录名用 3 到 80 个字母、数字或符号，不含空格。")})
    check_password(password)
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


def check_password(password: str) -> None:
    """Raise Invalid for a password that nobody should have."""
    if len(password) < 8:
        raise Invalid(fields={"password": _l("密码至少 8 个字符。")})


def _gates(login: str, address: str, device: str | None) -> tuple[list[Gate], list[Gate]]:
    """Return the gates of a try: those that a right one opens, and those it only passes.

    A browser that has signed in to this login before has a gate of its own, so that nobody
    can lock it out from elsewhere.
    """
    if device:
        return [Gate(f"device:{device}:{login}", TRIES_PER_PAIR)], []
    own = [Gate(f"pair:{address}:{login}", TRIES_PER_PAIR), Gate(f"login:{login}", TRIES_PER_LOGIN)]
    return own, [Gate(f"address:{address}", TRIES_PER_ADDRESS)]


@dataclass(frozen=True)
class Proven:
    """An account whose password was right, and its `session_epoch` as that was looked at.

    What is started on this word has that epoch: whoever changes the password meanwhile ends it.
    """

    account: Account
    epoch: int


def authenticate(login: str, password: str, address: str, device: str | None = None) -> Proven:
    """Return the account for a right login and password.

    `device` names a browser that has signed in to this login before. Raises Invalid for a
    wrong pair (the same answer, after the same work, whether or not the login exists) and
    TooMany when too much was tried (`kernel.throttle`).
    """
    cleaned = login.strip().lower()[:80]
    opened, passed = _gates(cleaned, address, device)
    throttle.enter(*opened, *passed)
    account = db.session.scalar(select(Account).where(Account.login == cleaned))
    # A hash is checked even for an unknown login, so that time tells nothing.
    right = _is_right(account.password_hash if account else _NOBODY, password)
    if not right or account is None or not account.active:
        raise wrong_pair()
    proven = Proven(account, account.session_epoch)
    throttle.forget(*opened)
    throttle.forgive(*passed)
    return proven


def wrong_pair() -> Invalid:
    """Return the refusal of a login and a password that do not belong together."""
    return Invalid(_l("登录名或密码不对。检查大小写，再试一次。"), code="wrong_password", fields={})


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def prove(account: Account, password: str) -> str:
    """Let the owner of a session show that it knows the password. Raises Invalid, TooMany.

    Returns the hash that it was held against: what is done on this word may ask whether that
    is the password's still.
    """
    gate = Gate(f"prove:{account.id}", TRIES_PER_PAIR)
    throttle.enter(gate)
    proven = account.password_hash
    if not _is_right(proven, password):
        raise _not_the_present()
    throttle.forget(gate)
    return proven


def _not_the_present() -> Invalid:
    words = _l("现在的密码不对。检查大小写，再试一次。")
    return Invalid(words, code="wrong_password", fields={"password": words})


def change_password(account: Account, password: str, proven: str) -> None:
    """Give `account` another password, and end every session and token of it.

    `proven` is what `prove` returned. Raises Invalid, also when somebody else changed the
    password meanwhile.
    """
    check_password(password)
    password_hash = hash_password(password)
    with transaction() as session:
        kept = session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
        if kept.password_hash != proven:
            raise _not_the_present()
        kept.password_hash = password_hash
        sign_out_everywhere(kept)


def lasts(seats: Collection[Seat]) -> SignInLimits:
    """Return how long whoever holds `seats` stays signed in."""
    settings: Settings = current_app.extensions["settings"]
    strict = any(seat.role in STRICT_ROLES for seat in seats)
    return settings.staff_limits if strict else settings.limits


def seats_of(account: Account) -> frozenset[Seat]:
    """Return what `account` holds now."""
    return frozenset(
        Seat(m.role, m.organisation_id)
        for m in account.memberships
        if m.state is MembershipState.ACTIVE
    )


def hash_key(key: str) -> str:
    """Return what is kept of a random key that somebody else holds."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class Seat:
    """One role in one organisation."""

    role: Role
    organisation_id: int | None


@dataclass(frozen=True)
class Holder:
    """Who holds a session or a token, and when a second factor was shown for it."""

    account_id: int
    name_zh: str
    name_en: str
    seats: frozenset[Seat]
    factor_at: datetime | None


def held_by(*proof: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    """Return the statement for columns of a session or token, and `holder_of` its rows.

    There is a row for each role that is held, and one if none is. Whoever is no longer active,
    or signed out everywhere since, holds nothing.
    """
    table = proof[0].class_
    return (
        select(
            *proof,
            table.factor_at,
            Account.id,
            Account.name_zh,
            Account.name_en,
            Membership.role,
            Membership.organisation_id,
        )
        .join(Account, table.account_id == Account.id)
        .outerjoin(
            Membership,
            and_(
                Membership.account_id == Account.id,
                Membership.state == MembershipState.ACTIVE.value,
            ),
        )
        .where(table.session_epoch == Account.session_epoch, Account.active)
    )


def holder_of(rows: Sequence[Sequence[Any]]) -> Holder:
    """Return who holds that of which `held_by` gave `rows`."""
    *_, factor_at, account_id, name_zh, name_en, _, _ = rows[0]
    seats = frozenset(Seat(Role(role), organisation) for *_, role, organisation in rows if role)
    return Holder(account_id, name_zh, name_en, seats, factor_at)


def sign_out_everywhere(account: Account) -> None:
    """End every session and token of `account`."""
    with transaction() as session:
        # Counted in the database: of two at once, the second ends what began after the first.
        kept = session.merge(account)
        kept.session_epoch = Account.session_epoch + 1


def add_organisation(
    kind: OrganisationKind, code: str, name_zh: str, name_en: str = "", region: str = ""
) -> Organisation:
    """Add an organisation and return it. Raises Invalid for a bad or taken code, or no name."""
    if not _CODE.fullmatch(code):
        raise Invalid(fields={"code": _l("代号用 2 到 40 个小写字母、数字或连字符。")})
    if not (0 < len(name_zh) <= 120 and len(name_en) <= 160 and len(region) <= 80):
        raise Invalid(fields={"name_zh": _l("写明名称，中文最多 120 个字。")})
    with transaction() as session:
        if session.scalar(select(Organisation.id).where(Organisation.code == code)):
            raise Invalid(fields={"code": _l("这个代号已经用了，换一个。")})
        made = Organisation(kind=kind, code=code, name_zh=name_zh, name_en=name_en, region=region)
        session.add(made)
        session.flush()
    return made


def end_membership(account_id: int, role: Role, organisation_id: int | None) -> None:
    """End a role that an account holds in an organisation. Raises NotFound."""
    with transaction() as session:
        ended = session.scalar(
            update(Membership)
            .where(
                Membership.account_id == account_id,
                Membership.role == role,
                Membership.organisation_id.is_not_distinct_from(organisation_id),
                Membership.state != MembershipState.ENDED,
            )
            .values(state=MembershipState.ENDED)
            .returning(Membership.id)
        )
        if ended is None:
            raise NotFound()


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
