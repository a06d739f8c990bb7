"""The second factor: a code from a phone (TOTP, RFC 6238), or a code from a paper list.

A code is good for its half minute and the one before and after, and only once: the last
step that was used is kept, and moved on by one statement.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import pyotp
from flask import current_app
from flask_babel import lazy_gettext as _l
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import ForeignKey, String, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kernel import audit, clock, throttle
from kernel.audit import Act
from kernel.crypt import EncryptedText
from kernel.db import Base, SmallKey, db, transaction
from kernel.errors import Conflict, Invalid
from kernel.identity import Account, hash_key
from kernel.settings import Environment, Settings
from kernel.throttle import Gate

DEMO_SECRET = "XIANGJIDEMOSECRET234567XIANGJIDE"  # noqa: S105 - the demo's, told to everybody
ISSUER = "Xiangji"
STEP_S = 30
FREE_TRIES = 5
RECOVERY_CODES = 10
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class SecondFactor(Base):
    """An account's secret, and the last step of which a code was used."""

    __tablename__ = "second_factor"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    secret: Mapped[str | None] = mapped_column(EncryptedText)
    last_step: Mapped[int] = mapped_column(default=0)
    enrolled_at: Mapped[datetime | None]


class RecoveryCode(SmallKey, Base):
    """One code of the paper list; only its hash is kept, and it is used once."""

    __tablename__ = "recovery_code"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[datetime | None]


def is_enrolled(account_id: int) -> bool:
    """Tell whether an account has a second factor."""
    return _secret_of(account_id) is not None


def is_demo(account_id: int) -> bool:
    """Tell whether an account has the demo's own secret, which everybody knows."""
    return _secret_of(account_id) == DEMO_SECRET


def _secret_of(account_id: int) -> str | None:
    return db.session.scalar(
        select(SecondFactor.secret).where(SecondFactor.account_id == account_id)
    )


def code_now(secret: str) -> str:
    """Return the code that a phone with `secret` shows now."""
    return pyotp.TOTP(secret).generate_otp(_step(clock.now()))


def _step(at: datetime) -> int:
    return int(at.timestamp()) // STEP_S


def begin() -> str:
    """Return a new secret to put into a phone; nothing keeps it until `enrol` takes it into use.

    Each page that shows one draws its own, so whoever opened another one, perhaps with a stolen
    cookie, knows nothing of the secret that the account's owner sets up.
    """
    return pyotp.random_base32()


def sealed(account_id: int, secret: str) -> str:
    """Return a secret from `begin` for the page that shows it to carry, bound to its account."""
    return _signer().dumps([account_id, secret])


def opened(account_id: int, seal: str) -> str:
    """Return the secret that `sealed` gave out for this account. Raises Conflict."""
    try:
        whose, secret = _signer().loads(seal)
    except BadSignature:
        whose, secret = None, ""
    if whose != account_id:
        raise Conflict(_l("先用手机扫一下二维码，再填验证码。"), code="factor_not_begun")
    return str(secret)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="second-factor")


def address(secret: str, login: str) -> str:
    """Return the otpauth address that a phone reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def enrol(account: Account, secret: str, code: str) -> list[str]:
    """Take a secret from `begin` into use, as `code` shows that the phone has it.

    Returns a new list of recovery codes, shown only this once. Raises Invalid for a wrong
    code, and TooMany.
    """
    gate = Gate(f"factor:{account.id}", FREE_TRIES)
    throttle.enter(gate)
    step = _step_of(secret, code)
    if step is None:
        raise _wrong()
    with transaction() as session:
        session.execute(
            insert(SecondFactor).values(account_id=account.id, last_step=0).on_conflict_do_nothing()
        )
        row = session.get_one(
            SecondFactor, account.id, with_for_update=True, populate_existing=True
        )
        row.secret, row.last_step, row.enrolled_at = secret, step, clock.now()
        audit.note(Act.FACTOR_ENROLLED, f"account:{account.public_id}", account_id=account.id)
        codes = renew_recovery_codes(account)
    throttle.forget(gate)
    return codes


def renew_recovery_codes(account: Account) -> list[str]:
    """Return a new paper list of `account`; the old one is over."""
    codes = ["-".join(_letters(4) for _ in range(4)) for _ in range(RECOVERY_CODES)]
    with transaction() as session:
        session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
        session.add_all(
            RecoveryCode(account_id=account.id, code_hash=_recovery_hash(code)) for code in codes
        )
    return codes


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _recovery_hash(code: str) -> str:
    return hash_key("".join(one for one in code.upper() if one in _LETTERS))


def recovery_codes_left(account_id: int) -> int:
    """Return how many codes of the paper list are unused."""
    unused = RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None)
    return int(db.session.scalar(select(func.count()).where(*unused)) or 0)


def check(account: Account, code: str) -> None:
    """Use up a code of the phone or of the paper list.

    Raises Conflict when `account` has no second factor, Invalid for a wrong or used code, and
    TooMany. In production the demo's secret is as good as none.
    """
    secret = _secret_of(account.id)
    settings: Settings = current_app.extensions["settings"]
    known = secret == DEMO_SECRET and settings.environment is Environment.PRODUCTION
    if secret is None or known:
        raise Conflict(
            _l("还没有设置第二重验证。到“我的 → 安全”里设置，再做这一步。"),
            code="factor_not_enrolled",
        )
    gate = Gate(f"factor:{account.id}", FREE_TRIES)
    throttle.enter(gate)
    step = _step_of(secret, code)
    used = _use_step(account.id, step) if step is not None else _use_recovery(account, code)
    if not used:
        raise _wrong()
    throttle.forget(gate)


def _wrong() -> Invalid:
    words = _l("验证码不对，或者已经用过了。等手机上换了新的，再填一次。")
    return Invalid(words, code="wrong_code", fields={"code": words})


def _step_of(secret: str, code: str) -> int | None:
    """Return the step around now that `code` belongs to."""
    typed = "".join(code.split())
    now = _step(clock.now())
    totp = pyotp.TOTP(secret)
    for step in (now, now - 1, now + 1):
        if pyotp.utils.strings_equal(typed, totp.generate_otp(step)):
            return step
    return None


def _use_step(account_id: int, step: int) -> bool:
    """Move on to `step`; False when it, or one after it, was used before."""
    with transaction() as session:
        moved = session.scalar(
            update(SecondFactor)
            .where(SecondFactor.account_id == account_id, SecondFactor.last_step < step)
            .values(last_step=step)
            .returning(SecondFactor.account_id)
        )
    return moved is not None


def _use_recovery(account: Account, code: str) -> bool:
    with transaction() as session:
        used = session.scalar(
            update(RecoveryCode)
            .where(
                RecoveryCode.account_id == account.id,
                RecoveryCode.code_hash == _recovery_hash(code),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=clock.now())
            .returning(RecoveryCode.id)
        )
        if used is not None:
            audit.note(
                Act.RECOVERY_CODE_USED, f"account:{account.public_id}", account_id=account.id
            )
    return used is not None


def take_away(account: Account) -> None:
    """Forget the second factor of `account`, whose owner has lost phone and paper list."""
    with transaction() as session:
        session.execute(delete(SecondFactor).where(SecondFactor.account_id == account.id))
        session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
        audit.note(Act.FACTOR_REMOVED, f"account:{account.public_id}", account_id=None)


def enrol_known(account_ids: Sequence[int], secret: str) -> None:
    """Give accounts a secret that is known already, as the demo does."""
    with transaction() as session:
        session.add_all(
            SecondFactor(account_id=one, secret=secret, enrolled_at=clock.now())
            for one in account_ids
        )
