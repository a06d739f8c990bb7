"""What the platform's staff reads when it verifies sellers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from kernel.access import found
from kernel.db import db
from kernel.identity import Organisation
from kernel.paging import Page
from sellers.model import Certificate, CertificateState, Seller, SellerState
from sellers.queries.paging import page_of


def sellers(state: SellerState | None = None, cursor: str | None = None) -> Page[Seller]:
    """Return a page of sellers, of one state if given, newest first."""
    query = select(Seller).join(Seller.organisation)
    query = query.options(contains_eager(Seller.organisation))
    if state is not None:
        query = query.where(Seller.state == state)
    return page_of(query, Organisation, cursor)


def _waiting(query: Select[Any]) -> Select[Any]:
    """Narrow to papers that came after their seller was verified and wait for staff."""
    return query.join(Certificate.seller).where(
        Certificate.state == CertificateState.PENDING, Seller.state == SellerState.VERIFIED
    )


def waiting_certificates(cursor: str | None = None) -> Page[Certificate]:
    """Return a page of the papers of verified sellers that staff has not looked at, newest first.

    What a seller hands in before it is verified is judged with the seller.
    """
    query = _waiting(select(Certificate)).options(
        contains_eager(Certificate.seller), joinedload(Certificate.file)
    )
    return page_of(query, Certificate, cursor)


def waiting_count() -> int:
    """Return how many papers of verified sellers wait for staff."""
    return db.session.scalar(_waiting(select(func.count(Certificate.id)))) or 0


def waiting_accounts() -> Sequence[Seller]:
    """Return sellers, at most fifty, whose bank account waits for staff, the longest first."""
    waiting = (
        select(Seller)
        .where(Seller.bank_changed_at.is_not(None), Seller.bank_checked_at.is_(None))
        .where(Seller.state == SellerState.VERIFIED)
    )
    return db.session.scalars(waiting.order_by(Seller.bank_changed_at).limit(50)).all()


def certificate(public_id: str) -> Certificate:
    """Return a paper with its seller and file. Raises NotFound."""
    query = select(Certificate).where(Certificate.public_id == public_id)
    options = joinedload(Certificate.seller), joinedload(Certificate.file)
    return found(db.session.scalar(query.options(*options)))


def seller_counts() -> dict[SellerState, int]:
    """Return how many sellers are in each state."""
    rows = db.session.execute(select(Seller.state, func.count()).group_by(Seller.state))
    counted: dict[SellerState, int] = dict(rows.all())
    return {state: counted.get(state, 0) for state in SellerState}


@dataclass(frozen=True, slots=True)
class Dossier:
    """One seller with its papers, as staff looks at it."""

    seller: Seller
    certificates: list[Certificate]


def dossier(public_id: str) -> Dossier:
    """Return a seller by its public id, with certificates and files. Raises NotFound."""
    seller = found(
        db.session.scalar(
            select(Seller)
            .join(Seller.organisation)
            .where(Organisation.public_id == public_id)
            .options(
                contains_eager(Seller.organisation),
                selectinload(Seller.certificates).options(joinedload(Certificate.file)),
            )
        )
    )
    return Dossier(seller, list(seller.certificates))
