"""A seller's products and lots: added, changed, put on sale in one go, closed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date

from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, select

from kernel import clock, files
from kernel.access import found
from kernel.db import transaction
from kernel.errors import Conflict, Invalid
from kernel.quantity import MAX_UNITS
from sellers.actions.offers import HOW_MANY, OfferTerms, list_offer, withdraw_offers
from sellers.actions.registration import Upload
from sellers.model import (
    Category,
    Lot,
    LotMode,
    Offer,
    Place,
    Product,
    Seller,
)
from sellers.search import write_terms

MAX_UNIT_G = 1_000_000
"""The heaviest sale unit: a tonne."""

PICTURES = {
    Category.FRUIT: "orange.webp",
    Category.EGGS: "egg.webp",
    Category.POULTRY: "chicken.webp",
    Category.VEGETABLE: "vegetable.webp",
    Category.TEA: "tea.webp",
    Category.HONEY: "honey.webp",
    Category.GRAIN: "rice.webp",
    Category.MUSHROOM: "mushroom.svg",
    Category.DRIED: "chestnut.webp",
    Category.OIL: "olive.webp",
    Category.SPICE: "pepper.webp",
}
"""The drawing that stands in a stall until there is a photograph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFacts:
    """What is grown, and what one sale unit of it is. `unit_g` is its weight in grams."""

    name_zh: str
    category: Category
    unit_name: str
    unit_g: int
    name_en: str = ""
    variety: str = ""
    grade: str = ""
    keeping: str = ""
    case_units: int = 1
    weighed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFacts:
    """How much there is, in whole sale units; from the field with its harvest window."""

    mode: LotMode
    offered: int
    harvest_from: date | None = None
    harvest_to: date | None = None
    code: str = ""


def _check_product(facts: ProductFacts) -> None:
    wrong = {}
    if not facts.name_zh.strip():
        wrong["name_zh"] = _l("写上产品名称，如 春橙。")
    if not facts.unit_name.strip():
        wrong["unit_name"] = _l("写上销售单位，如 箱、斤、枚。")
    if not 1 <= facts.unit_g <= MAX_UNIT_G:
        wrong["unit_g"] = _l("每份重量写整数克，1 到 1000000，如 5 千克写 5000。")
    if not 1 <= facts.case_units <= MAX_UNITS:
        wrong["case_units"] = _l("每件至少 1 份。")
    if wrong:
        raise Invalid(fields=wrong)


def _check_lot(facts: LotFacts, known_end: date | None = None) -> None:
    clock.check_years(harvest_from=facts.harvest_from, harvest_to=facts.harvest_to)
    wrong = {}
    if not 1 <= facts.offered <= MAX_UNITS:
        wrong["offered"] = HOW_MANY
    window = (facts.harvest_from, facts.harvest_to)
    if facts.mode is LotMode.IN_FIELD and None in window:
        wrong["harvest_from"] = _l("还在地里的，要写采收从哪天到哪天。")
    if facts.harvest_from and facts.harvest_to and facts.harvest_from > facts.harvest_to:
        wrong["harvest_to"] = _l("采收结束不能早于开始。")
    ends = facts.harvest_to if facts.mode is LotMode.IN_FIELD else None
    if ends and ends != known_end and ends < clock.today():
        wrong["harvest_to"] = _l("采收已经过去了。采好的货，选现货。")
    if wrong:
        raise Invalid(fields=wrong)


def _photo(upload: Upload, seller_id: int, account_id: int | None) -> files.StoredFile:
    return files.store(
        upload.data,
        upload.name,
        organisation_id=seller_id,
        account_id=account_id,
        public=True,
        kind=files.PHOTO,
        field="photo",
    )


def add_product(
    seller_id: int,
    facts: ProductFacts,
    *,
    photo: Upload | None = None,
    account_id: int | None = None,
) -> Product:
    """Add a product, found by search at once, and return it. Raises Invalid."""
    _check_product(facts)
    with transaction() as session:
        seller = found(session.get(Seller, seller_id))
        product = Product(
            seller_id=seller_id, picture=PICTURES[facts.category], **dataclasses.asdict(facts)
        )
        if photo is not None and photo.data:
            product.photo = _photo(photo, seller_id, account_id)
        write_terms(product, seller)
        session.add(product)
        session.flush()
    return product


def change_product(
    product_id: int,
    facts: ProductFacts,
    *,
    photo: Upload | None = None,
    account_id: int | None = None,
) -> Product:
    """Change a product and return it.

    Raises Conflict for a change of its sale unit once there are lots, because their
    quantities count that unit; Invalid.
    """
    _check_product(facts)
    with transaction() as session:
        product = found(session.get(Product, product_id, with_for_update={"of": Product}))
        unit = (product.unit_name, product.unit_g)
        if unit != (facts.unit_name, facts.unit_g) and session.scalar(
            select(exists().where(Lot.product_id == product_id))
        ):
            message = _l("已经有批次按原来的单位计数。换单位请新建一个产品。")
            raise Conflict(message, code="unit_in_use", fields={"unit_name": message})
        if product.category is not facts.category:
            product.picture = PICTURES[facts.category]
        for name, value in dataclasses.asdict(facts).items():
            setattr(product, name, value)
        if photo is not None and photo.data:
            product.photo = _photo(photo, product.seller_id, account_id)
        write_terms(product, found(session.get(Seller, product.seller_id)))
    return product


def remove_photo(product_id: int) -> Product:
    """Show a product by its drawing again, and return it; again does nothing. Raises NotFound."""
    with transaction() as session:
        product = found(session.get(Product, product_id))
        product.photo = None
    return product


def set_photo(product_id: int, photo: Upload, account_id: int | None) -> Product:
    """Show a product by a photograph and return it. Raises NotFound, and Invalid for no picture."""
    if not photo.data:
        raise Invalid(fields={"photo": files.PHOTO.wanted})
    with transaction() as session:
        product = found(session.get(Product, product_id))
        product.photo = _photo(photo, product.seller_id, account_id)
    return product


def add_lot(product_id: int, facts: LotFacts) -> Lot:
    """Add a lot of a product and return it. Raises Invalid, and NotFound for no such product."""
    _check_lot(facts)
    in_field = facts.mode is LotMode.IN_FIELD
    with transaction() as session:
        product = found(session.get(Product, product_id))
        lot = Lot(
            seller_id=product.seller_id,
            product_id=product.id,
            mode=facts.mode,
            offered=facts.offered,
            code=facts.code,
            # What is in hand has been harvested: no window is left to wait for.
            harvest_from=facts.harvest_from if in_field else None,
            harvest_to=facts.harvest_to if in_field else None,
        )
        session.add(lot)
        session.flush()
    return lot


def change_lot(
    lot_id: int,
    offered: int,
    harvest_from: date | None = None,
    harvest_to: date | None = None,
) -> Lot:
    """Change how many units a lot offers and when it is harvested, and return it.

    A day that is None stays as it is; what is in hand has no harvest to wait for. Lines that
    were sold keep the days they froze. Raises Conflict below what is promised; Invalid.
    """
    with transaction() as session:
        lot = found(
            session.get(
                Lot, lot_id, with_for_update={"of": Lot, "key_share": True}, populate_existing=True
            )
        )
        facts = LotFacts(
            mode=lot.mode,
            offered=offered,
            harvest_from=harvest_from or lot.harvest_from,
            harvest_to=harvest_to or lot.harvest_to,
        )
        _check_lot(facts, known_end=lot.harvest_to)
        if offered < lot.promised:
            message = _l("已经有人订了，数量不能比订出去的少。")
            raise Conflict(
                message, code="below_promised", fields={"offered": message}, promised=lot.promised
            )
        lot.offered = offered
        if lot.mode is LotMode.IN_FIELD:
            lot.harvest_from, lot.harvest_to = facts.harvest_from, facts.harvest_to
    return lot


def close_lot(lot_id: int) -> Lot:
    """Sell no more of a lot and return it; again does nothing. Raises NotFound.

    It offers just what is promised, and its offers are withdrawn, so that units which come back
    later are not sold again. What already lies in a cabinet goes on being sold there.
    """
    with transaction() as session:
        still_on = select(Offer.id).where(
            Offer.lot_id == lot_id, Offer.place != Place.SLOT, Offer.withdrawn_at.is_(None)
        )
        # Before the lot's own row: this queues for the lot, as whoever buys of it does.
        withdraw_offers(session.scalars(still_on).all(), clock.now())
        lot = found(
            session.get(
                Lot, lot_id, with_for_update={"of": Lot, "key_share": True}, populate_existing=True
            )
        )
        lot.offered = lot.promised
    return lot


def list_stock(
    seller_id: int,
    product: ProductFacts | int,
    lot: LotFacts,
    terms: OfferTerms,
    *,
    photo: Upload | None = None,
    account_id: int | None = None,
) -> Offer:
    """Put stock on sale in the shop in one go: product (new, or the key of one), lot and offer.

    Raises what the three steps raise, and then nothing of it is kept.
    """
    with transaction():
        product_id = (
            product
            if isinstance(product, int)
            else add_product(seller_id, product, photo=photo, account_id=account_id).id
        )
        return list_offer(add_lot(product_id, lot).id, Place.SHOP, terms)
