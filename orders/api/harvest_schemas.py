"""What the harvest's JSON looks like, in and out."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In, PlainText, Text, maybe_text, needed_text
from kernel.quantity import MAX_UNITS, MAX_WEIGHT_G, UNITS_TOGETHER
from orders.allocation import POLICIES

UNITS = validate.Range(min=0, max=MAX_UNITS)
WEIGHT_G = validate.Range(min=0, max=MAX_WEIGHT_G)


class QuotaIn(In):
    """One household's share."""

    household_id = fields.String(required=True)
    quantity = fields.Integer(required=True, strict=True, validate=UNITS)


class SplitIn(In):
    """The whole item, split among households."""

    quotas = fields.List(
        fields.Nested(QuotaIn), required=True, validate=validate.Length(min=1, max=1000)
    )


class AnswerIn(In):
    """A household's answer."""

    accept = fields.Boolean(required=True, truthy={True}, falsy={False})


class OwnYieldIn(In):
    """What a household harvested, in whole sale units, with its weight if it was weighed."""

    quantity = fields.Integer(required=True, strict=True, validate=UNITS)
    weight_g = fields.Integer(allow_none=True, load_default=None, strict=True, validate=WEIGHT_G)
    confirmed = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class YieldIn(OwnYieldIn):
    """What was harvested; `household_id` null: the seller as a whole."""

    household_id = fields.String(allow_none=True, load_default=None)


class WithdrawIn(In):
    """Whose entry is taken back; `household_id` null: the seller's as a whole."""

    household_id = fields.String(allow_none=True, load_default=None)


class AllocationIn(In):
    """By which policy."""

    policy = fields.String(load_default="pro_rata", validate=validate.OneOf(list(POLICIES)))


class PackIn(In):
    """What to pack: a group order, or one order by its number."""

    group_order_id = fields.String(load_default=None)
    order_number = fields.String(load_default=None)
    seller_id = fields.String(load_default=None)


class SendIn(In):
    """Who carries it."""

    carrier = needed_text(40)
    waybill = maybe_text(60)


class SignIn(In):
    """A signature as SVG path data."""

    signature = fields.String(required=True, validate=validate.Length(max=20_000))


class SettleIn(In):
    """Whose statement; `round_id` null: for what was sold outside of rounds."""

    seller_id = fields.String(required=True)
    round_id = fields.String(allow_none=True, load_default=None)


class PayOutIn(In):
    """The bank's reference of the transfer, and what a second person should look at."""

    reference = PlainText(required=True, validate=validate.Length(min=3, max=80))
    reason = Text(required=True, validate=validate.Length(min=2, max=200))


class PayoutReturnIn(PayOutIn):
    """The bank's reference of what came back, and what the bank says: the seller reads both."""


class TurnDownIn(In):
    """Why a payout or a return is declined, or taken back."""

    answer = Text(required=True, validate=validate.Length(min=2, max=200))


class QuotaOut(Schema):
    """One household's share: never a name, only its number."""

    id = fields.String()
    household_id = fields.String()
    household_number = fields.String()
    quantity = fields.Integer()
    state = fields.String()
    by_proxy = fields.Boolean()


class TaskOut(QuotaOut):
    """A household's task, and what it has delivered of it."""

    product = fields.String()
    unit_name = fields.String()
    unit_g = fields.Integer()
    yielded = fields.Integer(allow_none=True)
    is_allocated = fields.Boolean()


class YieldOut(Schema):
    """One entry of what was harvested."""

    household_id = fields.String(allow_none=True)
    quantity = fields.Integer()
    weight_g = fields.Integer(allow_none=True)
    by_proxy = fields.Boolean()


class AllocationOut(Schema):
    """The one allocation of an item: yielded = allocated + left_over."""

    id = fields.String()
    policy = fields.String()
    yielded = fields.Integer()
    allocated = fields.Integer()
    left_over = fields.Integer()


class ItemOut(Schema):
    """A notice item with everything that belongs to it."""

    id = fields.String()
    product = fields.String()
    unit_name = fields.String()
    quantity = fields.Integer()
    to_split = fields.Integer()
    state = fields.String()
    yielded = fields.Integer(allow_none=True)
    quotas = fields.List(fields.Nested(QuotaOut))
    yields = fields.List(fields.Nested(YieldOut))
    allocation = fields.Nested(AllocationOut, allow_none=True)


class NoticeOut(Schema):
    """What one seller must harvest for one round."""

    id = fields.String()
    round_id = fields.String()
    seller_id = fields.String()
    seller = fields.String()
    made_at = fields.DateTime()
    harvest_from = fields.Date()
    harvest_to = fields.Date()
    handover_on = fields.Date()
    items = fields.List(fields.Nested(ItemOut))


class NoticesOut(Schema):
    """A page of notices."""

    items = fields.List(fields.Nested(NoticeOut))
    next_cursor = fields.String(allow_none=True)


class ProposalOut(Schema):
    """A proposed split."""

    quotas = fields.List(fields.Nested(QuotaIn))


class ConsignedOut(Schema):
    """Units of one line in a consignment."""

    order_number = fields.String()
    product = fields.String()
    unit_name = fields.String()
    quantity = fields.Integer()


class ConsignmentOut(Schema):
    """Goods on their way to one place."""

    id = fields.String()
    group_order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    carrier = fields.String()
    waybill = fields.String()
    packed_at = fields.DateTime()
    sent_at = fields.DateTime(allow_none=True)
    signed_at = fields.DateTime(allow_none=True)
    lines = fields.List(fields.Nested(ConsignedOut))


class RecipientOut(Schema):
    """Where one buyer's goods go."""

    name = fields.String()
    phone = fields.String()
    city = fields.String()
    address = fields.String()


class AddressedOut(ConsignmentOut):
    """A consignment with its address: null for a unit's, once it was received, and for staff."""

    recipient = fields.Nested(RecipientOut, allow_none=True)


class ConsignmentsOut(Schema):
    """A page of consignments."""

    items = fields.List(fields.Nested(ConsignmentOut))
    next_cursor = fields.String(allow_none=True)


class ToPackOut(Schema):
    """What a seller could pack now for one group order, or for one order."""

    group_order_id = fields.String(allow_none=True)
    order_number = fields.String(allow_none=True)
    lines = fields.Integer()
    units = fields.Integer(metadata=UNITS_TOGETHER)


class PackingOut(Schema):
    """Everything that a seller could pack now."""

    items = fields.List(fields.Nested(ToPackOut))
    next_cursor = fields.String(allow_none=True)


class ReceivedOut(Schema):
    """An order of which something arrived; it is handed over once all of it did."""

    number = fields.String()
    state = fields.String()


class ShareOut(Schema):
    """What one household gets of a settlement."""

    household_number = fields.String()
    kind = fields.String()
    units = fields.Integer(metadata=UNITS_TOGETHER)
    amount_fen = fields.Integer()


class PayoutOut(Schema):
    """Who proposed a payout or a return, when and why, and who decided; for staff and auditors."""

    state = fields.String()
    reason = fields.String()
    proposed_by = fields.String()
    proposed_at = fields.String(metadata={"format": "date-time"})
    decided_by = fields.String(allow_none=True)
    decided_at = fields.String(allow_none=True, metadata={"format": "date-time"})
    answer = fields.String()


class PayoutReturnOut(Schema):
    """A payout that the bank returned: references of the transfer and of its return, and why."""

    payout_reference = fields.String()
    reference = fields.String()
    reason = fields.String()
    returned_at = fields.String(metadata={"format": "date-time"})


class SettlementOut(Schema):
    """A seller's statement. What the bank `returned` waits for a payout again."""

    id = fields.String()
    seller_id = fields.String()
    round_id = fields.String(allow_none=True)
    state = fields.String()
    lines = fields.Integer()
    total_fen = fields.Integer()
    households_fen = fields.Integer()
    own_fen = fields.Integer()
    stated_at = fields.DateTime()
    paid_at = fields.DateTime(allow_none=True)
    payout_reference = fields.String()
    payout = fields.Nested(PayoutOut, allow_none=True)
    payout_return = fields.Nested(PayoutOut, allow_none=True)
    returned = fields.List(fields.Nested(PayoutReturnOut))
    shares = fields.List(fields.Nested(ShareOut))


class WaitingRowOut(Schema):
    """What was handed over and is not settled; what has not `arrived` waits for a transfer."""

    seller_id = fields.String()
    round_id = fields.String(allow_none=True)
    arrived = fields.Boolean()
    lines = fields.Integer()
    amount_fen = fields.Integer()


class WaitingOut(Schema):
    """Everything that waits for a settlement."""

    items = fields.List(fields.Nested(WaitingRowOut))
    next_cursor = fields.String(allow_none=True)


class SettlementsOut(Schema):
    """A page of settlements."""

    items = fields.List(fields.Nested(SettlementOut))
    next_cursor = fields.String(allow_none=True)
