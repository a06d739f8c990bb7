"""An order for programs: what comes in, what goes out."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from kernel.fields import In, PlainText, needed_text
from kernel.quantity import MAX_UNITS
from kernel.text import PHONE
from orders.model import OrderState, PaymentMethod
from orders.placing import MAX_LINES


class OrderLineIn(In):
    """How many whole sale units of an offer."""

    offer_id = fields.String(required=True, validate=validate.Length(1, 16))
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_UNITS))


class RecipientIn(In):
    """Where goods go. Kept encrypted."""

    name = needed_text(40)
    phone = PlainText(required=True, validate=validate.Regexp(PHONE))
    city = needed_text(40)
    address = needed_text(120)


class OrderIn(In):
    """An order. `touch` is a code that this visitor came through; alone it proves nothing."""

    lines = fields.List(
        fields.Nested(OrderLineIn), required=True, validate=validate.Length(1, MAX_LINES)
    )
    recipient = fields.Nested(RecipientIn, load_default=None)
    payment = fields.Enum(PaymentMethod, by_value=True, required=True)
    touch = fields.String(load_default=None, validate=validate.Length(1, 40))

    @validates_schema
    def _once_each(self, data: dict[str, Any], **_: object) -> None:
        offers = [line["offer_id"] for line in data.get("lines", [])]
        if len(set(offers)) != len(offers):
            raise ValidationError(_l("每个上架只写一次，数量加在一起。"), "lines")


class PlacedOut(Schema):
    """What became of it, and where to pay. A repeat gets it as it was answered at first."""

    number = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(list(OrderState)))
    total_fen = fields.Integer(required=True)
    pay_url = fields.String(required=True, allow_none=True)
    expires_at = fields.String(required=True, allow_none=True)


class OrderLineOut(Schema):
    """A line as it was frozen; `allocated` is null until the yield was divided."""

    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    seller_name_zh = fields.String(required=True)
    seller_name_en = fields.String(required=True)
    certificate_number = fields.String(required=True)
    unit = fields.String(attribute="unit_name", required=True)
    price_fen = fields.Integer(required=True)
    quantity = fields.Integer(required=True)
    allocated = fields.Integer(required=True, allow_none=True)
    amount_fen = fields.Integer(required=True)


class OrderEventOut(Schema):
    """What happened, and when."""

    at = fields.AwareDateTime(required=True)
    kind = fields.String(required=True)


class OrderRefundOut(Schema):
    """Money back, and how far it has come."""

    amount_fen = fields.Integer(required=True)
    state = fields.String(required=True)
    cause = fields.String(required=True)


class OrderOut(Schema):
    """An order with its lines and its history."""

    number = fields.String(required=True)
    state = fields.Enum(OrderState, by_value=True, required=True)
    total_fen = fields.Integer(required=True)
    pay_url = fields.String(required=True, allow_none=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)
    placed_at = fields.AwareDateTime(required=True)
    paid_at = fields.AwareDateTime(required=True, allow_none=True)
    city = fields.String(required=True)
    lines = fields.List(fields.Nested(OrderLineOut), required=True)
    refunds = fields.List(fields.Nested(OrderRefundOut), required=True)
    history = fields.List(fields.Nested(OrderEventOut), required=True)
