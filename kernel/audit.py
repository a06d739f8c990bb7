"""Who looked at what is masked, and who did what for whom: an append-only log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, SmallKey, transaction


class AuditEntry(SmallKey, Base):
    """One remembered act: revealing a household, confirming a transfer, acting by proxy."""

    __tablename__ = "audit_entry"

    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), index=True)
    reason: Mapped[str] = mapped_column(String(200), default="")


def note(act: str, subject: str, *, account_id: int | None, reason: str = "") -> None:
    """Remember that `account_id` did `act` to `subject` (a kind and a public id, no person)."""
    with transaction() as session:
        session.add(AuditEntry(account_id=account_id, act=act, subject=subject, reason=reason))
