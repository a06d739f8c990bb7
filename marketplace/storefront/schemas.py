"""What the offers of the shop look like as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from kernel.fields import In
from kernel.money import MAX_FEN
from sellers.model import Category, LotMode
from sellers.queries import MAX_PAGE_SIZE, PAGE_SIZE, Card, OfferFacts


class ShelfQuery(In):
    """What the list is narrowed to."""

    q = fields.String(load_default="", validate=validate.Length(max=60))
    category = fields.Enum(Category, by_value=True, load_default=None)
    mode = fields.Enum(LotMode, by_value=True, load_default=None)
    region = fields.String(load_default="", validate=validate.Length(max=20))
    seller = fields.String(load_default="", validate=validate.Length(max=16))
    max_price_fen = fields.Integer(load_default=None, validate=validate.Range(1, MAX_FEN))
    page_size = fields.Integer(load_default=PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))
    cursor = fields.String(load_default=None)


class ShelfSellerOut(Schema):
    """Who supplies it."""

    id = fields.String(required=True)
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)


class ShelfOfferOut(Schema):
    """An offer as it stands on the shelf. `left` is how many units can still be bought."""

    id = fields.String(required=True)
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    category = fields.Enum(Category, by_value=True, required=True)
    mode = fields.Enum(LotMode, by_value=True, required=True)
    variety = fields.String(required=True)
    grade = fields.String(required=True)
    price_fen = fields.Integer(required=True)
    unit = fields.String(required=True)
    unit_g = fields.Integer(required=True)
    left = fields.Integer(required=True)
    limit_per_buyer = fields.Integer(required=True, allow_none=True)
    closes_at = fields.AwareDateTime(required=True, allow_none=True)
    harvest_from = fields.Date(required=True, allow_none=True)
    harvest_to = fields.Date(required=True, allow_none=True)
    origin = fields.List(fields.String(), required=True)
    seller = fields.Nested(ShelfSellerOut, required=True)


def shelf_offer(card: Card) -> dict[str, Any]:
    """Return a card as ShelfOfferOut describes it.

    Written out by hand: the library takes five times as long for the list that is asked for most.
    """
    return {
        "id": card.public_id,
        "name_zh": card.name_zh,
        "name_en": card.name_en,
        "category": card.category,
        "mode": card.mode,
        "variety": card.variety,
        "grade": card.grade,
        "price_fen": card.price_fen,
        "unit": card.unit_name,
        "unit_g": card.unit_g,
        "left": card.left,
        "limit_per_buyer": card.limit_per_buyer,
        "closes_at": _iso(card.closes_at),
        "harvest_from": _iso(card.harvest_from),
        "harvest_to": _iso(card.harvest_to),
        "origin": card.places,
        "seller": {
            "id": card.seller,
            "name_zh": card.seller_name_zh,
            "name_en": card.seller_name_en,
        },
    }


def _iso(when: date | None) -> str | None:
    return when.isoformat() if when else None


class ShelfOut(Schema):
    """A page of offers; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(ShelfOfferOut), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ShelfCertificateOut(Schema):
    """A certificate that is valid today."""

    kind = fields.String(required=True)
    number = fields.String(required=True)
    issued_by = fields.String(required=True)
    valid_until = fields.Date(required=True, allow_none=True)


class ShelfOfferDetailOut(ShelfOfferOut):
    """An offer with the certificates that stand behind it."""

    keeping = fields.String(required=True)
    open = fields.Boolean(required=True)
    certificates = fields.List(fields.Nested(ShelfCertificateOut), required=True)


def shelf_offer_detail(facts: OfferFacts, at: datetime) -> dict[str, Any]:
    """Return an offer's facts as ShelfOfferDetailOut describes them."""
    return {
        **shelf_offer(facts.card),
        "keeping": facts.keeping,
        "open": facts.card.is_open(at) and facts.card.left > 0,
        "certificates": [
            {
                "kind": one.kind,
                "number": one.number,
                "issued_by": one.issued_by,
                "valid_until": _iso(one.valid_until),
            }
            for one in facts.certificates
        ],
    }
