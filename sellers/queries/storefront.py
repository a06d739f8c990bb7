"""What the storefront reads: the shelf, and cards for a cart.

A list costs one statement however long it is, and everything that a card shows comes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from kernel import clock
from kernel.files import StoredFile
from kernel.identity import Organisation
from kernel.money import Money
from kernel.paging import decode, encode
from kernel.reads import Read
from sellers.model import (
    Category,
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


class Card(NamedTuple):
    """Everything that a product card or a cart row shows of one offer.

    `offer_id` is the key inside, `public_id` the one outside. `left` is how many units can
    still be bought; `photo` and `seller` are public ids.
    """

    place: Place
    category: Category
    mode: LotMode
    offer_id: int
    public_id: str
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
    picture: str
    photo: str | None
    unit_name: str
    unit_g: int
    case_units: int
    weighed: bool
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

    @classmethod
    def of(cls, row: Sequence[Any]) -> Card:
        """Return the card of a row of `select_cards()`, in which kinds are text."""
        place, category, mode, *rest = row
        return cls(Place(place), Category(category), LotMode(mode), *rest)

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
        return open_now and self.seller_verified and not self._is_harvested(at)

    def _is_harvested(self, at: datetime) -> bool:
        """Tell what `Lot.is_harvested` tells of its lot."""
        ended = self.harvest_to is not None and self.harvest_to < clock.local(at).date()
        return ended and self.mode is LotMode.IN_FIELD


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of the storefront; `next_cursor` is None on the last one."""

    items: list[Card]
    next_cursor: str | None


_PHOTO = aliased(StoredFile)


def select_cards() -> Select[Any]:
    """Select every column of a card, in the order of its fields, of any offer."""
    rest = Lot.offered - Lot.promised
    return (
        select(
            Offer.place,
            Product.category,
            Lot.mode,
            Offer.id,
            Offer.public_id,
            Offer.price_fen,
            func.least(rest, Offer.quota - Offer.sold),
            Offer.limit_per_buyer,
            Offer.opens_at,
            Offer.closes_at,
            Offer.withdrawn_at,
            Product.name_zh,
            Product.name_en,
            Product.variety,
            Product.grade,
            Product.picture,
            _PHOTO.public_id,
            Product.unit_name,
            Product.unit_g,
            Product.case_units,
            Product.weighed,
            Lot.harvest_from,
            Lot.harvest_to,
            Offer.seller_id,
            Organisation.public_id,
            Organisation.name_zh,
            Organisation.name_en,
            Seller.state == bindparam("known", SellerState.VERIFIED, literal_execute=True),
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


# PostgreSQL plans a prepared statement anew each time, which costs ten times its execution,
# as long as knowing the values promises a better plan. So what is always the same stands in
# the statement itself, and the time is hidden from the planner.
_AT = select(bindparam("at", type_=DateTime(timezone=True))).scalar_subquery()
_TODAY = select(func.date(func.timezone("Asia/Shanghai", _AT))).scalar_subquery()
_ON_SALE: tuple[ColumnElement[bool], ...] = (
    Offer.place == bindparam("shop", Place.SHOP, literal_execute=True),
    Offer.withdrawn_at.is_(None),
    Offer.opens_at <= _AT,
    or_(Offer.closes_at.is_(None), Offer.closes_at > _AT),
    Seller.state == bindparam("verified", SellerState.VERIFIED, literal_execute=True),
    # What `Lot.is_harvested` tells is no pre-order any more.
    or_(
        Lot.mode == bindparam("in_hand", LotMode.IN_HAND, literal_execute=True),
        Lot.harvest_to.is_(None),
        Lot.harvest_to >= _TODAY,
    ),
)
_PLACES = (Seller.province, Seller.city, Seller.county, Seller.township, Seller.village)
_NARROWED: dict[str, ColumnElement[bool]] = {
    "terms": Product.terms.contains(bindparam("terms", type_=ARRAY(Text))),
    "category": Product.category == bindparam("category"),
    "mode": Lot.mode == bindparam("mode"),
    "region": or_(*(func.starts_with(name, bindparam("region", type_=Text)) for name in _PLACES)),
    "seller": Organisation.public_id == bindparam("seller"),
    "max_price_fen": Offer.price_fen <= bindparam("max_price_fen"),
    "after": Offer.id < bindparam("after"),
}


@cache
def _page(asked: frozenset[str], length: int) -> Read:
    """Return the read of a page that is narrowed so; built once for each choice."""
    # The length stands in the statement itself: a plan for any length would read far more.
    most = bindparam("length", type_=Integer, literal_execute=True)
    narrowed = (_NARROWED[name] for name in sorted(asked))
    page = select_cards().where(*_ON_SALE, *narrowed).order_by(Offer.id.desc()).limit(most)
    return Read(page, length=length)


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
    asked = filters or ShelfFilters()
    values: dict[str, Any] = {
        "terms": query_terms(asked.q),
        "category": asked.category,
        "mode": asked.mode,
        "region": asked.region,
        "seller": asked.seller,
        "max_price_fen": asked.max_price_fen,
        "after": decode(cursor, int)[0] if cursor else None,
    }
    if asked.q.strip() and not values["terms"]:
        return Shelf([], None)  # a search of punctuation asks for something that nothing answers
    given = {name: value for name, value in values.items() if value not in (None, "", [])}
    rows = _page(frozenset(given), size + 1).rows(at=at or clock.now(), **given)
    items = [Card.of(row) for row in rows[:size]]
    return Shelf(items, encode(items[-1].offer_id) if len(rows) > size else None)


_BY_PUBLIC_ID = Read(
    select_cards().where(Offer.public_id == any_(bindparam("codes", type_=ARRAY(Text))))
)


def cards(public_ids: Iterable[str]) -> dict[str, Card]:
    """Return cards by the offers' public ids, of any place and on sale or not, in one statement.

    Unknown ids are left out.
    """
    wanted = list(public_ids)
    if not wanted:
        return {}
    found = map(Card.of, _BY_PUBLIC_ID.rows(codes=wanted))
    return {card.public_id: card for card in found}
