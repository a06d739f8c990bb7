"""What can be read of rounds: by everybody, and by the members who register in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select, tuple_
from sqlalchemy.orm import contains_eager, joinedload

from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, cursor_invalid, decode, page_of
from orders.model import (
    GroupOrder,
    HarvestNotice,
    Order,
    OrderLine,
    OrderState,
    Round,
    RoundLeg,
    RoundOffer,
)
from sellers.model import Offer, Product, Seller

SHOWN_ROUNDS = 50
STANDING = (OrderState.REGISTERED, OrderState.DUE, OrderState.CONFIRMED, OrderState.HANDED)
"""Orders that stand: neither cancelled nor lapsed."""


@dataclass(frozen=True, slots=True)
class Crate:
    """How full cases are: `full` whole ones, then `inside` units in the open one."""

    units: int
    case_units: int

    @property
    def full(self) -> int:
        """Whole cases."""
        return self.units // self.case_units

    @property
    def inside(self) -> int:
        """Units in the open case; 0 when every case is full."""
        return self.units % self.case_units

    @property
    def missing(self) -> int:
        """Units that would fill the open case; 0 when none is open."""
        return -self.units % self.case_units


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round in a list, with how many offers and sellers stand in it."""

    round: Round
    offers: int
    sellers: int


@dataclass(frozen=True, slots=True)
class RoundItem:
    """An offer of a round with its seller's cut-off."""

    offer: Offer
    cutoff_at: datetime

    @property
    def price(self) -> Money:
        """The price of one sale unit."""
        return Money(self.offer.price_fen)

    @property
    def crate(self) -> Crate:
        """How full the cases are with what everybody in the round has ordered."""
        return Crate(self.offer.sold, max(1, self.offer.product.case_units))


def rounds_ahead(at: datetime) -> list[RoundRow]:
    """Return the rounds that are open or still to come at `at`, by their cut-off.

    An open one in which nothing stands is left out: there is nothing to do in it yet.
    """
    return _rows(_ahead(at), Round.closes_at)


def rounds_ahead_page(at: datetime, *, cursor: str | None, page_size: int) -> Page[RoundRow]:
    """Return a page of `rounds_ahead`. Raises Invalid for a cursor that leads nowhere."""
    ahead = _ahead(at)
    if cursor:
        last = _last_of(cursor)
        ahead &= tuple_(Round.closes_at, Round.id) > (last.closes_at, last.id)
    rows = _rows(ahead, Round.closes_at, page_size + 1)
    return page_of(rows, page_size, lambda row: (row.round.id,))


def _ahead(at: datetime) -> ColumnElement[bool]:
    return (Round.closes_at > at) & ((Round.opens_at > at) | has_offers())


def has_offers() -> ColumnElement[bool]:
    """Tell whether something stands in a selected round."""
    return (
        exists()
        .where(RoundOffer.round_id == Round.id, Offer.id == RoundOffer.offer_id)
        .where(RoundOffer.stands())
        .correlate(Round)
    )


def _last_of(cursor: str) -> Round:
    [last_id] = decode(cursor, int)
    last = db.session.scalar(select(Round).where(Round.id == last_id))
    if last is None:
        raise cursor_invalid()
    return last


def all_rounds_page(*, cursor: str | None, page_size: int) -> Page[RoundRow]:
    """Return a page of every round, the last to close first. Raises Invalid for a bad cursor."""
    condition: ColumnElement[bool] = Round.id > 0
    if cursor:
        last = _last_of(cursor)
        condition = or_(
            Round.closes_at < last.closes_at,
            (Round.closes_at == last.closes_at) & (Round.id > last.id),
        )
    rows = _rows(condition, Round.closes_at.desc(), page_size + 1)
    return page_of(rows, page_size, lambda row: (row.round.id,))


def _rows(condition: object, order: object, most: int = SHOWN_ROUNDS) -> list[RoundRow]:
    rows = db.session.execute(
        select(
            Round,
            func.count(Offer.id).label("offers"),
            func.count(func.distinct(Offer.seller_id)).label("sellers"),
        )
        .outerjoin(RoundOffer, RoundOffer.round_id == Round.id)
        .outerjoin(
            Offer,
            (Offer.id == RoundOffer.offer_id) & RoundOffer.stands(),
        )
        .where(condition)  # type: ignore[arg-type]  # a column expression
        .group_by(Round.id)
        .order_by(order, Round.id)  # type: ignore[arg-type]  # a column expression
        .limit(most)
    )
    return [RoundRow(row.Round, row.offers, row.sellers) for row in rows]


def round_by_public_id(public_id: str) -> Round:
    """Return the round. Raises NotFound."""
    return found(db.session.scalar(select(Round).where(Round.public_id == public_id)))


def items_of(round_id: int) -> list[RoundItem]:
    """Return the round's offers with product, lot, seller and cut-off, in one statement.

    Offers that were taken out before anybody ordered them are left out. One that its seller
    withdrew after that stays, cut off at that moment: what was ordered is still delivered.
    """
    return items_of_rounds([round_id])[round_id]


def items_of_rounds(round_ids: Sequence[int]) -> dict[int, list[RoundItem]]:
    """Return round id → offers, as `items_of`, for several rounds in one statement."""
    rows = db.session.execute(
        select(Offer, RoundOffer.cut_off().label("cutoff_at"), RoundOffer.round_id)
        .join(RoundOffer, RoundOffer.offer_id == Offer.id)
        .join(RoundLeg, RoundLeg.id == RoundOffer.leg_id)
        .join(Round, Round.id == RoundOffer.round_id)
        .where(RoundOffer.round_id.in_(round_ids), RoundOffer.stands())
        .options(
            joinedload(Offer.product).joinedload(Product.photo),
            joinedload(Offer.lot),
            joinedload(Offer.seller).joinedload(Seller.organisation),
        )
        .order_by("cutoff_at", RoundOffer.id)
    )
    items: dict[int, list[RoundItem]] = {round_id: [] for round_id in round_ids}
    for row in rows:
        items[row.round_id].append(RoundItem(row.Offer, row.cutoff_at))
    return items


def group_order_for(public_id: str, who: Viewer, *roles: Role) -> GroupOrder:
    """Return a group order of a unit in which `who` holds one of `roles`. Raises NotFound."""
    group = group_order_by_public_id(public_id)
    return found(group if who.belongs(group.unit_id, *roles) else None)


def group_order_by_public_id(public_id: str) -> GroupOrder:
    """Return the group order with its round and unit. Raises NotFound."""
    return _group(GroupOrder.public_id == public_id)


def group_order_by_join_code(code: str) -> GroupOrder:
    """Return the group order that a join code leads to. Raises NotFound."""
    return _group(GroupOrder.join_code == code)


def _group(condition: ColumnElement[bool]) -> GroupOrder:
    return found(
        db.session.scalar(
            select(GroupOrder)
            .join(GroupOrder.round)
            .options(contains_eager(GroupOrder.round), joinedload(GroupOrder.unit))
            .where(condition)
        )
    )


def group_orders_in(round_id: int, unit_ids: list[int]) -> list[GroupOrder]:
    """Return these units' group orders in a round."""
    return list(
        db.session.scalars(
            select(GroupOrder)
            .where(GroupOrder.round_id == round_id, GroupOrder.unit_id.in_(unit_ids))
            .options(joinedload(GroupOrder.unit))
            .order_by(GroupOrder.id)
        )
    )


def order_of_member(group_order_id: int, account_id: int) -> Order | None:
    """Return the member's newest order in a group order, None if it needs nothing there.

    One that was cancelled because nothing came for it is still what the member ordered.
    """
    came_to_nothing = exists().where(
        OrderLine.order_id == Order.id, OrderLine.allocated.is_not(None)
    )
    return db.session.scalar(
        select(Order)
        .where(
            Order.group_order_id == group_order_id,
            Order.account_id == account_id,
            (Order.state != OrderState.CANCELLED) | came_to_nothing,
        )
        .order_by(Order.id.desc())
        .limit(1)
    )


def offer_codes(offer_ids: Collection[int]) -> dict[int, str]:
    """Return offer id → public id, in one statement."""
    rows = db.session.execute(select(Offer.id, Offer.public_id).where(Offer.id.in_(offer_ids)))
    return {row.id: row.public_id for row in rows}


def legs_of(round_id: int) -> list[tuple[RoundLeg, HarvestNotice | None]]:
    """Return the round's legs with their sellers, each with its harvest notice once made."""
    rows = db.session.execute(
        select(RoundLeg, HarvestNotice)
        .outerjoin(
            HarvestNotice,
            (HarvestNotice.round_id == RoundLeg.round_id)
            & (HarvestNotice.seller_id == RoundLeg.seller_id),
        )
        .where(RoundLeg.round_id == round_id)
        .options(joinedload(RoundLeg.seller).joinedload(Seller.organisation))
        .order_by(RoundLeg.id)
    )
    return [(row.RoundLeg, row.HarvestNotice) for row in rows]
