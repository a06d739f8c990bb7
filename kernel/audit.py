"""Who looked at what is masked, and who did what for whom: an append-only log."""

from __future__ import annotations

import enum
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, SmallKey, choice, db, transaction
from kernel.errors import Invalid
from kernel.identity import Account
from kernel.paging import Page, decode, page_of
from kernel.text import cleaned


class Act(enum.StrEnum):
    """What leaves a trace: a thing, and what was done with it."""

    SELLER_VERIFIED = "seller_verified"
    SELLER_RETURNED = "seller_returned"
    BANK_ACCOUNT_CHANGED = "bank_account_changed"
    BANK_ACCOUNT_CONFIRMED = "bank_account_confirmed"
    SELLER_REVEALED = "seller_revealed"
    ORDER_REVEALED = "order_revealed"
    HOUSEHOLD_REVIEWED = "household_reviewed"
    HOUSEHOLD_REVEALED = "household_revealed"
    CERTIFICATE_ACCEPTED = "certificate_accepted"
    CERTIFICATE_RETURNED = "certificate_returned"
    QUOTA_ANSWERED_BY_PROXY = "quota_answered_by_proxy"
    YIELD_ENTERED_BY_PROXY = "yield_entered_by_proxy"
    TRANSFER_CONFIRMED = "transfer_confirmed"
    TRANSFER_CAME_AGAIN = "transfer_came_again"
    DEBT_REPAID = "debt_repaid"
    TAKEN_BACK = "taken_back"
    PAYOUT_PROPOSED = "payout_proposed"
    PAYOUT_APPROVED = "payout_approved"
    PAYOUT_DECLINED = "payout_declined"
    PAYOUT_WITHDRAWN = "payout_withdrawn"
    PAYOUT_RETURN_PROPOSED = "payout_return_proposed"
    PAYOUT_RETURN_APPROVED = "payout_return_approved"
    PAYOUT_RETURN_DECLINED = "payout_return_declined"
    PAYOUT_RETURN_WITHDRAWN = "payout_return_withdrawn"
    DEVICE_KEY_RENEWED = "device_key_renewed"
    DIFFERENCE_EXPLAINED = "difference_explained"
    FACTOR_ENROLLED = "factor_enrolled"
    FACTOR_REMOVED = "factor_removed"
    RECOVERY_CODE_USED = "recovery_code_used"
    ORGANISATION_ADDED = "organisation_added"
    TARGET_SET = "target_set"
    ROLE_GRANTED = "role_granted"
    ROLE_ENDED = "role_ended"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - an act, no password


class AuditEntry(SmallKey, Base):
    """One remembered act. The database itself refuses to change or delete it."""

    __tablename__ = "audit_entry"

    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    act: Mapped[Act] = mapped_column(choice(Act, 40))
    subject: Mapped[str] = mapped_column(String(80), index=True)
    reason: Mapped[str] = mapped_column(String(200), default="")


LEAST_REASON = 4
"""Characters that a reason for looking at personal data must have."""


def note(act: Act, subject: str, *, account_id: int | None, reason: str = "") -> None:
    """Remember that `account_id` did `act` to `subject` (a kind and a public id, no person)."""
    with transaction() as session:
        # At the moment of the act, not when it is written down.
        session.add(
            AuditEntry(
                at=clock.now(), account_id=account_id, act=act, subject=subject, reason=reason
            )
        )


def reveal(act: Act, subject: str, *, account_id: int | None, reason: str) -> None:
    """Remember that personal data was looked at, before it is shown. Raises Invalid for no reason.

    The caller shows the data only after this returned, in the same transaction.
    """
    words = cleaned(reason)
    if len(words) < LEAST_REASON:
        raise Invalid(fields={"reason": _l("写明为什么要看，如 打电话通知采收。会留下记录。")})
    note(act, subject, account_id=account_id, reason=words[:200])


def entries(act: Act | None, cursor: str | None, page_size: int) -> Page[tuple[AuditEntry, str]]:
    """Return what is remembered with the login of who did it, newest first. Raises Invalid."""
    query = (
        select(AuditEntry, func.coalesce(Account.login, ""))
        .outerjoin(Account, Account.id == AuditEntry.account_id)
        .order_by(AuditEntry.id.desc())
        .limit(page_size + 1)
    )
    if act is not None:
        query = query.where(AuditEntry.act == act)
    if cursor:
        query = query.where(AuditEntry.id < decode(cursor, int)[0])
    rows = [(row[0], row[1]) for row in db.session.execute(query)]
    return page_of(rows, page_size, lambda row: (row[0].id,))
