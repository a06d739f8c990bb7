"""Shapes of planning rounds in JSON; what comes in and what goes out stand apart."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In, maybe_text, needed_text
from kernel.money import MAX_FEN
from kernel.quantity import MAX_UNITS
from orders.actions.rounds import MAX_PAY_WITHIN_H
from orders.api.rounds_schemas import RoundOut

UNITS = validate.Range(min=1, max=MAX_UNITS)


class RoundPlanIn(In):
    """Everything about a round; times are RFC 3339 with a zone."""

    title_zh = needed_text(80)
    title_en = maybe_text(120)
    region = maybe_text(40)
    opens_at = fields.AwareDateTime(required=True)
    closes_at = fields.AwareDateTime(required=True)
    harvest_from = fields.Date(required=True)
    harvest_to = fields.Date(required=True)
    handover_on = fields.Date(required=True)
    handover_place = maybe_text(120)
    pay_within_h = fields.Integer(
        load_default=48, strict=True, validate=validate.Range(1, MAX_PAY_WITHIN_H)
    )


class RoundOfferIn(In):
    """A lot to put into the round. `quota` null: as much as the lot has."""

    lot_id = fields.String(required=True, validate=validate.Length(max=16))
    price_fen = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_FEN))
    quota = fields.Integer(load_default=None, allow_none=True, strict=True, validate=UNITS)
    limit_per_buyer = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=UNITS
    )


class LegIn(In):
    """A seller's own cut-off; null: the round's."""

    cutoff_at = fields.AwareDateTime(required=True, allow_none=True)


class LegOut(Schema):
    """A seller's part of a round; `notice_id` once it was told what to harvest."""

    seller_id = fields.String()
    seller = fields.String()
    cutoff_at = fields.AwareDateTime()
    notice_id = fields.String(allow_none=True)


class PlannedRoundOut(RoundOut):
    """A round as staff see it."""

    title_en = fields.String()
    pay_within_h = fields.Integer()
    processed_at = fields.AwareDateTime(allow_none=True)
    legs = fields.List(fields.Nested(LegOut))


class RoundRowOut(Schema):
    """A round in the staff's list."""

    id = fields.String()
    title = fields.String()
    opens_at = fields.AwareDateTime()
    closes_at = fields.AwareDateTime()
    processed_at = fields.AwareDateTime(allow_none=True)
    offers = fields.Integer()
    sellers = fields.Integer()


class RoundRowsOut(Schema):
    """A page of rounds, the last to close first."""

    items = fields.List(fields.Nested(RoundRowOut))
    next_cursor = fields.String(allow_none=True)


class LotRowOut(Schema):
    """A lot that may stand in the round."""

    id = fields.String(attribute="public_id")
    product = fields.String(attribute="name")
    seller = fields.String()
    left = fields.Integer()
    unit_name = fields.String()


class LotRowsOut(Schema):
    """A page of lots, the newest first."""

    items = fields.List(fields.Nested(LotRowOut))
    next_cursor = fields.String(allow_none=True)
