"""What the API takes and gives: separate schemas in and out, unknown fields refused."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In, maybe_text, needed_text
from kernel.money import MAX_FEN
from kernel.quantity import MAX_UNITS, UNITS_TOGETHER
from livestream.actions import MAX_ROOM_LENGTH, MAX_ROOMS, MAX_VIEWS
from livestream.model import BroadcastKind


class PlanIn(In):
    """A broadcast to plan; times are RFC 3339 with a zone."""

    title_zh = needed_text(80)
    title_en = maybe_text(120)
    kind = fields.Enum(BroadcastKind, by_value=True, load_default=BroadcastKind.LIVESTREAM)
    platform = maybe_text(40)
    place_zh = maybe_text(80)
    planned_from = fields.AwareDateTime(required=True)
    planned_to = fields.AwareDateTime(required=True)
    outside_rooms = fields.List(
        fields.String(validate=validate.Length(1, MAX_ROOM_LENGTH)),
        load_default=list,
        validate=validate.Length(max=MAX_ROOMS),
        metadata={"description": "every id that the platform has for it"},
    )


class OutsideRoomOut(Schema):
    """An id on the outside platform."""

    room = fields.String()


class BroadcastOut(Schema):
    """A broadcast."""

    code = fields.String()
    title_zh = fields.String()
    title_en = fields.String()
    kind = fields.Enum(BroadcastKind, by_value=True)
    is_live = fields.Boolean()
    planned_from = fields.DateTime()
    planned_to = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    ended_at = fields.DateTime(allow_none=True)
    outside_rooms = fields.Pluck(OutsideRoomOut, "room", many=True)


class BroadcastsOut(Schema):
    """A page of broadcasts; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(BroadcastOut))
    next_cursor = fields.String(allow_none=True)


class PinIn(In):
    """A lot to sell in a broadcast."""

    lot_id = fields.String(required=True, validate=validate.Length(1, 16))
    price_fen = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_FEN))
    quota = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_UNITS))
    limit_per_buyer = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, MAX_UNITS)
    )


class PinOut(Schema):
    """The offer that was made for the broadcast."""

    offer_id = fields.String()


class PinQuotaIn(In):
    """How many units more of what is pinned."""

    units = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_UNITS))


class PinQuotaOut(Schema):
    """The offer's quota now; null for one without."""

    offer_id = fields.String()
    quota = fields.Integer(allow_none=True)


class NextOut(Schema):
    """What is before the viewers now; null while nothing is pinned."""

    offer_id = fields.String(allow_none=True)


class ShareLinkIn(In):
    """A link to share: to one offer, or to the whole shop."""

    title_zh = needed_text(80)
    title_en = maybe_text(120)
    offer_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 16))


class ShareLinkOut(Schema):
    """A share link: its code, and where it leads."""

    code = fields.String()
    title_zh = fields.String()
    title_en = fields.String()
    path = fields.String()


class ViewsIn(In):
    """What an outside platform shows."""

    views = fields.Integer(required=True, strict=True, validate=validate.Range(0, MAX_VIEWS))


class TouchOut(Schema):
    """A recorded touch: send its code with an order."""

    code = fields.String()


class PinFiguresOut(Schema):
    """One pinned offer's figures."""

    offer = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    price_fen = fields.Integer()
    quota = fields.Integer()
    sold = fields.Integer()
    left = fields.Integer()
    lot_left = fields.Integer(metadata={"description": "what the lot has for every place"})
    may_add = fields.Integer(metadata={"description": "by how much the quota may rise"})
    withdrawn = fields.Boolean()
    shown = fields.Boolean()
    paid_fen = fields.Integer()
    net_fen = fields.Integer()
    paid_units = fields.Integer()


class BoardOut(Schema):
    """A broadcast's figures, as of a moment."""

    code = fields.String()
    live = fields.Boolean()
    as_of = fields.DateTime()
    paid_fen = fields.Integer()
    refunded_fen = fields.Integer()
    net_fen = fields.Integer()
    settled_fen = fields.Integer()
    created_orders = fields.Integer()
    orders = fields.Integer()
    lines = fields.Integer()
    units = fields.Integer(metadata=UNITS_TOGETHER)
    buyers = fields.Integer()
    first_time_buyers = fields.Integer()
    views = fields.Integer(allow_none=True)
    views_at = fields.DateTime(allow_none=True)
    pins = fields.List(fields.Nested(PinFiguresOut))
