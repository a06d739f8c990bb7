"""A town: everybody whom the roles name, and so many of everything that they look after."""

from __future__ import annotations

from sqlalchemy import select

from kernel import ledger
from kernel.db import db
from orders import books
from orders.model import Consignment
from tests import builders
from tests.town import channels, rounds, trade
from tests.town.people import People, households, settle

__all__ = ["People", "build"]


def build(rows: int) -> People:
    """Build a town with `rows` of everything that a list shows. Wants an empty database."""
    builders.credit_source()
    people = settle()
    behind = households(people, rows)
    offers = trade.stock(people, rows)
    trade.purchases(people, offers, rows)
    trade.devices(people, rows)
    lots = [offer.lot for offer in offers]
    channels.broadcasts(people, lots, rows)
    channels.links(people, offers[0], rows)
    channels.cabinets(people, lots, rows)
    rounds.hold(people, behind, rows)
    trade.parcel(people, offers[0])
    trade.papers(db.session.scalars(select(Consignment.public_id)).all())
    ledger.seal(books.BOOK)
    return people
