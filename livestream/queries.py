"""What pages and boards read of broadcasts and share links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, or_, select, tuple_
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from kernel import clock
from kernel.access import Viewer
from kernel.db import db
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, decode, page_of
from livestream.model import Broadcast, BroadcastOffer, ShareLink, Touch
from orders.queries.sales import paid_lines
from sellers.floors import floors
from sellers.model import Lot, LotMode, Offer, Place, Product, Seller, SellerState
from sellers.queries.choosing import Choices, choose
from sellers.search import finds_lot

PAGE_SIZE = 24


def listed() -> Sequence[Broadcast]:
    """Return live broadcasts first, then planned ones, then the latest that ended (30 at most)."""
    return db.session.scalars(
        select(Broadcast)
        .options(
            selectinload(Broadcast.pins)
            .joinedload(BroadcastOffer.offer)
            .options(joinedload(Offer.product).joinedload(Product.photo), joinedload(Offer.lot))
        )
        .order_by(
            Broadcast.ended_at.is_not(None),
            Broadcast.started_at.is_(None),
            func.coalesce(Broadcast.ended_at, Broadcast.planned_from).desc(),
        )
        .limit(30)
    ).all()


def mine(
    viewer: Viewer, *, cursor: str | None = None, page_size: int = PAGE_SIZE
) -> Page[Broadcast]:
    """Return a page of the broadcasts that `viewer` hosts or organises (all for staff).

    What has not ended comes first, then the newest. Raises Invalid for a wrong cursor.
    """
    open_first = case((Broadcast.ended_at.is_not(None), 1), else_=2)
    query = select(Broadcast).options(
        selectinload(Broadcast.pins), selectinload(Broadcast.outside_rooms)
    )
    if not viewer.has(Role.STAFF):
        query = query.where(
            (Broadcast.host_id == viewer.account_id)
            | Broadcast.organiser_id.in_(viewer.organisations(Role.HOST))
        )
    if cursor:
        query = query.where(tuple_(open_first, Broadcast.id) < tuple_(*decode(cursor, int, int)))
    query = query.order_by(open_first.desc(), Broadcast.id.desc()).limit(page_size + 1)
    return page_of(
        db.session.scalars(query).all(),
        page_size,
        lambda one: (1 if one.ended_at else 2, one.id),
    )


def by_code(code: str) -> Broadcast | None:
    """Return a broadcast by the code in its link, with its pinned offers."""
    return db.session.scalar(
        select(Broadcast)
        .where(Broadcast.code == code)
        .options(
            joinedload(Broadcast.credit),
            selectinload(Broadcast.pins)
            .joinedload(BroadcastOffer.offer)
            .options(
                joinedload(Offer.product).joinedload(Product.photo),
                joinedload(Offer.lot),
                joinedload(Offer.seller).joinedload(Seller.organisation),
            ),
        )
    )


@dataclass(frozen=True)
class LinkFigures:
    """One share link and what it brought: visits, and paid minus refunded."""

    link: ShareLink
    visits: int
    orders: int
    net: Money


def links_of(account_id: int, cursor: str | None = None) -> Page[LinkFigures]:
    """Return a page of an account's share links with their figures, the newest first.

    Raises Invalid for a cursor that no page gave.
    """
    visits = (
        select(Touch.credit_source_id, func.count(Touch.id).label("visits"))
        .group_by(Touch.credit_source_id)
        .subquery()
    )
    sold = paid_lines().subquery()
    sales = (
        select(
            sold.c.credit_source_id,
            func.count(sold.c.order_id.distinct()).label("orders"),
            func.sum(sold.c.paid_fen - sold.c.refunded_fen).label("net_fen"),
        )
        .where(
            sold.c.credit_source_id.in_(
                select(ShareLink.credit_source_id).where(ShareLink.owner_id == account_id)
            )
        )
        .group_by(sold.c.credit_source_id)
        .subquery()
    )
    offer = joinedload(ShareLink.offer)
    sellers = joinedload(ShareLink.offer).joinedload(Offer.seller)
    query = (
        select(ShareLink, visits.c.visits, sales.c.orders, sales.c.net_fen)
        .outerjoin(visits, visits.c.credit_source_id == ShareLink.credit_source_id)
        .outerjoin(sales, sales.c.credit_source_id == ShareLink.credit_source_id)
        .where(ShareLink.owner_id == account_id)
        .options(offer.joinedload(Offer.product), offer.joinedload(Offer.lot), sellers)
        .order_by(ShareLink.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(ShareLink.id < before)
    rows = [
        LinkFigures(
            row[0], row[0].past_visits + int(row[1] or 0), int(row[2] or 0), Money(int(row[3] or 0))
        )
        for row in db.session.execute(query)
    ]
    return page_of(rows, PAGE_SIZE, lambda one: (one.link.id,))


def link_by_code(code: str) -> ShareLink | None:
    """Return a share link by the code in its address, with its offer and credit source."""
    return db.session.scalar(
        select(ShareLink)
        .where(ShareLink.code == code)
        .options(
            joinedload(ShareLink.credit),
            joinedload(ShareLink.offer).joinedload(Offer.product).joinedload(Product.photo),
        )
    )


def offers_to_share(search: str = "", chosen: Collection[str] = ()) -> Choices[Offer]:
    """Return shop offers on sale whose lot answers a search, for a share link to choose from.

    An offer answers to its own public id as well; the `chosen` ones stay whatever is searched.
    """
    now = clock.now()
    query = (
        select(Offer)
        .join(Offer.lot)
        .join(Offer.product)
        .where(
            Offer.place == Place.SHOP,
            Offer.withdrawn_at.is_(None),
            Offer.opens_at <= now,
            func.coalesce(Offer.closes_at > now, True),
        )
        .options(contains_eager(Offer.lot), contains_eager(Offer.product))
        .options(joinedload(Offer.seller).joinedload(Seller.organisation))
    )
    answers = finds_lot(search) | (Offer.public_id == search.strip())
    return choose(query, Offer, answers, chosen).each(lambda row: row.Offer)


def lots_to_pin(search: str = "", chosen: Collection[str] = ()) -> Choices[tuple[Lot, Money]]:
    """Return lots that answer a search and that a host may pin now, each with its floor.

    As `sellers.actions.list_offer` has it: of a verified seller, not sold out, and not from a
    field that is harvested. The `chosen` ones stay whatever is searched.
    """
    growing = or_(Lot.mode != LotMode.IN_FIELD, Lot.harvest_to >= clock.today())
    floor = floors(clock.now()).subquery()
    query = (
        select(Lot, floor.c.floor_fen)
        .join(floor, floor.c.lot_id == Lot.id)
        .join(Lot.seller)
        .join(Lot.product)
        .where(Lot.promised < Lot.offered, Seller.state == SellerState.VERIFIED, growing)
        .options(contains_eager(Lot.product))
        .options(contains_eager(Lot.seller).joinedload(Seller.organisation))
    )
    found = choose(query, Lot, finds_lot(search), chosen)
    return found.each(lambda row: (row.Lot, Money(row.floor_fen)))


def pinned_in(offer_ids: Collection[int]) -> dict[int, Broadcast]:
    """Return the broadcasts in which offers are pinned, by the offer's key."""
    rows = db.session.execute(
        select(BroadcastOffer.offer_id, Broadcast)
        .join(BroadcastOffer.broadcast)
        .where(BroadcastOffer.offer_id.in_(offer_ids))
    )
    return {row.offer_id: row.Broadcast for row in rows}
