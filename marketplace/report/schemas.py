"""What the report takes and gives as JSON."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In
from kernel.quantity import UNITS_TOGETHER
from marketplace.report.periods import NAMES


class ReportQuery(In):
    """The period: own dates (both counted, in Shanghai), or a name; three months otherwise."""

    first = fields.Date(data_key="from", load_default=None)
    last = fields.Date(data_key="to", load_default=None)
    period = fields.String(load_default=None, validate=validate.OneOf(list(NAMES)))


class FiguresOut(Schema):
    """Orders, lines and units that were paid, and their money in fen."""

    orders = fields.Integer(required=True)
    lines = fields.Integer(required=True)
    units = fields.Integer(required=True, metadata=UNITS_TOGETHER)
    paid_fen = fields.Integer(required=True)
    refunded_fen = fields.Integer(required=True)
    net_fen = fields.Integer(required=True)
    settled_fen = fields.Integer(required=True)


class CreditOut(FiguresOut):
    """One broadcast, round, share link or cabinet, or the shop itself."""

    code = fields.String(required=True)
    title_zh = fields.String(required=True)
    title_en = fields.String(required=True)


class ChannelOut(FiguresOut):
    """One channel. `assists` counts lines that it helped and others closed; never add it."""

    channel = fields.String(required=True)
    assists = fields.Integer(required=True)
    credits = fields.List(fields.Nested(CreditOut), required=True)


class ReportOut(Schema):
    """A period by channel; the channels' money sums to the total, to the fen."""

    first = fields.Date(data_key="from", required=True)
    last = fields.Date(data_key="to", required=True)
    as_of = fields.AwareDateTime(required=True)
    agrees_with_ledger = fields.Boolean(required=True)
    refunded_later_fen = fields.Integer(
        required=True,
        metadata={"description": "of the refunds, what was owed only after the last day"},
    )
    total = fields.Nested(FiguresOut, required=True)
    channels = fields.List(fields.Nested(ChannelOut), required=True)
