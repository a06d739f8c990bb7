"""What pages and programs read of payments and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import joinedload, selectinload

from kernel import clock
from kernel.access import Viewer, found
from kernel.db import db, rows_by_id
from kernel.files import StoredFile
from kernel.identity import Account, Role
from kernel.paging import Page, decode, page_of
from kernel.text import plain
from orders.model import (
    AGAIN,
    DISPUTE_ENDS,
    OUTSIDE,
    BuyingUnit,
    Dispute,
    Order,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
)
from orders.queries.mine import owned_by

KEPT = timedelta(days=30)
"""How long what was settled or given up stays on the staff's pages."""
AT_MOST = 200


def payment_for(public_id: str, who: Viewer) -> Payment:
    """Return a payment that the viewer may make: of an own order, or of the unit it coordinates.

    Raises NotFound for everybody else.
    """
    units = who.organisations(Role.COORDINATOR)
    # From this payment to its orders, and not from everything that the viewer ever bought.
    own = (
        select(PaymentShare.id)
        .join(Order, PaymentShare.order_id == Order.id)
        .where(PaymentShare.payment_id == Payment.id, owned_by(who))
        .exists()
    )
    return found(
        db.session.scalar(
            select(Payment)
            .where(
                Payment.public_id == public_id,
                or_(Payment.unit_id.in_(units), Payment.unit_id.is_(None) & own),
            )
            .options(selectinload(Payment.shares).joinedload(PaymentShare.order))
        )
    )


def transfers(code: str = "") -> Sequence[Payment]:
    """Return transfers to look for on the bank statement, at most 200.

    Those that are waited for come before those that were given up, and of each those with a
    proof first, the oldest first. With a `code` only the one that carries it, whatever became
    of it.
    """
    is_due = (Payment.state == PaymentState.DUE).desc()
    first = is_due, Payment.proof_at.nulls_last(), Payment.id
    query = _transfers(code).order_by(*first).limit(AT_MOST)
    return db.session.scalars(query).all()


def transfers_page(code: str, *, cursor: str | None, page_size: int) -> Page[Payment]:
    """Return a page of `transfers`, the oldest first. Raises Invalid."""
    query = _transfers(code).order_by(Payment.id).limit(page_size + 1)
    if cursor:
        [after] = decode(cursor, int)
        query = query.where(Payment.id > after)
    return page_of(db.session.scalars(query).all(), page_size, lambda one: (one.id,))


def _transfers(code: str) -> Select[Payment]:
    query = select(Payment).options(selectinload(Payment.shares).joinedload(PaymentShare.order))
    wanted = plain(code).upper()
    if wanted:
        return query.where(Payment.transfer_code == wanted)
    # Money may still arrive for one that was given up; after a month it is found by its code.
    late = (Payment.state != PaymentState.CAPTURED) & (Payment.proof_at > clock.now() - KEPT)
    waited_for = or_(Payment.state == PaymentState.DUE, late)
    return query.where(Payment.method == PaymentMethod.TRANSFER, waited_for)


def transfer(public_id: str) -> Payment:
    """Return one payment that a transfer may come for, for staff. Raises NotFound."""
    return found(
        db.session.scalar(
            select(Payment)
            .where(Payment.public_id == public_id, Payment.transfer_code.is_not(None))
            .options(selectinload(Payment.shares).joinedload(PaymentShare.order))
        )
    )


def proof_of(payment: Payment) -> StoredFile | None:
    """Return the uploaded proof of a transfer, None while there is none."""
    return db.session.get(StoredFile, payment.proof_id) if payment.proof_id else None


def came_again(payment: Payment) -> Sequence[Refund]:
    """Return what came once more for a paid payment and is owed back, the oldest first."""
    more = Refund.payment_id == payment.id, Refund.cause.startswith(AGAIN)
    return db.session.scalars(select(Refund).where(*more).order_by(Refund.id)).all()


def open_refunds() -> Sequence[Refund]:
    """Return what is owed back, at most 200.

    What went out twice comes first, then debts, what is on its way, and what was lately repaid,
    or given back in the provider's own pages.
    """
    went_twice = Refund.state == RefundState.TWICE
    query = _open_refunds().order_by(went_twice.desc(), Refund.state, Refund.id).limit(AT_MOST)
    return db.session.scalars(query).all()


@dataclass(frozen=True, slots=True)
class Contested:
    """A chargeback, and the number of the (first) order that its payment was for."""

    dispute: Dispute
    order_number: str


def disputes() -> Sequence[Contested]:
    """Return chargebacks that are not decided, and those that lately were, at most 200.

    Those that are to be answered first come first.
    """
    over = Dispute.status.in_(DISPUTE_ENDS)
    rows = db.session.execute(
        select(Dispute, func.min(Order.number))
        .join(PaymentShare, PaymentShare.payment_id == Dispute.payment_id)
        .join(Order, PaymentShare.order_id == Order.id)
        .where(~over | (Dispute.told_at > clock.now() - KEPT))
        .group_by(Dispute.id)
        .order_by(over, Dispute.answer_by.nulls_last(), Dispute.id)
        .limit(AT_MOST)
    )
    return [Contested(row[0], row[1]) for row in rows]


def payees(refunds: Sequence[Refund]) -> dict[int, BuyingUnit | Account | None]:
    """Return to whom refunds (by key) go: the unit that paid, else the buyer; None: a guest."""
    units = rows_by_id(BuyingUnit, (one.payment.unit_id for one in refunds))
    buyers = rows_by_id(Account, (one.order.account_id for one in refunds))
    return {
        one.id: units.get(one.payment.unit_id or 0) or buyers.get(one.order.account_id or 0)
        for one in refunds
    }


def paying_units(payments: Sequence[Payment]) -> dict[int, BuyingUnit | None]:
    """Return the unit that pays each of `payments` (by key); None where a person pays."""
    units = rows_by_id(BuyingUnit, (one.unit_id for one in payments))
    return {one.id: units.get(one.unit_id or 0) for one in payments}


def still_to_transfer(unit_id: int) -> Sequence[Payment]:
    """Return what a unit has to transfer as a whole and sent no receipt of."""
    waits = Payment.state == PaymentState.DUE, Payment.proof_at.is_(None)
    return db.session.scalars(select(Payment).where(Payment.unit_id == unit_id, *waits)).all()


def open_refunds_page(*, cursor: str | None, page_size: int) -> Page[Refund]:
    """Return a page of `open_refunds`, the oldest first. Raises Invalid."""
    query = _open_refunds().order_by(Refund.id).limit(page_size + 1)
    if cursor:
        [after] = decode(cursor, int)
        query = query.where(Refund.id > after)
    return page_of(db.session.scalars(query).all(), page_size, lambda one: (one.id,))


def _open_refunds() -> Select[Refund]:
    lately = Refund.settled_at > clock.now() - KEPT
    return (
        select(Refund)
        .where(
            Refund.state.in_((RefundState.TWICE, RefundState.DEBT, RefundState.PENDING))
            | ((Refund.state == RefundState.REPAID) & lately)
            | (Refund.cause.startswith(OUTSIDE) & lately)
        )
        .options(joinedload(Refund.payment), joinedload(Refund.order))
    )
