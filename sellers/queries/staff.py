"""What the platform's staff reads when it verifies sellers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from kernel.access import found
from kernel.db import db
from kernel.identity import Organisation
from kernel.paging import Page
from sellers.model import Certificate, Seller, SellerState
from sellers.queries.paging import page_of


def sellers(state: SellerState | None = None, cursor: str | None = None) -> Page[Seller]:
    """Return a page of sellers, of one state if given, newest first."""
    query = select(Seller).join(Seller.organisation)
    query = query.options(contains_eager(Seller.organisation))
    if state is not None:
        query = query.where(Seller.state == state)
    return page_of(query, Organisation, cursor)


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
