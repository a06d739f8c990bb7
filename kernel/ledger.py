"""The double-entry ledger: transactions that sum to zero, never change, and are chained."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    exists,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from kernel import clock
from kernel.db import Base, SmallKey, choice, transaction
from kernel.money import Money

GENESIS = "0" * 64
LATE = 10_000
"""So many links behind the last one it is looked for transactions that were committed late."""


class AccountKind(enum.StrEnum):
    """The accounts of a book. Debits are positive, credits negative."""

    PROVIDER_CLEARING = "provider_clearing"
    PROVIDER_FEES = "provider_fees"
    TRANSFER_CLEARING = "transfer_clearing"
    CASH_CLEARING = "cash_clearing"
    BUYER_PREPAID = "buyer_prepaid"
    RECEIVABLE = "receivable"
    REFUNDS_OWED = "refunds_owed"
    REFUNDED_TWICE = "refunded_twice"
    CHARGED_BACK = "charged_back"
    SELLER_PAYABLE = "seller_payable"
    HOUSEHOLD_PAYABLE = "household_payable"
    PLATFORM_FEE = "platform_fee"
    DELIVERY = "delivery"


class LedgerBook(SmallKey, Base):
    """One book per region."""

    __tablename__ = "ledger_book"

    code: Mapped[str] = mapped_column(String(40), unique=True)


class LedgerAccount(SmallKey, Base):
    """An account of a book; `owner` names whose it is (a seller, a unit), never a person."""

    __tablename__ = "ledger_account"
    __table_args__ = (UniqueConstraint("book_id", "kind", "owner"),)

    book_id: Mapped[int] = mapped_column(ForeignKey("ledger_book.id"))
    kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, 24))
    owner: Mapped[str] = mapped_column(String(40), default="")


class LedgerTransaction(SmallKey, Base):
    """One movement of money; `reference` makes it happen once."""

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        UniqueConstraint("book_id", "kind", "reference"),
        Index("ix_ledger_transaction_posted", "book_id", "posted_at"),
        # What a movement is about, whole or by its beginning.
        Index(
            "ix_ledger_transaction_about",
            text("split_part(reference, ':', 1) text_pattern_ops"),
        ),
    )

    book_id: Mapped[int] = mapped_column(ForeignKey("ledger_book.id"))
    kind: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(String(80))
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    posted_at: Mapped[datetime] = mapped_column(default=clock.now)

    postings: Mapped[list[Posting]] = relationship(order_by="Posting.id")
    seal: Mapped[Seal | None] = relationship(uselist=False)


class Posting(SmallKey, Base):
    """One side of a transaction: debit positive, credit negative, in fen."""

    __tablename__ = "posting"
    __table_args__ = (CheckConstraint("amount_fen <> 0", name="amount"),)

    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"), index=True)
    amount_fen: Mapped[int]

    account: Mapped[LedgerAccount] = relationship()


class Seal(Base):
    """A link of the chain: the hash over the one before and the transaction's own content."""

    __tablename__ = "ledger_seal"
    __table_args__ = (UniqueConstraint("book_id", "sequence"),)

    transaction_id: Mapped[int] = mapped_column(
        ForeignKey("ledger_transaction.id"), primary_key=True, autoincrement=False
    )
    book_id: Mapped[int] = mapped_column(ForeignKey("ledger_book.id"))
    sequence: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
    sealed_at: Mapped[datetime] = mapped_column(default=clock.now)


ABOUT: ColumnElement[str] = func.split_part(
    LedgerTransaction.reference, literal_column("':'"), literal_column("1")
)
"""What a movement is about: the beginning of its reference, as its index has it."""


@dataclass(frozen=True)
class Entry:
    """One posting to be made: debit positive, credit negative."""

    kind: AccountKind
    amount: Money
    owner: str = ""


class LedgerError(Exception):
    """A posting that would break the books: a fault of ours, never of a user."""


def debit(kind: AccountKind, amount: Money, owner: str = "") -> Entry:
    """Return an entry that increases what `kind` holds as a debit."""
    return Entry(kind, amount, owner)


def credit(kind: AccountKind, amount: Money, owner: str = "") -> Entry:
    """Return an entry that increases what `kind` owes as a credit."""
    return Entry(kind, -amount, owner)


def book_id(code: str) -> int:
    """Return the id of the book `code`, opened when it is first needed."""
    with transaction() as session:
        known = session.scalar(select(LedgerBook.id).where(LedgerBook.code == code))
        if known is not None:
            return known
        session.execute(insert(LedgerBook).values(code=code).on_conflict_do_nothing())
        found = session.scalar(select(LedgerBook.id).where(LedgerBook.code == code))
        assert found is not None
        return found


@dataclass(frozen=True)
class _Accounts:
    """Accounts of one book, by kind and owner."""

    book_id: int
    ids: Mapping[tuple[str, str], int]


def _accounts(book: str, wanted: set[tuple[AccountKind, str]]) -> _Accounts:
    """Find accounts of the book `book` in one statement; open what is not there yet."""
    with transaction() as session:
        query = (
            select(LedgerAccount.book_id, LedgerAccount.kind, LedgerAccount.owner, LedgerAccount.id)
            .join(LedgerBook, LedgerAccount.book_id == LedgerBook.id)
            .where(
                LedgerBook.code == book,
                LedgerAccount.kind.in_({kind for kind, _ in wanted}),
                LedgerAccount.owner.in_({owner for _, owner in wanted}),
            )
        )
        rows = session.execute(query).all()
        missing = sorted(wanted - {(row.kind, row.owner) for row in rows})
        if missing:
            where = book_id(book)
            session.execute(
                insert(LedgerAccount)
                .values([{"book_id": where, "kind": k, "owner": o} for k, o in missing])
                .on_conflict_do_nothing()
            )
            rows = session.execute(query).all()
        return _Accounts(rows[0].book_id, {(row.kind, row.owner): row.id for row in rows})


@dataclass(frozen=True)
class Movement:
    """One transaction to be posted. `kind` and `reference` together make it happen once."""

    reference: str
    entries: Sequence[Entry]
    facts: Mapping[str, Any] = field(default_factory=dict)


def post(
    book: str,
    kind: str,
    reference: str,
    entries: Sequence[Entry],
    facts: Mapping[str, Any] | None = None,
) -> int | None:
    """Write one transaction into `book` and return its id; None if it was already posted.

    As `post_all` does it.
    """
    return post_all(book, kind, [Movement(reference, entries, facts or {})]).get(reference)


def post_all(book: str, kind: str, movements: Sequence[Movement]) -> dict[str, int]:
    """Write transactions into `book` and return reference → id of those that are new.

    However many there are, it is the same few statements. Zero entries are left out. Raises
    LedgerError when the entries of one do not sum to zero or none is left, and then writes
    none.
    """
    kept = _balanced(kind, movements)
    if not movements:
        return {}
    with transaction() as session:
        accounts = _accounts(
            book, {(entry.kind, entry.owner) for some in kept.values() for entry in some}
        )
        posted = _write(session, accounts.book_id, kind, movements)
        postings = [
            {
                "transaction_id": posted[reference],
                "account_id": accounts.ids[(entry.kind, entry.owner)],
                "amount_fen": entry.amount.fen,
            }
            for reference in posted
            for entry in kept[reference]
        ]
        if postings:
            session.execute(insert(Posting), postings)
    return posted


def times(book: str, kind: str, about: str) -> int:
    """Return how many transactions of `kind` are about `about`, which their references begin with.

    Whoever posts one more because of it holds what they are about locked.
    """
    with transaction() as session:
        query = (
            select(func.count(LedgerTransaction.id))
            .join(LedgerBook, LedgerTransaction.book_id == LedgerBook.id)
            .where(
                LedgerBook.code == book,
                LedgerTransaction.kind == kind,
                ABOUT.in_([about]),
            )
        )
        return int(session.scalar(query) or 0)


def _balanced(kind: str, movements: Sequence[Movement]) -> dict[str, list[Entry]]:
    """Return reference → entries that are not zero. Raises LedgerError for none or an odd sum."""
    kept = {one.reference: [entry for entry in one.entries if entry.amount] for one in movements}
    for reference, entries in kept.items():
        if sum(entry.amount.fen for entry in entries) != 0 or not entries:
            raise LedgerError(f"{kind} {reference}: the entries do not balance")
    return kept


def _write(session: Session, book: int, kind: str, movements: Sequence[Movement]) -> dict[str, int]:
    """Write transactions, without postings, and return reference → id of those that are new."""
    at = clock.now()
    rows = session.execute(
        insert(LedgerTransaction)
        .on_conflict_do_nothing()
        .returning(LedgerTransaction.reference, LedgerTransaction.id),
        [
            {
                "book_id": book,
                "kind": kind,
                "reference": one.reference,
                "facts": dict(one.facts),
                "posted_at": at,
            }
            # Two who post the same ones wait for each other in one order.
            for one in sorted(movements, key=lambda one: one.reference)
        ],
    )
    return {row.reference: row.id for row in rows}


def balance(book: str, kind: AccountKind, owner: str | None = None) -> Money:
    """Return debits minus credits of an account kind (of one owner, or of all)."""
    with transaction() as session:
        query = (
            select(func.coalesce(func.sum(Posting.amount_fen), 0))
            .join(LedgerAccount, Posting.account_id == LedgerAccount.id)
            .join(LedgerBook, LedgerAccount.book_id == LedgerBook.id)
            .where(LedgerBook.code == book, LedgerAccount.kind == kind)
        )
        if owner is not None:
            query = query.where(LedgerAccount.owner == owner)
        return Money(int(session.scalar(query) or 0))


def _content(moved: LedgerTransaction) -> str:
    return json.dumps(
        {
            "id": moved.id,
            "kind": moved.kind,
            "reference": moved.reference,
            "facts": moved.facts,
            "posted_at": moved.posted_at.astimezone(UTC).isoformat(),
            "postings": [[p.account_id, p.amount_fen] for p in moved.postings],
        },
        sort_keys=True,
        ensure_ascii=False,
    )


def link_hash(previous: str, moved: LedgerTransaction) -> str:
    """Return the hash that chains `moved` behind `previous` (64 hex digits each)."""
    return hashlib.sha256((previous + _content(moved)).encode()).hexdigest()


def unsealed(book: Any, last: Any) -> ColumnElement[bool]:
    """Choose transactions of a book that wait to be chained behind link `last`.

    Those with lower keys than a link long ago are all sealed, so that a book is not read whole.
    """
    long_ago = select(Seal.transaction_id).where(Seal.book_id == book, Seal.sequence == last - LATE)
    since = func.coalesce(long_ago.scalar_subquery(), 0)
    # Said of the seals as well: they would be read from the first one on.
    sealed = exists().where(Seal.transaction_id == LedgerTransaction.id)
    return and_(
        LedgerTransaction.book_id == book,
        LedgerTransaction.id > since,
        ~sealed.where(Seal.transaction_id > since).correlate(LedgerTransaction),
    )


def seal(book: str, *, most: int = 1000, whole: bool = False) -> int:
    """Chain up to `most` committed, unsealed transactions of `book`; return how many.

    One sealer at a time: the book's row is locked. With `whole` it also finds one whose
    transaction took longer than `LATE` others: every night that is looked for.
    """
    with transaction() as session:
        where = session.scalar(
            select(LedgerBook.id).where(LedgerBook.code == book).with_for_update()
        )
        if where is None:
            return 0
        last = session.execute(
            select(Seal.sequence, Seal.hash)
            .where(Seal.book_id == where)
            .order_by(Seal.sequence.desc())
            .limit(1)
        ).first()
        sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
        waiting = session.scalars(
            select(LedgerTransaction)
            .where(unsealed(where, 0 if whole else sequence))
            .options(selectinload(LedgerTransaction.postings))
            .order_by(LedgerTransaction.id)
            .limit(most)
        ).all()
        for moved in waiting:
            sequence, previous = sequence + 1, link_hash(previous, moved)
            session.add(
                Seal(transaction_id=moved.id, book_id=where, sequence=sequence, hash=previous)
            )
        return len(waiting)


@dataclass(frozen=True)
class ChainReport:
    """What checking one book found: how many are sealed, not yet sealed, and what is broken."""

    book: str
    sealed: int
    unsealed: int
    head: str
    broken: tuple[str, ...]


def check_chain(book: str) -> ChainReport:
    """Recompute the whole chain of `book`."""
    with transaction() as session:
        where = book_id(book)
        moves = session.scalars(
            select(LedgerTransaction)
            .outerjoin(Seal)
            .where(LedgerTransaction.book_id == where)
            .options(selectinload(LedgerTransaction.postings), selectinload(LedgerTransaction.seal))
            .order_by(Seal.sequence.nulls_last(), LedgerTransaction.id)
        ).all()
        previous, expected, sealed = GENESIS, 0, 0
        broken: list[str] = []
        for moved in moves:
            link = moved.seal
            if link is None:  # not sealed yet
                continue
            sealed, expected = sealed + 1, expected + 1
            if link.sequence != expected:
                broken.append(f"{book}: link {expected} is missing")
                expected = link.sequence
            if link.hash != link_hash(previous, moved):
                broken.append(f"{book}: transaction {moved.id} does not match its hash")
            previous = link.hash
        return ChainReport(book, sealed, len(moves) - sealed, previous, tuple(broken))
