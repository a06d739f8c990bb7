"""Shapes of rounds and group orders in JSON; what comes in and what goes out stand apart."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In
from kernel.quantity import MAX_UNITS
from orders.model import PayMode


class OpenIn(In):
    """How a group order is opened. `unit_id` is needed by a coordinator of several units."""

    pay_mode = fields.Enum(PayMode, by_value=True, required=True)
    unit_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=16))


class NeedIn(In):
    """One offer of the round in whole sale units."""

    offer_id = fields.String(required=True, validate=validate.Length(max=16))
    quantity = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=0, max=MAX_UNITS)
    )


class NeedsIn(In):
    """Everything that the member needs; an empty list cancels."""

    needs = fields.List(fields.Nested(NeedIn), required=True, validate=validate.Length(max=50))


class JoinIn(In):
    """Who joins: a staff number and a department, no name."""

    staff_number = fields.String(required=True)
    department = fields.String(required=True)


class RoundOfferOut(Schema):
    """An offer of a round; `ordered` counts everybody's units."""

    id = fields.String()
    product = fields.String()
    seller = fields.String()
    unit_name = fields.String()
    price_fen = fields.Integer()
    case_units = fields.Integer()
    ordered = fields.Integer()
    left = fields.Integer()
    cutoff_at = fields.AwareDateTime()


class RoundOut(Schema):
    """A round with its offers."""

    id = fields.String()
    title = fields.String()
    region = fields.String()
    opens_at = fields.AwareDateTime()
    closes_at = fields.AwareDateTime()
    is_open = fields.Boolean()
    harvest_from = fields.Date()
    harvest_to = fields.Date()
    handover_on = fields.Date()
    handover_place = fields.String()
    offers = fields.List(fields.Nested(RoundOfferOut))


class RoundsOut(Schema):
    """Rounds that are open or to come."""

    items = fields.List(fields.Nested(RoundOut))
    next_cursor = fields.String(allow_none=True)


class NeedOut(Schema):
    """Units of one offer."""

    offer_id = fields.String()
    quantity = fields.Integer()


class TotalOut(Schema):
    """What the whole group order asks of one offer; `open_case` units stand in the open case."""

    offer_id = fields.String()
    units = fields.Integer()
    people = fields.Integer()
    total_fen = fields.Integer()
    full_cases = fields.Integer()
    open_case = fields.Integer()


class GroupOrderOut(Schema):
    """A group order. Totals, the join address and the unit's payment are the coordinator's only.

    They are null for others; `payment_id` also until the unit owes something.
    """

    id = fields.String()
    round_id = fields.String()
    unit = fields.String()
    state = fields.String()
    pay_mode = fields.String()
    pay_by = fields.AwareDateTime(allow_none=True)
    closes_at = fields.AwareDateTime()
    join_url = fields.String(allow_none=True)
    people = fields.Integer(allow_none=True)
    total_fen = fields.Integer(allow_none=True)
    totals = fields.List(fields.Nested(TotalOut), allow_none=True)
    payment_id = fields.String(allow_none=True)
    my_needs = fields.List(fields.Nested(NeedOut))


class NeedsOut(Schema):
    """What the member has registered now; `number` is null when that is nothing."""

    number = fields.String(allow_none=True)
    total_fen = fields.Integer()
    needs = fields.List(fields.Nested(NeedOut))


class MemberOut(Schema):
    """A membership in the unit."""

    id = fields.Integer()
    state = fields.String()
    staff_number = fields.String()
    department = fields.String()


class MembersOut(Schema):
    """The unit's members, those who wait first."""

    items = fields.List(fields.Nested(MemberOut))
    next_cursor = fields.String(allow_none=True)
