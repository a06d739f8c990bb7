"""What the API takes and gives: separate schemas in and out, unknown fields refused."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from cabinets.actions.reports import MAX_REPORTS
from cabinets.actions.sites import MAX_CAPACITY, MAX_SLOTS
from cabinets.actions.trips import REASONS
from kernel.fields import In, needed_text
from kernel.money import MAX_FEN

KINDS = ("sale", "door", "heartbeat", "restock_seen", "temperature")
NEEDS = {
    "sale": ("slot", "units"),
    "restock_seen": ("slot", "units"),
    "temperature": ("tenths",),
    "door": ("open",),
    "heartbeat": (),
}
"""What each kind of report must say."""

MAX_SEQUENCE = 2**53


class ReportIn(In):
    """One event. `at` is the device's own time and is only kept, never believed.

    `sequence` counts from 1 with each new key. A sale is of the goods whose `restock_seen` has
    the last number before its own. `tenths` is a temperature in tenths of a degree Celsius.
    """

    sequence = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_SEQUENCE))
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    slot = fields.Integer(strict=True, validate=validate.Range(0, 9999))
    units = fields.Integer(strict=True, validate=validate.Range(1, MAX_CAPACITY))
    tenths = fields.Integer(strict=True, validate=validate.Range(-1000, 2000))
    open = fields.Boolean()
    at = fields.String(load_default="", validate=validate.Length(max=40))

    @validates_schema(skip_on_field_errors=True)
    def _says_enough(self, data: dict[str, Any], **_: Any) -> None:
        for name in NEEDS[data["kind"]]:
            if name not in data:
                raise ValidationError("Missing data for required field.", name)


class ReportsIn(In):
    """A batch of reports, in any order."""

    events = fields.List(
        fields.Nested(ReportIn), required=True, validate=validate.Length(1, MAX_REPORTS)
    )


class GapOut(Schema):
    """Sequence numbers that never came."""

    first = fields.Integer()
    last = fields.Integer()


class ConflictOut(Schema):
    """A report under a number that another one has; it is kept and somebody will look at it."""

    sequence = fields.Integer()
    code = fields.String()


class ReportsOut(Schema):
    """What became of each report, and what is missing so far."""

    accepted = fields.List(fields.Integer())
    repeated = fields.List(fields.Integer())
    conflicting = fields.List(fields.Nested(ConflictOut))
    missing = fields.List(fields.Nested(GapOut))


def _slot() -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_SLOTS))


def _units(least: int = 1) -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(least, MAX_CAPACITY))


class TripLineIn(In):
    """Units put into a slot; with `lot_id` and `price_fen` the slot sells that lot from now."""

    slot = _slot()
    units = _units(0)
    lot_id = fields.String(load_default=None, validate=validate.Length(1, 16))
    price_fen = fields.Integer(load_default=None, strict=True, validate=validate.Range(1, MAX_FEN))

    @validates_schema(skip_on_field_errors=True)
    def _lot_with_price(self, data: dict[str, Any], **_: Any) -> None:
        if (data["lot_id"] is None) != (data["price_fen"] is None):
            raise ValidationError(_l("批次和价格要一起写。"), "lot_id")


class TripIn(In):
    """A restock trip to one cabinet."""

    lines = fields.List(
        fields.Nested(TripLineIn), required=True, validate=validate.Length(1, MAX_SLOTS)
    )


class ReturnLineIn(In):
    """Units taken back to their lot."""

    slot = _slot()
    units = _units()


class ReturnIn(In):
    """What was taken out of one cabinet and goes back to its lots."""

    lines = fields.List(
        fields.Nested(ReturnLineIn), required=True, validate=validate.Length(1, MAX_SLOTS)
    )


class CountLineIn(In):
    """What was counted beside what was expected, and why they differ."""

    slot = _slot()
    expected = fields.Integer(
        required=True, strict=True, validate=validate.Range(-MAX_FEN, MAX_FEN)
    )
    counted = _units(0)
    reason = fields.String(load_default="", validate=validate.OneOf(("", *REASONS)))


class CountIn(In):
    """A stock-take."""

    lines = fields.List(
        fields.Nested(CountLineIn), required=True, validate=validate.Length(1, MAX_SLOTS)
    )


class SlotUnitsOut(Schema):
    """Units of one slot: expected now, or the difference that was found."""

    slot = fields.Integer()
    units = fields.Integer()


class ChangedOut(Schema):
    """The slots that were changed."""

    lines = fields.List(fields.Nested(SlotUnitsOut))


class SlotOut(Schema):
    """What stands in a slot. `left` is what should be there."""

    slot = fields.Integer(attribute="number")
    offer_id = fields.String(attribute="offer", allow_none=True)
    name_zh = fields.String()
    name_en = fields.String()
    unit = fields.String(attribute="unit_name")
    unit_g = fields.Integer()
    price_fen = fields.Integer()
    left = fields.Integer()
    capacity = fields.Integer()


class CabinetOut(Schema):
    """A cabinet and its slots."""

    code = fields.String()
    slots = fields.List(fields.Nested(SlotOut))


class SiteOut(Schema):
    """A site and its cabinets."""

    code = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    city = fields.String()
    cabinets = fields.List(fields.Nested(CabinetOut))


class SitesQuery(In):
    """Which page of the list."""

    cursor = fields.String(load_default=None)


class SitesOut(Schema):
    """A page of sites; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(SiteOut))
    next_cursor = fields.String(allow_none=True)


class DifferenceOut(Schema):
    """A difference with a name; it is open until somebody explained it."""

    id = fields.String(attribute="public_id")
    name = fields.String()
    slot = fields.Integer(attribute="slot.number")
    units = fields.Integer()
    found_at = fields.AwareDateTime()
    explained_at = fields.AwareDateTime(allow_none=True)
    explanation = fields.String()


class OperatedSlotOut(SlotOut):
    """A slot as its operator sees it: expected may be below zero."""

    expected = fields.Integer()
    lot_id = fields.String(attribute="lot", allow_none=True)


class OperatedOut(Schema):
    """A cabinet as its operator sees it."""

    code = fields.String()
    last_seen_at = fields.AwareDateTime(allow_none=True)
    temperature_tenths = fields.Integer(allow_none=True)
    conflicts = fields.Integer()
    slots = fields.List(fields.Nested(OperatedSlotOut))
    differences = fields.List(fields.Nested(DifferenceOut))
    missing = fields.List(fields.Nested(GapOut))


class ExplainIn(In):
    """Why a difference came about."""

    explanation = needed_text(200)
