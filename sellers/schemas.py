"""JSON in and out of the supply side. What comes in and what goes out have their own schemas."""

from __future__ import annotations

from flask_smorest.fields import Upload
from marshmallow import Schema, fields, validate

from kernel.fields import MAYBE_TEXT, In, maybe_bank_account, maybe_phone, maybe_text, needed_text
from kernel.money import MAX_FEN
from kernel.quantity import MAX_UNITS
from sellers.actions.stock import MAX_UNIT_G
from sellers.model import (
    Category,
    CertificateState,
    ImportState,
    LotMode,
    Place,
    SellerKind,
    SellerState,
)
from sellers.words import CERTIFICATES


def _units(*, needed: bool = False) -> fields.Integer:
    rule = validate.Range(1, MAX_UNITS)
    if needed:
        return fields.Integer(required=True, strict=True, validate=rule)
    return fields.Integer(load_default=None, allow_none=True, strict=True, validate=rule)


class OwnSellerIn(In):
    """What a seller says about itself."""

    kind = fields.Enum(SellerKind, by_value=True, required=True)
    name_zh = needed_text(60)
    name_en = maybe_text(120)
    province = needed_text(20)
    city = needed_text(20)
    county = needed_text(20)
    township = maybe_text(20)
    village = maybe_text(20)
    contact_phone = maybe_phone()
    bank_account = maybe_bank_account()
    households_count = fields.Integer(
        load_default=0, strict=True, validate=validate.Range(0, MAX_UNITS)
    )
    registered_count = fields.Integer(
        load_default=0, strict=True, validate=validate.Range(0, MAX_UNITS)
    )
    story_zh = maybe_text(600)
    story_en = maybe_text(1200)


class RegisteredSellerOut(Schema):
    """A seller as its clerk and staff see it; phone and account never leave."""

    id = fields.String(attribute="organisation.public_id")
    kind = fields.Enum(SellerKind, by_value=True)
    state = fields.Enum(SellerState, by_value=True)
    name_zh = fields.String()
    name_en = fields.String()
    places = fields.List(fields.String())
    return_reason = fields.String()
    submitted_at = fields.AwareDateTime(allow_none=True)
    verified_at = fields.AwareDateTime(allow_none=True)
    bank_changed_at = fields.AwareDateTime(allow_none=True)
    bank_waits = fields.Boolean()


class OwnPageIn(In):
    """Where a list goes on."""

    cursor = fields.String(load_default=None)


class OwnSellersIn(OwnPageIn):
    """Which sellers."""

    state = fields.Enum(SellerState, by_value=True, load_default=None)


class RegisteredSellersOut(Schema):
    """A page of sellers."""

    items = fields.List(fields.Nested(RegisteredSellerOut))
    next_cursor = fields.String(allow_none=True)


class OwnCertificateIn(In):
    """The words of a certificate; its file comes beside them."""

    kind = fields.String(required=True, validate=validate.OneOf(list(CERTIFICATES)))
    number = needed_text(60)
    issued_by = maybe_text(120)
    valid_until = fields.Date(load_default=None)


class FileIn(In):
    """One file of a multipart form."""

    file = Upload(required=True)


class PhotoIn(In):
    """A photograph in a multipart form: JPG, PNG or WebP."""

    photo = Upload(required=True)


class OwnCertificateUploadIn(OwnCertificateIn):
    """A certificate's words and its file, as one multipart form."""

    file = Upload(required=True)


class OwnCertificateOut(Schema):
    """A certificate, and what staff said of it; buyers see it while accepted and valid."""

    id = fields.String(attribute="public_id")
    kind = fields.String()
    number = fields.String()
    issued_by = fields.String()
    valid_until = fields.Date(allow_none=True)
    state = fields.Enum(CertificateState, by_value=True)
    return_reason = fields.String()
    file = fields.Function(
        lambda one: one.file and f"/files/{one.file.public_id}", metadata=MAYBE_TEXT
    )


class OwnCertificatesOut(Schema):
    """A seller's certificates."""

    items = fields.List(fields.Nested(OwnCertificateOut))
    next_cursor = fields.String(allow_none=True)


class WaitingCertificateOut(OwnCertificateOut):
    """A certificate with its seller, as staff sees it."""

    seller_id = fields.String(attribute="seller.organisation.public_id")
    seller_name_zh = fields.String(attribute="seller.name_zh")


class WaitingCertificatesOut(Schema):
    """A page of certificates."""

    items = fields.List(fields.Nested(WaitingCertificateOut))
    next_cursor = fields.String(allow_none=True)


class DossierOut(RegisteredSellerOut):
    """A seller with its papers."""

    households_count = fields.Integer()
    registered_count = fields.Integer()
    certificates = fields.List(fields.Nested(OwnCertificateOut))


class BankSeenIn(In):
    """Since when the bank account stood that staff looked at."""

    bank_changed_at = fields.AwareDateTime(required=True)


class SellerReturnIn(In):
    """Why papers are returned."""

    reason = needed_text(300)


class OwnProductIn(In):
    """What is grown, and what one sale unit of it is."""

    name_zh = needed_text(60)
    name_en = maybe_text(120)
    category = fields.Enum(Category, by_value=True, required=True)
    variety = maybe_text(60)
    grade = maybe_text(30)
    keeping = maybe_text(120)
    unit_name = needed_text(8)
    unit_g = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_UNIT_G))
    case_units = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, MAX_UNITS))
    weighed = fields.Boolean(load_default=False)


class OwnProductOut(Schema):
    """A product."""

    id = fields.String(attribute="public_id")
    name_zh = fields.String()
    name_en = fields.String()
    category = fields.Enum(Category, by_value=True)
    variety = fields.String()
    grade = fields.String()
    keeping = fields.String()
    unit_name = fields.String()
    unit_g = fields.Integer()
    case_units = fields.Integer()
    weighed = fields.Boolean()
    photo = fields.Function(
        lambda one: one.photo and f"/photos/{one.photo.public_id}", metadata=MAYBE_TEXT
    )


class OwnProductsOut(Schema):
    """A page of products."""

    items = fields.List(fields.Nested(OwnProductOut))
    next_cursor = fields.String(allow_none=True)


class OwnLotIn(In):
    """How much there is of a product."""

    product_id = fields.String(required=True, validate=validate.Length(1, 16))
    mode = fields.Enum(LotMode, by_value=True, required=True)
    offered = _units(needed=True)
    harvest_from = fields.Date(load_default=None)
    harvest_to = fields.Date(load_default=None)
    code = maybe_text(40)


class OwnLotChangeIn(In):
    """Another quantity, and other days of harvest."""

    offered = _units(needed=True)
    harvest_from = fields.Date(load_default=None)
    harvest_to = fields.Date(load_default=None)


class OwnLotOut(Schema):
    """A lot; offered, promised and yielded stay apart."""

    id = fields.String(attribute="public_id")
    mode = fields.Enum(LotMode, by_value=True)
    offered = fields.Integer()
    promised = fields.Integer()
    yielded = fields.Integer(allow_none=True)
    harvest_from = fields.Date(allow_none=True)
    harvest_to = fields.Date(allow_none=True)


class OwnLotsOut(Schema):
    """A page of lots."""

    items = fields.List(fields.Nested(OwnLotOut))
    next_cursor = fields.String(allow_none=True)


class OwnOfferTermsIn(In):
    """At what price and up to how many, and how low a broadcast may go (null: not below it)."""

    price_fen = fields.Integer(required=True, strict=True, validate=validate.Range(1, MAX_FEN))
    quota = _units()
    limit_per_buyer = _units()
    broadcast_floor_fen = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, MAX_FEN)
    )
    closes_at = fields.AwareDateTime(load_default=None, allow_none=True)


class OwnOfferIn(OwnOfferTermsIn):
    """A lot to put on sale in the shop."""

    lot_id = fields.String(required=True, validate=validate.Length(1, 16))


class OwnOfferOut(Schema):
    """An offer as its seller sees it."""

    id = fields.String(attribute="public_id")
    place = fields.Enum(Place, by_value=True)
    price_fen = fields.Integer()
    quota = fields.Integer(allow_none=True)
    sold = fields.Integer()
    limit_per_buyer = fields.Integer(allow_none=True)
    broadcast_floor_fen = fields.Integer(allow_none=True)
    closes_at = fields.AwareDateTime(allow_none=True)
    withdrawn_at = fields.AwareDateTime(allow_none=True)


class OwnOffersOut(Schema):
    """A page of offers."""

    items = fields.List(fields.Nested(OwnOfferOut))
    next_cursor = fields.String(allow_none=True)


class ImportFaultOut(Schema):
    """One cell that is wrong."""

    line = fields.Integer()
    column = fields.String()
    value = fields.String()
    fault = fields.String()
    advice = fields.String()


class ImportOut(Schema):
    """A spreadsheet: how far it has come, and at most 100 of its faults."""

    id = fields.String(attribute="public_id")
    state = fields.Enum(ImportState, by_value=True)
    rows_total = fields.Integer()
    rows_done = fields.Integer()
    faults_count = fields.Integer()
    faults = fields.List(fields.Nested(ImportFaultOut))
