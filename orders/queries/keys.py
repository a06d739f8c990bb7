"""The keys behind the names that people and programs send; each raises NotFound for no such thing.

They say nothing of who may act: that is asked by the actions to which the keys go.
"""

from __future__ import annotations

from sqlalchemy import Select, select

from kernel.access import found
from kernel.db import db
from kernel.identity import Organisation, OrganisationKind
from orders.model import GroupOrder, Order, Round


def seller_key(public_id: str) -> int:
    """Return the key of a seller; any other organisation is not found."""
    return _key(
        select(Organisation.id).where(
            Organisation.public_id == public_id, Organisation.kind == OrganisationKind.SELLER
        )
    )


def round_key(public_id: str) -> int:
    """Return the key of a round."""
    return _key(select(Round.id).where(Round.public_id == public_id))


def group_order_key(public_id: str) -> int:
    """Return the key of a group order."""
    return _key(select(GroupOrder.id).where(GroupOrder.public_id == public_id))


def order_key(number: str) -> int:
    """Return the key of an order."""
    return _key(select(Order.id).where(Order.number == number))


def _key(query: Select[int]) -> int:
    return found(db.session.scalar(query))
