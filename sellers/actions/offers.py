"""Offers: a lot is put on sale, on other terms or in another window, and taken off.

Whatever room an offer stands in, its terms, its window and its withdrawal change only here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from kernel import clock
from kernel.access import found
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, Text
from kernel.language import of_unit
from kernel.money import MAX_FEN
from kernel.quantity import MAX_UNITS
from sellers import supply
from sellers.floors import check_floor
from sellers.model import Lot, Offer, Place, Seller, SellerState
from sellers.takes import limit_changed

HOW_MANY = _l("数量写 1 到 10000000 的整数。")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """At what price, up to how many, for whom and until when a lot is on sale.

    `broadcast_floor_fen` is the lowest price in a broadcast, of a shop offer; None: its price.
    """

    price_fen: int
    quota: int | None = None
    limit_per_buyer: int | None = None
    broadcast_floor_fen: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None


def _window_faults(opens_at: datetime, closes_at: datetime | None) -> dict[str, Text]:
    clock.check_years(closes_at=closes_at)
    if closes_at is not None and closes_at <= opens_at:
        over = closes_at <= clock.now()
        past, early = _l("这一天已经过去了。写今天或以后的日期。"), _l("截止要晚于开始。")
        return {"closes_at": past if over else early}
    return {}


def _check_terms(place: Place, terms: OfferTerms, opens_at: datetime) -> None:
    wrong = _window_faults(opens_at, terms.closes_at)
    if not 0 < terms.price_fen <= MAX_FEN:
        wrong["price_fen"] = _l("价格要大于零，如 59.00。")
    if terms.quota is not None and not 0 < terms.quota <= MAX_UNITS:
        wrong["quota"] = HOW_MANY
    if terms.limit_per_buyer is not None and not 0 < terms.limit_per_buyer <= MAX_UNITS:
        wrong["limit_per_buyer"] = _l("限购至少 1 份；不限就留空。")
    floor = terms.broadcast_floor_fen
    if floor is not None and place is not Place.SHOP:
        wrong["broadcast_floor_fen"] = _l("直播最低价只写在商城的上架里。")
    elif floor is not None and not 0 < floor <= terms.price_fen:
        wrong["broadcast_floor_fen"] = _l("直播最低价要大于零，不高于单价；不填就按单价。")
    if wrong:
        raise Invalid(fields=wrong)


def _locked(session: Session, offer_id: int) -> Offer:
    """Return an offer as it is now, its row locked. Raises NotFound."""
    return found(
        session.get(
            Offer,
            offer_id,
            with_for_update={"of": Offer, "key_share": True},
            populate_existing=True,
        )
    )


def _check_lot(session: Session, lot: Lot, place: Place) -> None:
    """Raise Conflict for a lot that its seller may not put on sale in such a place now."""
    state = session.scalar(select(Seller.state).where(Seller.id == lot.seller_id))
    if state is not SellerState.VERIFIED:
        raise Conflict(
            _l("还没认证，不能上架。先上传证书，等平台审核。"), code="seller_not_verified"
        )
    if place is not Place.SLOT and lot.is_harvested(clock.today()):
        raise Conflict(
            _l("这一批已经采收完，不能再预订。还有货，就新建一个现货批次。"),
            code="lot_harvested",
        )


def list_offer(lot_id: int, place: Place, terms: OfferTerms) -> Offer:
    """Put a lot on sale in one kind of place and return the offer; it opens now unless told.

    Raises NotFound, Invalid, and Conflict while the seller is not verified, or for a lot from the
    field that is harvested: only a cabinet, which holds the goods themselves, still sells it.
    In a broadcast also what `sellers.floors.check_floor` raises.
    """
    opens_at = terms.opens_at or clock.now()
    _check_terms(place, terms, opens_at)
    with transaction() as session:
        lot = found(session.get(Lot, lot_id))
        _check_lot(session, lot, place)
        if place is Place.BROADCAST:
            check_floor(lot.id, terms.price_fen, clock.now())
        offer = Offer(
            lot=lot,
            seller_id=lot.seller_id,
            product_id=lot.product_id,
            place=place,
            **asdict(replace(terms, opens_at=opens_at)),
        )
        session.add(offer)
        session.flush()
    return offer


def change_offer(offer_id: int, terms: OfferTerms) -> Offer:
    """Change an offer's price, quota, limit, floor and closing, and return it.

    Lines that were sold keep what they froze; units that were sold count against a new limit.
    Only in the shop has an offer a window of its own: elsewhere its round or broadcast says when.
    Raises Conflict when it is withdrawn, or for a quota below what is sold; Invalid.
    """
    with transaction() as session:
        offer = _locked(session, offer_id)
        _check_terms(offer.place, terms, terms.opens_at or offer.opens_at)
        in_shop = offer.place is Place.SHOP
        if not in_shop and terms.closes_at not in (None, offer.closes_at):
            raise Invalid(fields={"closes_at": _l("卖到几时由预订期或直播定，这里不用填。")})
        _check_not_withdrawn(offer)
        if terms.quota is not None and terms.quota < offer.sold:
            message = _l("已经有人订了，数量不能比订出去的少。")
            raise Conflict(message, code="below_sold", fields={"quota": message})
        offer.price_fen = terms.price_fen
        offer.broadcast_floor_fen = terms.broadcast_floor_fen
        offer.quota = terms.quota
        limit_changed(offer, terms.limit_per_buyer)
        if in_shop:
            offer.opens_at, offer.closes_at = terms.opens_at or offer.opens_at, terms.closes_at
    return offer


def _check_not_withdrawn(offer: Offer) -> None:
    if offer.withdrawn_at is not None:
        raise Conflict(_l("已经下架，不能再改。重新上架一次。"), code="offer_withdrawn")


def raise_quota(offer_id: int, units: int) -> Offer:
    """Let an offer sell `units` more and return it; one without a quota stays without.

    Raises NotFound, Invalid, and Conflict when it is withdrawn, or for more than its lot has.
    """
    if not 0 < units <= MAX_UNITS:
        raise Invalid(fields={"units": HOW_MANY})
    with transaction() as session:
        offer = _locked(session, offer_id)
        _check_not_withdrawn(offer)
        if offer.quota is not None:
            session.refresh(offer.lot)
            _check_lot_has(offer, units)
            offer.quota += units
    return offer


def _check_lot_has(offer: Offer, units: int) -> None:
    """Raise Conflict where a quota would be raised by more than the lot can fill."""
    if units <= offer.may_add:
        return
    unit_name = offer.product.unit_name
    left, more = (of_unit(number, unit_name) for number in (offer.lot.left, offer.may_add))
    if offer.may_add:
        message = _l("这一批只剩 %(left)s，最多再加 %(more)s。", left=left, more=more)
    else:
        message = _l("这一批只剩 %(left)s，都能在这里卖，不用再加。", left=left)
    raise Conflict(message, code="lot_too_small", fields={"units": message})


def set_windows(windows: Mapping[int, tuple[datetime, datetime]]) -> None:
    """Set when offers (by key) are on sale: from the first moment to just before the second.

    Raises Invalid when one would close before it opens.
    """
    for opens_at, closes_at in windows.values():
        if wrong := _window_faults(opens_at, closes_at):
            raise Invalid(fields=wrong)
    with transaction() as session:
        supply.lock(windows.keys())
        offers = select(Offer).where(Offer.id.in_(windows))
        for offer in session.scalars(offers.execution_options(populate_existing=True)):
            offer.opens_at, offer.closes_at = windows[offer.id]


def withdraw_offer(offer_id: int) -> Offer:
    """Take an offer off sale and return it; again does nothing. Raises NotFound."""
    with transaction() as session:
        offer = _locked(session, offer_id)
        offer.withdrawn_at = offer.withdrawn_at or clock.now()
    return offer


def withdraw_offers(offer_ids: Collection[int], at: datetime) -> None:
    """Take offers off sale as of `at`; what is off sale already stays as it is.

    Under the locks of their lots and their own: a purchase that read the clock just before
    either commits before this, or finds the offer withdrawn and is refused.
    """
    with transaction() as session:
        supply.lock(offer_ids)
        on_sale = Offer.id.in_(offer_ids), Offer.withdrawn_at.is_(None)
        session.execute(update(Offer).where(*on_sale).values(withdrawn_at=at))


def open_offers(offer_ids: Collection[int], at: datetime) -> None:
    """Put offers on sale from `at` on; what was withdrawn stays off sale."""
    with transaction() as session:
        supply.lock(offer_ids)
        session.execute(update(Offer).where(Offer.id.in_(offer_ids)).values(opens_at=at))
