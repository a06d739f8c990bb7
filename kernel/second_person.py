"""Two people for what must not hang on one: somebody proposes, somebody else approves.

The database itself refuses an approval by whoever proposed (law `two-people`). What is done
on approval belongs to whoever proposes: it happens in the transaction of `approve`.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from kernel import audit, clock
from kernel.audit import Act
from kernel.db import Base, Keyed, choice, db, transaction
from kernel.errors import Conflict, Invalid, NotFound, SecondPersonNeeded
from kernel.identity import Account
from kernel.text import cleaned


class ProposalState(enum.StrEnum):
    """Open until somebody else approves or declines it, or its proposer takes it back."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Proposal(Keyed, Base):
    """Something that waits for a second person: its kind, and the public id of what it is for."""

    __tablename__ = "proposal"
    __table_args__ = (
        CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)",
            name="two_people",
        ),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        # One open proposal at a time for one thing.
        Index(
            "uq_proposal_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_proposal_subject", "kind", "subject", "id"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str] = mapped_column(String(200))
    state: Mapped[ProposalState] = mapped_column(
        choice(ProposalState, 10), default=ProposalState.OPEN
    )
    proposed_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    proposed_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(String(200), default="")

    proposer: Mapped[Account] = relationship(foreign_keys=[proposed_by])
    decider: Mapped[Account | None] = relationship(foreign_keys=[decided_by])


def _words(text: str, name: str) -> str:
    words = cleaned(text)
    if not 2 <= len(words) <= 200 or not words.isprintable():
        raise Invalid(fields={name: _l("写一句为什么，2 到 200 个字。")})
    return words


def propose(
    kind: str, subject: str, facts: dict[str, Any], *, reason: str, account_id: int
) -> Proposal:
    """Propose something; it waits for a second person.

    Call it with what `subject` names under a lock. Raises Invalid for a reason that says
    nothing, Conflict (already_proposed) when it waits already.
    """
    words = _words(reason, "reason")
    with transaction() as session:
        if _open(kind, subject) is not None:
            raise Conflict(_l("这一笔已经有人提了，正等第二个人批准。"), code="already_proposed")
        made = Proposal(
            kind=kind, subject=subject, facts=facts, reason=words, proposed_by=account_id
        )
        session.add(made)
        session.flush()
        audit.note(
            Act(f"{kind}_proposed"), f"{kind}:{subject}", account_id=account_id, reason=words
        )
    return made


def _open(kind: str, subject: str) -> Proposal | None:
    with transaction() as session:
        return session.scalar(
            select(Proposal)
            .where(
                Proposal.kind == kind,
                Proposal.subject == subject,
                Proposal.state == ProposalState.OPEN,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )


def approve(kind: str, subject: str, *, account_id: int) -> Proposal:
    """Approve what waits for `subject`, as somebody other than its proposer.

    The caller does what was proposed in the same transaction. Raises NotFound when nothing
    waits, SecondPersonNeeded for the proposer.
    """
    with transaction() as session:
        waiting = _open(kind, subject)
        if waiting is None:
            raise NotFound(_l("没有等批准的。可能同事已经处理了，刷新看看。"))
        if waiting.proposed_by == account_id:
            raise SecondPersonNeeded()
        _decide(waiting, ProposalState.APPROVED, account_id, "")
        session.flush()
        audit.note(Act(f"{kind}_approved"), f"{kind}:{subject}", account_id=account_id)
    return waiting


def turn_down(kind: str, subject: str, *, answer: str, account_id: int) -> Proposal:
    """Decline what waits for `subject`; its proposer takes it back so. Raises NotFound, Invalid."""
    words = _words(answer, "answer")
    with transaction() as session:
        waiting = _open(kind, subject)
        if waiting is None:
            raise NotFound(_l("没有等批准的。可能同事已经处理了，刷新看看。"))
        own = waiting.proposed_by == account_id
        state = ProposalState.WITHDRAWN if own else ProposalState.DECLINED
        _decide(waiting, state, account_id, words)
        session.flush()
        audit.note(Act(f"{kind}_{state}"), f"{kind}:{subject}", account_id=account_id, reason=words)
    return waiting


def _decide(waiting: Proposal, state: ProposalState, account_id: int, answer: str) -> None:
    waiting.state, waiting.answer = state, answer
    waiting.decided_by, waiting.decided_at = account_id, clock.now()


def proposals(kinds: Collection[str], subjects: Collection[str]) -> dict[str, list[Proposal]]:
    """Return what was proposed for each subject, oldest first, in one statement."""
    rows = db.session.scalars(
        select(Proposal)
        .where(Proposal.kind.in_(kinds), Proposal.subject.in_(subjects))
        .options(joinedload(Proposal.proposer), joinedload(Proposal.decider))
        .order_by(Proposal.id)
    ).all()
    found: dict[str, list[Proposal]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return found
