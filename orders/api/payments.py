"""JSON of payments: how one stands, the proof of a transfer, and what staff confirm."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from kernel.access import allow, found, my_account, viewer
from kernel.errors import Invalid
from kernel.fields import In, PlainText
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role
from orders.api.pages import PageIn
from orders.model import Payment
from orders.payments import queries
from orders.payments.captures import confirm_transfer, record_transfer_again, submit_proof
from orders.payments.refunds import LONGEST_REFERENCE, repay_debt, take_back

blueprint = Blueprint("payments_api", __name__, url_prefix="/api/v1", description="Payments")


class PaymentOut(Schema):
    """How a payment stands; amounts are whole fen."""

    id = fields.String(attribute="public_id")
    method = fields.String()
    state = fields.String()
    amount_fen = fields.Integer()
    captured_fen = fields.Integer()
    refunded_fen = fields.Integer()
    transfer_code = fields.String(allow_none=True)
    has_proof = fields.Boolean()


class TransferOut(PaymentOut):
    """A transfer to look for on the bank statement, with the orders that it pays for."""

    proof_at = fields.AwareDateTime(allow_none=True)
    expires_at = fields.AwareDateTime(allow_none=True)
    orders = fields.List(fields.String())


class TransfersOut(Schema):
    """A page of transfers, the oldest first."""

    items = fields.List(fields.Nested(TransferOut))
    next_cursor = fields.String(allow_none=True)


class TransfersIn(PageIn):
    """Which transfers: those still waited for, or the one with a code whatever became of it."""

    code = fields.String(load_default="", validate=validate.Length(max=16))


class RefundOut(Schema):
    """What is owed back, on its way, or lately repaid."""

    id = fields.String(attribute="public_id")
    order_number = fields.String(attribute="order.number")
    cause = fields.String()
    amount_fen = fields.Integer()
    state = fields.String()
    failure = fields.String()
    created_at = fields.AwareDateTime()
    reference = fields.String()


class RefundsOut(Schema):
    """A page of refunds, the oldest first."""

    items = fields.List(fields.Nested(RefundOut))
    next_cursor = fields.String(allow_none=True)


class ReceivedIn(In):
    """What the bank statement says."""

    received_fen = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))


class AgainIn(ReceivedIn):
    """One more transfer on the bank statement, with the bank's number of it."""

    reference = PlainText(required=True, validate=validate.Length(min=3, max=LONGEST_REFERENCE))


class OwedOut(Schema):
    """What is owed back for it."""

    id = fields.String()
    amount_fen = fields.Integer()
    state = fields.String()


class RepaidIn(In):
    """The bank's number of the transfer to the buyer, or of the buyer's."""

    reference = PlainText(required=True, validate=validate.Length(min=1, max=80))


class RepaidOut(Schema):
    """How a refund stands by now."""

    id = fields.String()
    state = fields.String()


def _json(payment: Payment) -> dict[str, Any]:
    names = ("public_id", "method", "state", "amount_fen", "captured_fen", "refunded_fen")
    answer = {name: getattr(payment, name) for name in (*names, "transfer_code")}
    return {**answer, "has_proof": payment.proof_id is not None}


@blueprint.route("/transfers")
@allow(Role.STAFF)
@blueprint.arguments(TransfersIn, location="query", unknown=RAISE)
@blueprint.response(200, TransfersOut)
def transfers(query: dict[str, Any]) -> dict[str, Any]:
    """List transfers to find on the bank statement."""
    page = queries.transfers_page(**query)
    items = [
        {
            **_json(one),
            "proof_at": one.proof_at,
            "expires_at": one.expires_at,
            "orders": [share.order.number for share in one.shares],
        }
        for one in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


@blueprint.route("/refunds")
@allow(Role.STAFF)
@blueprint.arguments(PageIn, location="query", unknown=RAISE)
@blueprint.response(200, RefundsOut)
def refunds(query: dict[str, Any]) -> dict[str, Any]:
    """List what is owed back to buyers, and what was lately repaid."""
    page = queries.open_refunds_page(**query)
    return {"items": page.items, "next_cursor": page.next_cursor}


@blueprint.route("/payments/<public_id>", methods=["GET"])
@allow.everyone
@blueprint.response(200, PaymentOut)
def show_payment(public_id: str) -> dict[str, Any]:
    """Show a payment to whoever may make it; for everybody else there is none."""
    return _json(queries.payment_for(public_id, viewer()))


@blueprint.route("/payments/<public_id>/proof", methods=["POST"])
@allow.everyone
@blueprint.response(200, PaymentOut)
def send_proof(public_id: str) -> dict[str, Any]:
    """Take the proof of a transfer, as `file` of a multipart body."""
    found(queries.payment_for(public_id, viewer()))
    upload = request.files.get("file")
    if upload is None:
        raise Invalid(fields={"file": _l("选一个文件：照片或 PDF。")})
    account_id = viewer().account_id
    return _json(
        submit_proof(public_id, upload.read(), upload.filename or "", account_id=account_id)
    )


@blueprint.route("/payments/<public_id>/confirm", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(ReceivedIn)
@blueprint.response(200, PaymentOut)
def confirm_payment(payload: dict[str, Any], public_id: str) -> dict[str, Any]:
    """Record a transfer that is on the bank statement."""
    account_id = my_account()

    def act() -> dict[str, Any]:
        return _json(confirm_transfer(public_id, account_id, payload["received_fen"]))

    body = {"payment": public_id, **payload}
    return once_for_program("payments.confirm", body, act)


@blueprint.route("/payments/<public_id>/again", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(AgainIn)
@blueprint.response(200, OwedOut)
def record_again(payload: dict[str, Any], public_id: str) -> dict[str, Any]:
    """Record one more transfer for what was paid already; all of it is owed back."""
    account_id = my_account()

    def act() -> dict[str, Any]:
        owed = record_transfer_again(public_id, account_id, **payload)
        return {"id": owed.public_id, "amount_fen": owed.amount_fen, "state": owed.state}

    return once_for_program("payments.again", {"payment": public_id, **payload}, act)


@blueprint.route("/refunds/<public_id>/repay", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(RepaidIn)
@blueprint.response(200, RepaidOut)
def repay_refund(payload: dict[str, Any], public_id: str) -> dict[str, Any]:
    """Record that a debt was paid to the buyer by transfer."""
    account_id = my_account()

    def act() -> dict[str, Any]:
        repaid = repay_debt(public_id, account_id, payload["reference"])
        return {"id": repaid.public_id, "state": repaid.state}

    body = {"refund": public_id, **payload}
    return once_for_program("refunds.repay", body, act)


@blueprint.route("/refunds/<public_id>/taken-back", methods=["POST"])
@allow(Role.STAFF, factor=True)
@keyed
@blueprint.arguments(RepaidIn)
@blueprint.response(200, RepaidOut)
def take_refund_back(payload: dict[str, Any], public_id: str) -> dict[str, Any]:
    """Record that a buyer sent back by transfer what was given twice."""
    account_id = my_account()

    def act() -> dict[str, Any]:
        back = take_back(public_id, account_id, payload["reference"])
        return {"id": back.public_id, "state": back.state}

    body = {"refund": public_id, **payload}
    return once_for_program("refunds.take_back", body, act)
