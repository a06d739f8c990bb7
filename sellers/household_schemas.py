"""JSON in and out of households and of how income reaches them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.crypt import mask, mask_phone
from kernel.fields import (
    MAYBE_TEXT,
    In,
    kept_text,
    maybe_bank_account,
    maybe_phone,
    maybe_text,
    needed_text,
)
from sellers.actions.households import MAX_WEIGHT, PLAN_KINDS
from sellers.model import HouseholdStatus


class HouseholdIn(In):
    """What is known of a household; its status needs evidence unless it is ordinary."""

    number = needed_text(10)
    status = fields.Enum(HouseholdStatus, by_value=True, required=True)
    status_evidence = maybe_text(200)
    status_until = fields.Date(load_default=None)
    share_weight = fields.Integer(
        load_default=1, strict=True, validate=validate.Range(1, MAX_WEIGHT)
    )
    name = kept_text(40)
    phone = maybe_phone()
    bank_account = maybe_bank_account()
    steward_login = maybe_text(80)


class HouseholdOut(Schema):
    """A household with its personal data masked; the account never leaves unasked."""

    id = fields.String(attribute="public_id")
    seller_id = fields.String(attribute="seller.organisation.public_id")
    number = fields.String()
    status = fields.Enum(HouseholdStatus, by_value=True)
    status_evidence = fields.String()
    status_until = fields.Date(allow_none=True)
    share_weight = fields.Integer()
    name_masked = fields.Function(lambda one: mask(one.name), metadata={"type": "string"})
    phone_masked = fields.Function(lambda one: mask_phone(one.phone), metadata={"type": "string"})


class HouseholdDetailOut(HouseholdOut):
    """One household; the logins of its steward and of who reviewed its status may be null."""

    steward_login = fields.Function(
        lambda one: one.steward and one.steward.login, metadata=MAYBE_TEXT
    )
    status_reviewer_login = fields.Function(
        lambda one: one.status_reviewer and one.status_reviewer.login, metadata=MAYBE_TEXT
    )


class HouseholdsOut(Schema):
    """A page of households."""

    items = fields.List(fields.Nested(HouseholdOut))
    next_cursor = fields.String(allow_none=True)


class RevealIn(In):
    """Why personal data is looked at."""

    reason = needed_text(200)


class RevealedOut(Schema):
    """Personal data of one household."""

    name = fields.String()
    phone = fields.String()
    bank_account = fields.String()


class BenefitPlanIn(In):
    """How income reaches households: `basis_points` are hundredths of a percent."""

    kind = fields.String(required=True, validate=validate.OneOf(list(PLAN_KINDS)))
    basis_points = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10_000))
    note_zh = maybe_text(200)
    note_en = maybe_text(200)
    starts_on = fields.Date(load_default=None)


class BenefitPlanOut(Schema):
    """How income reaches households from a day on."""

    kind = fields.String()
    basis_points = fields.Integer()
    note_zh = fields.String()
    note_en = fields.String()
    starts_on = fields.Date()


class BenefitPlansOut(Schema):
    """A seller's benefit plans."""

    items = fields.List(fields.Nested(BenefitPlanOut))
    next_cursor = fields.String(allow_none=True)
