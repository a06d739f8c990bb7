"""How low others may sell a seller's goods: what the seller itself says in its shop.

A lot may be pinned while its seller has it on sale in the shop, at the lowest of its floors or
above; no cabinet sells it for less either. A shop offer's floor is its `broadcast_floor_fen`,
else its price. What is on sale already stays as it is when its seller changes a floor later.
"""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, func, select

from kernel.db import db
from kernel.errors import Conflict, Invalid, Text
from kernel.money import Money
from sellers.model import Offer, Place


def floors(at: datetime) -> Select[int, int]:
    """Return a query of the lots that hosts may pin at `at`, each with its floor in fen."""
    floor_fen = func.min(func.coalesce(Offer.broadcast_floor_fen, Offer.price_fen))
    return (
        select(Offer.lot_id, floor_fen.label("floor_fen"))
        .where(
            Offer.place == Place.SHOP,
            Offer.withdrawn_at.is_(None),
            Offer.opens_at <= at,
            func.coalesce(Offer.closes_at > at, True),
        )
        .group_by(Offer.lot_id)
    )


def below_floor(lot_id: int, price_fen: int, at: datetime) -> Text | None:
    """Return words for another's price below a lot's floor, which only lots in the shop have."""
    row = db.session.execute(floors(at).where(Offer.lot_id == lot_id)).first()
    return _words(row.floor_fen) if row and price_fen < row.floor_fen else None


def check_floor(lot_id: int, price_fen: int, at: datetime) -> None:
    """Raise Invalid for a broadcast's price below a lot's floor, Conflict where it has none."""
    row = db.session.execute(floors(at).where(Offer.lot_id == lot_id)).first()
    if row is None:
        raise Conflict(
            _l("供货方没有在商城里卖这一批，直播不能卖。请供货方先在商城上架。"),
            code="not_in_shop",
        )
    if price_fen < row.floor_fen:
        raise Invalid(fields={"price_fen": _words(row.floor_fen)}, floor_fen=row.floor_fen)


def _words(floor_fen: int) -> Text:
    return _l("供货方定的最低价是 %(floor)s，不能比它低。", floor=Money(floor_fen))
