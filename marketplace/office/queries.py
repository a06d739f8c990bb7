"""What staff and auditors look up: orders, and transactions of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    String,
    column,
    exists,
    func,
    select,
    values,
)
from sqlalchemy.orm import joinedload, selectinload, subqueryload

from kernel.db import db
from kernel.identity import Organisation
from kernel.language import local
from kernel.ledger import ABOUT, GENESIS, LedgerBook, LedgerTransaction, Posting, Seal, unsealed
from kernel.paging import Page, decode, page_of
from marketplace.office.words import MOVEMENTS
from orders.books import BOOK
from orders.model import (
    Dispute,
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentShare,
    Refund,
    Settlement,
    SettlementLine,
)

PAGE_SIZE = 30
SAMPLED = ("payment", "refund_owed")


def orders(number: str, state: OrderState | None, cursor: str | None) -> Page[Order]:
    """Return orders with their lines, newest first; `number` may be the beginning of one."""
    query = (
        select(Order)
        .options(selectinload(Order.lines).joinedload(OrderLine.credit))
        .order_by(Order.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if number:
        query = query.where(Order.number.startswith(number.strip().upper(), autoescape=True))
    if state is not None:
        query = query.where(Order.state == state)
    if cursor:
        query = query.where(Order.id < decode(cursor, int)[0])
    return page_of(db.session.scalars(query).all(), PAGE_SIZE, lambda one: (one.id,))


def counts_by_state() -> dict[OrderState, int]:
    """Return how many orders are in each state."""
    rows = db.session.execute(select(Order.state, func.count()).group_by(Order.state))
    return {row[0]: row[1] for row in rows}


def payments_of(order_id: int) -> Sequence[Payment]:
    """Return every payment that covers an order, oldest first."""
    return db.session.scalars(
        select(Payment)
        .join(PaymentShare)
        .where(PaymentShare.order_id == order_id)
        .order_by(Payment.id)
    ).all()


def _transactions(load: Callable[..., Any] = selectinload) -> Select[LedgerTransaction]:
    return (
        select(LedgerTransaction)
        .join(LedgerBook, LedgerBook.id == LedgerTransaction.book_id)
        .where(LedgerBook.code == BOOK)
        .options(
            load(LedgerTransaction.postings).joinedload(Posting.account),
            joinedload(LedgerTransaction.seal),
        )
        .order_by(LedgerTransaction.id.desc())
    )


def transactions(kind: str, reference: str, cursor: str | None) -> Page[LedgerTransaction]:
    """Return ledger transactions, newest first, of a kind and whose reference begins so."""
    query = _transactions().limit(PAGE_SIZE + 1)
    if kind:
        query = query.where(LedgerTransaction.kind == kind)
    if reference:
        wanted = reference.strip()
        query = query.where(
            ABOUT.startswith(wanted.partition(":")[0], autoescape=True),
            LedgerTransaction.reference.startswith(wanted, autoescape=True),
        )
    if cursor:
        query = query.where(LedgerTransaction.id < decode(cursor, int)[0])
    return page_of(db.session.scalars(query).all(), PAGE_SIZE, lambda one: (one.id,))


def transactions_of(order_id: int) -> Sequence[LedgerTransaction]:
    """Return every movement of money that concerns an order, oldest first."""
    paid = select(Payment.public_id).join(PaymentShare).where(PaymentShare.order_id == order_id)
    refunded = select(Refund.public_id).where(Refund.order_id == order_id)
    settled = (
        select(Settlement.public_id)
        .join(SettlementLine, SettlementLine.settlement_id == Settlement.id)
        .join(OrderLine, OrderLine.id == SettlementLine.line_id)
        .where(OrderLine.order_id == order_id)
    )
    disputed = (
        select(Dispute.public_id)
        .join(PaymentShare, PaymentShare.payment_id == Dispute.payment_id)
        .where(PaymentShare.order_id == order_id)
    )
    query = _transactions(subqueryload).where(ABOUT.in_(paid.union(refunded, settled, disputed)))
    return db.session.scalars(query.order_by(None).order_by(LedgerTransaction.id)).all()


def sample_transactions(begins: datetime, ends: datetime) -> Sequence[LedgerTransaction]:
    """Return the latest payment and the latest refund of a period: two statements."""
    latest = (
        select(func.max(LedgerTransaction.id))
        .where(
            LedgerTransaction.kind.in_(SAMPLED),
            LedgerTransaction.posted_at >= begins,
            LedgerTransaction.posted_at < ends,
        )
        .group_by(LedgerTransaction.kind)
    )
    return db.session.scalars(_transactions().where(LedgerTransaction.id.in_(latest))).all()


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the book is sealed, and its last hash."""

    sealed: int
    unsealed: int
    head: str


def chain() -> Chain:
    """Return how much of the book is sealed: one statement, which counts no sealed ones.

    Its links are numbered without a gap; `make check` looks whether they are.
    """
    book = select(LedgerBook.id).where(LedgerBook.code == BOOK).scalar_subquery()
    last = select(Seal.sequence, Seal.hash).where(Seal.book_id == book)
    head = last.order_by(Seal.sequence.desc()).limit(1).cte("head")
    sequence = func.coalesce(select(head.c.sequence).scalar_subquery(), 0)
    waiting = select(func.count(LedgerTransaction.id)).where(unsealed(book, sequence))
    row: Any = db.session.execute(
        select(
            sequence.label("sealed"),
            waiting.scalar_subquery().label("unsealed"),
            select(head.c.hash).scalar_subquery().label("head"),
        )
    ).one()
    return Chain(row.sealed, row.unsealed, row.head or GENESIS)


def kinds() -> Sequence[str]:
    """Return the kinds of movement that the book has, of those that have a name."""
    named = values(column("kind", String), name="named").data([(one,) for one in MOVEMENTS])
    book = select(LedgerBook.id).where(LedgerBook.code == BOOK).scalar_subquery()
    # Looked for one by one in the index: the book itself is long.
    is_there = exists().where(
        LedgerTransaction.book_id == book, LedgerTransaction.kind == named.c.kind
    )
    return db.session.scalars(select(named.c.kind).where(is_there).order_by(named.c.kind)).all()


def owner_names(moves: Sequence[LedgerTransaction]) -> dict[str, str]:
    """Return who the owners of these transactions' accounts are, in the reader's language."""
    owners = {posting.account.owner for move in moves for posting in move.postings}
    sellers = {one.partition(":")[2]: one for one in owners if one.startswith("seller:")}
    units = {int(one.partition(":")[2]): one for one in owners if one.startswith("unit:")}
    if not sellers and not units:
        return {}
    rows = db.session.scalars(
        select(Organisation).where(Organisation.public_id.in_(sellers) | Organisation.id.in_(units))
    )
    return {sellers.get(one.public_id) or units[one.id]: local(one) for one in rows}
