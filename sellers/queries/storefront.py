"""What the storefront reads: the shelf, the facts of one offer, and cards for a cart.

A list costs one statement however long it is, and everything that a card shows comes with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import aliased

from kernel import clock
from kernel.db import db
from kernel.files import StoredFile
from kernel.identity import Organisation
from kernel.money import Money
from kernel.paging import decode, encode
from sellers.model import (
    BenefitPlan,
    Category,
    Certificate,
    CertificateState,
    Lot,
    LotMode,
    Offer,
    Place,
    Product,
    Seller,
    SellerState,
)
from sellers.search import query_terms

PAGE_SIZE = 24
MAX_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ShelfFilters:
    """What the storefront is narrowed to; None or empty narrows nothing.

    `region` is the beginning of any name from province to village, `seller` a public id,
    `max_price_fen` the highest price of one sale unit.
    """

    q: str = ""
    category: Category | None = None
    mode: LotMode | None = None
    region: str = ""
    seller: str = ""
    max_price_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a product card or a cart row shows of one offer.

    `offer_id` is the key inside, `public_id` the one outside. `left` is how many units can
    still be bought; `photo` and `seller` are public ids.
    """

    offer_id: int
    public_id: str
    place: Place
    price_fen: int
    left: int
    limit_per_buyer: int | None
    opens_at: datetime
    closes_at: datetime | None
    withdrawn_at: datetime | None
    name_zh: str
    name_en: str
    variety: str
    grade: str
    category: Category
    picture: str
    photo: str | None
    unit_name: str
    unit_g: int
    case_units: int
    weighed: bool
    mode: LotMode
    harvest_from: date | None
    harvest_to: date | None
    seller_id: int
    seller: str
    seller_name_zh: str
    seller_name_en: str
    seller_verified: bool
    province: str
    city: str
    county: str
    township: str
    village: str

    @property
    def price(self) -> Money:
        """The price of one sale unit."""
        return Money(self.price_fen)

    @property
    def places(self) -> list[str]:
        """Origin from city to village, at most three names, without a repeated one."""
        names = [self.city, self.county, self.township + self.village]
        return list(dict.fromkeys(name for name in names if name))

    def is_open(self, at: datetime) -> bool:
        """Tell whether it can be bought at `at`, stock aside."""
        ended = self.closes_at is not None and self.closes_at <= at
        open_now = self.opens_at <= at and not ended and self.withdrawn_at is None
        return open_now and self.seller_verified


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of the storefront; `next_cursor` is None on the last one."""

    items: list[Card]
    next_cursor: str | None


_PHOTO = aliased(StoredFile)


def _cards() -> Select[Any]:
    """Select every column of a card, of any offer."""
    rest = Lot.offered - Lot.promised
    return (
        select(
            Offer.id.label("offer_id"),
            Offer.public_id,
            Offer.place,
            Offer.price_fen,
            func.least(rest, Offer.quota - Offer.sold).label("left"),
            Offer.limit_per_buyer,
            Offer.opens_at,
            Offer.closes_at,
            Offer.withdrawn_at,
            Product.name_zh,
            Product.name_en,
            Product.variety,
            Product.grade,
            Product.category,
            Product.picture,
            _PHOTO.public_id.label("photo"),
            Product.unit_name,
            Product.unit_g,
            Product.case_units,
            Product.weighed,
            Lot.mode,
            Lot.harvest_from,
            Lot.harvest_to,
            Offer.seller_id,
            Organisation.public_id.label("seller"),
            Organisation.name_zh.label("seller_name_zh"),
            Organisation.name_en.label("seller_name_en"),
            (Seller.state == SellerState.VERIFIED).label("seller_verified"),
            Seller.province,
            Seller.city,
            Seller.county,
            Seller.township,
            Seller.village,
        )
        .join(Lot, Offer.lot_id == Lot.id)
        .join(Product, Offer.product_id == Product.id)
        .join(Seller, Offer.seller_id == Seller.id)
        .join(Organisation, Organisation.id == Seller.id)
        .outerjoin(_PHOTO, Product.photo_id == _PHOTO.id)
    )


def _on_sale(at: datetime) -> list[ColumnElement[bool]]:
    return [
        Offer.place == Place.SHOP,
        Offer.withdrawn_at.is_(None),
        Offer.opens_at <= at,
        or_(Offer.closes_at.is_(None), Offer.closes_at > at),
        Seller.state == SellerState.VERIFIED,
    ]


def _narrowed(filters: ShelfFilters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.q.strip():
        words = query_terms(filters.q)
        # A search of punctuation only asks for something that nothing answers.
        wanted.append(Product.terms.contains(words) if words else false())
    if filters.category is not None:
        wanted.append(Product.category == filters.category)
    if filters.mode is not None:
        wanted.append(Lot.mode == filters.mode)
    if filters.region:
        names = (Seller.province, Seller.city, Seller.county, Seller.township, Seller.village)
        wanted.append(or_(*(name.startswith(filters.region, autoescape=True) for name in names)))
    if filters.seller:
        wanted.append(Organisation.public_id == filters.seller)
    if filters.max_price_fen is not None:
        wanted.append(Offer.price_fen <= filters.max_price_fen)
    return wanted


def shelf(
    filters: ShelfFilters | None = None,
    cursor: str | None = None,
    page_size: int = PAGE_SIZE,
    at: datetime | None = None,
) -> Shelf:
    """Return one page of what the shop sells at `at`, newest first, in one statement.

    `cursor` is the `next_cursor` of the page before. What is sold out stays on the shelf with
    nothing left. At most 100 items a page. Raises Invalid for a cursor that no list gave.
    """
    size = max(1, min(page_size, MAX_PAGE_SIZE))
    query = _cards().where(*_on_sale(at or clock.now()), *_narrowed(filters or ShelfFilters()))
    if cursor:
        query = query.where(Offer.id < decode(cursor, int)[0])
    rows = db.session.execute(query.order_by(Offer.id.desc()).limit(size + 1)).all()
    items = [Card(**row._mapping) for row in rows[:size]]
    return Shelf(items, encode(items[-1].offer_id) if len(rows) > size else None)


def cards(public_ids: Iterable[str]) -> dict[str, Card]:
    """Return cards by the offers' public ids, of any place and on sale or not, in one statement.

    Unknown ids are left out.
    """
    wanted = list(public_ids)
    if not wanted:
        return {}
    rows = db.session.execute(_cards().where(Offer.public_id.in_(wanted)))
    return {row.public_id: Card(**row._mapping) for row in rows}


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What a product page shows beyond the card.

    `certificates` are those accepted and valid today, the product's own first; `plans` say how the
    seller's income reaches households, the newest first.
    """

    card: Card
    product: Product
    lot: Lot
    seller: Seller
    certificates: list[Certificate]
    plans: list[BenefitPlan]


def offer_by_public_id(public_id: str, day: date | None = None) -> OfferFacts | None:
    """Return the facts of an offer of a verified seller, on sale or not, in four statements.

    None when there is no such offer, or its seller is not verified. `day` (in Shanghai,
    today unless given) decides which certificates are valid.
    """
    card = cards([public_id]).get(public_id)
    if card is None or not card.seller_verified:
        return None
    day = day or clock.today()
    product, lot, seller = db.session.execute(
        select(Product, Lot, Seller)
        .join(Offer, Offer.product_id == Product.id)
        .join(Lot, Offer.lot_id == Lot.id)
        .join(Seller, Offer.seller_id == Seller.id)
        .where(Offer.id == card.offer_id)
    ).one()
    certificates = db.session.scalars(
        select(Certificate)
        .where(
            Certificate.seller_id == card.seller_id,
            Certificate.state == CertificateState.ACCEPTED,
            or_(Certificate.product_id.is_(None), Certificate.product_id == product.id),
            or_(Certificate.valid_until.is_(None), Certificate.valid_until >= day),
        )
        .order_by(Certificate.product_id.nulls_last(), Certificate.id.desc())
    )
    plans = db.session.scalars(
        select(BenefitPlan)
        .where(BenefitPlan.seller_id == card.seller_id, BenefitPlan.starts_on <= day)
        .order_by(BenefitPlan.starts_on.desc(), BenefitPlan.id.desc())
    )
    return OfferFacts(card, product, lot, seller, list(certificates), list(plans))
