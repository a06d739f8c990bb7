"""What a seller's clerk reads about the seller's own things; foreign ids do not exist here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, contains_eager, joinedload, selectinload

from kernel import clock
from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.paging import Page
from sellers.model import (
    BenefitPlan,
    Certificate,
    Household,
    Lot,
    LotMode,
    Offer,
    OfferImport,
    Product,
    Seller,
)
from sellers.queries.paging import page_of


def own_seller(seller_id: int) -> Seller:
    """Return the seller with its certificates. Raises NotFound."""
    return found(
        db.session.scalar(
            select(Seller)
            .where(Seller.id == seller_id)
            .options(selectinload(Seller.certificates).joinedload(Certificate.file))
        )
    )


def own_product(seller_id: int, public_id: str) -> Product:
    """Return a product of this seller. Raises NotFound for any other."""
    query = select(Product).where(Product.seller_id == seller_id, Product.public_id == public_id)
    return found(db.session.scalar(query.options(joinedload(Product.photo))))


def own_lot(seller_id: int, public_id: str) -> Lot:
    """Return a lot of this seller, with its product. Raises NotFound for any other."""
    query = select(Lot).where(Lot.seller_id == seller_id, Lot.public_id == public_id)
    return found(db.session.scalar(query.options(joinedload(Lot.product))))


def own_offer(seller_id: int, public_id: str) -> Offer:
    """Return an offer of this seller, with lot and product. Raises NotFound for any other."""
    query = select(Offer).where(Offer.seller_id == seller_id, Offer.public_id == public_id)
    return found(db.session.scalar(query.options(joinedload(Offer.lot), joinedload(Offer.product))))


def own_import(seller_id: int, public_id: str) -> OfferImport:
    """Return a spreadsheet that this seller uploaded. Raises NotFound for any other."""
    query = select(OfferImport).where(
        OfferImport.seller_id == seller_id, OfferImport.public_id == public_id
    )
    return found(db.session.scalar(query))


def products(seller_id: int, cursor: str | None = None) -> Page[Product]:
    """Return a page of the seller's products with their photos, newest first."""
    query = select(Product).where(Product.seller_id == seller_id)
    return page_of(query.options(joinedload(Product.photo)), Product, cursor)


def lots(seller_id: int, cursor: str | None = None) -> Page[Lot]:
    """Return a page of the seller's lots with their products, newest first."""
    query = select(Lot).join(Lot.product).where(Lot.seller_id == seller_id)
    return page_of(
        query.options(contains_eager(Lot.product).joinedload(Product.photo)), Lot, cursor
    )


def offers(seller_id: int, cursor: str | None = None) -> Page[Offer]:
    """Return a page of the seller's offers with lots and products, newest first."""
    query = (
        select(Offer)
        .join(Offer.lot)
        .join(Offer.product)
        .where(Offer.seller_id == seller_id)
        .options(
            contains_eager(Offer.lot),
            contains_eager(Offer.product).joinedload(Product.photo),
        )
    )
    return page_of(query, Offer, cursor)


def imports(seller_id: int, cursor: str | None = None) -> Page[OfferImport]:
    """Return a page of the seller's uploaded spreadsheets, newest first."""
    return page_of(
        select(OfferImport).where(OfferImport.seller_id == seller_id), OfferImport, cursor
    )


def households(
    *, seller_id: int | None = None, steward: Viewer | None = None, cursor: str | None = None
) -> Page[Household]:
    """Return a page of households, of one seller or in the care of `steward`, newest first.

    Raises ValueError when neither is named: there is no list of everybody.
    """
    if seller_id is None and steward is None:
        raise ValueError("whose households")
    query = select(Household).join(Household.seller).options(contains_eager(Household.seller))
    if seller_id is not None:
        query = query.where(Household.seller_id == seller_id)
    if steward is not None:
        query = query.where(in_care_of(steward))
    return page_of(query, Household, cursor)


def in_care_of(who: Viewer) -> ColumnElement[bool]:
    """Say of which households `who` is the steward: named there, and still one of their seller."""
    of = Household.seller_id.in_(who.organisations(Role.STEWARD))
    return (Household.steward_id == who.account_id) & of


def cares_for(who: Viewer, household: Household) -> bool:
    """Tell whether `who` is the steward of `household`, as `in_care_of` says it."""
    named = who.account_id is not None and household.steward_id == who.account_id
    return named and who.belongs(household.seller_id, Role.STEWARD)


def known_household(
    public_id: str, *, seller_ids: list[int], steward: Viewer | None = None
) -> Household:
    """Return a household of one of these sellers or in this steward's care. Raises NotFound."""
    known: ColumnElement[bool] = Household.seller_id.in_(seller_ids)
    if steward is not None:
        known = or_(known, in_care_of(steward))
    query = select(Household).where(Household.public_id == public_id, known)
    return found(db.session.scalar(query.options(joinedload(Household.seller))))


def plans(seller_id: int) -> list[BenefitPlan]:
    """Return the seller's benefit plans, the newest first, at most 20."""
    query = select(BenefitPlan).where(BenefitPlan.seller_id == seller_id)
    newest_first = query.order_by(BenefitPlan.starts_on.desc(), BenefitPlan.id.desc())
    return list(db.session.scalars(newest_first.limit(20)))


def plans_in_force(seller_id: int) -> dict[str, int]:
    """Return a seller's benefit plans in force today: kind → basis points of the income."""
    rows = db.session.execute(
        select(BenefitPlan.kind, BenefitPlan.basis_points)
        .where(BenefitPlan.seller_id == seller_id, BenefitPlan.starts_on <= clock.today())
        .order_by(BenefitPlan.starts_on, BenefitPlan.id)
    )
    # The newest plan of a kind replaces the ones before it.
    return {row.kind: row.basis_points for row in rows}


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """What lots hold of one sale unit: units left in hand and in the field, and promised."""

    unit_name: str
    left_in_hand: int
    left_in_field: int
    promised: int


@dataclass(frozen=True, slots=True)
class StockFigures:
    """What a seller has on sale: offers open now, lots with units left, and units by their kind.

    Boxes and eggs are never added to each other; `units` begins with what is counted most often.
    """

    offers_open: int
    lots_in_hand: int
    lots_in_field: int
    products: int
    units: list[UnitFigures]


def stock_figures(seller_id: int) -> StockFigures:
    """Return the seller's stock figures, in two statements."""
    now, rest = clock.now(), Lot.offered - Lot.promised
    in_hand = Lot.mode == LotMode.IN_HAND
    in_field = (Lot.mode == LotMode.IN_FIELD) & func.coalesce(Lot.harvest_to >= clock.today(), True)
    open_offers = select(func.count()).where(
        Offer.seller_id == seller_id,
        Offer.withdrawn_at.is_(None),
        Offer.opens_at <= now,
        func.coalesce(Offer.closes_at > now, True),
    )
    with_rest = select(func.count()).where(Lot.seller_id == seller_id, rest > 0)
    of_products = select(func.count()).where(Product.seller_id == seller_id)
    counts = (open_offers, with_rest.where(in_hand), with_rest.where(in_field), of_products)
    row = db.session.execute(select(*(one.scalar_subquery() for one in counts))).one()
    on_sale, lots_in_hand, lots_in_field, kinds = (int(figure) for figure in row)

    def total(units: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(units), 0)

    by_unit = db.session.execute(
        select(
            Product.unit_name,
            total(case((in_hand, rest), else_=0)),
            total(case((in_field, rest), else_=0)),
            total(Lot.promised),
        )
        .join(Lot.product)
        .where(Lot.seller_id == seller_id)
        .group_by(Product.unit_name)
        .order_by(func.count().desc(), Product.unit_name)
    )
    units = [UnitFigures(name, *(int(n) for n in figures)) for name, *figures in by_unit]
    return StockFigures(on_sale, lots_in_hand, lots_in_field, kinds, units)
