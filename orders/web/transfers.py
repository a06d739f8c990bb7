"""For staff: transfers to find on the bank statement, and refunds that have to be transferred."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, my_account
from kernel.db import public_code
from kernel.errors import Invalid, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.money import Money, parse_yuan
from orders.payments import queries
from orders.payments.captures import check_received, confirm_transfer, record_transfer_again
from orders.payments.refunds import repay_debt, take_back

blueprint = Blueprint("transfers", __name__, template_folder="../templates")


@blueprint.get("/staff/transfers")
@allow(Role.STAFF)
def index() -> ResponseReturnValue:
    """The queue, or the transfer with the code asked for."""
    code = request.args.get("code", "")
    payments = queries.transfers(code)
    return render_template(
        "orders/transfers.html",
        payments=payments,
        units=queries.paying_units(payments),
        code=code,
        most=queries.AT_MOST,
    )


@blueprint.get("/staff/transfers/<public_id>")
@allow(Role.STAFF)
def show(public_id: str) -> ResponseReturnValue:
    """One transfer with its proof."""
    return _page(public_id)


def _page(
    public_id: str,
    *,
    received: str = "",
    reference: str = "",
    seen: Money | None = None,
    refusal: Refusal | None = None,
) -> ResponseReturnValue:
    payment = queries.transfer(public_id)
    page = render_template(
        "orders/transfer.html",
        payment=payment,
        unit=queries.paying_units([payment])[payment.id],
        proof=queries.proof_of(payment),
        again=queries.came_again(payment),
        received=received,
        reference=reference,
        seen=seen,
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/staff/transfers/<public_id>")
@allow(Role.STAFF, factor=True)
def confirm(public_id: str) -> ResponseReturnValue:
    """Compare the amount with what is due, ask for a second look, then record the transfer."""
    payment = queries.transfer(public_id)
    typed = request.form.get("received", "")
    account_id = my_account()
    try:
        amount = _received(typed)
        check_received(payment, amount.fen)
        if request.form.get("seen") != "yes":
            return _page(public_id, received=typed, seen=amount)
        once_for_form(lambda: confirm_transfer(public_id, account_id, amount.fen))
    except Refusal as refusal:
        return _page(public_id, received=typed, refusal=refusal)
    flash(_("记上了。订单已确认，总账已入账。"), "done")
    return redirect(url_for("transfers.index"), 303)


def _received(typed: str) -> Money:
    """Return the amount that staff read on the bank statement. Raises Invalid."""
    try:
        return parse_yuan(typed)
    except ValueError as problem:
        words = _("到账金额写成 1234.50 这样。")
        raise Invalid(words, fields={"received": words}) from problem


@blueprint.post("/staff/transfers/<public_id>/again")
@allow(Role.STAFF, factor=True)
def again(public_id: str) -> ResponseReturnValue:
    """Record one more transfer for what was paid already; it is owed back."""
    payment = queries.transfer(public_id)
    typed, reference = request.form.get("received", ""), request.form.get("reference", "")
    account_id = my_account()
    try:
        amount = _received(typed)
        once_for_form(
            lambda: record_transfer_again(
                payment.public_id, account_id, received_fen=amount.fen, reference=reference
            )
        )
    except Refusal as refusal:
        return _page(public_id, received=typed, reference=reference, refusal=refusal)
    flash(_("记上了。这一笔要退给付款的人，转账退了再回来记。"), "done")
    return redirect(url_for("transfers.refunds"), 303)


@blueprint.get("/staff/refunds")
@allow(Role.STAFF)
def refunds() -> ResponseReturnValue:
    """What is owed back to buyers, and what their banks take back."""
    return _refunds()


def _refunds(refusal: Refusal | None = None) -> ResponseReturnValue:
    owed = queries.open_refunds()
    page = render_template(
        "orders/refunds.html",
        refunds=owed,
        disputes=queries.disputes(),
        payees=queries.payees(owed),
        most=queries.AT_MOST,
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/staff/refunds/<public_id>")
@allow(Role.STAFF, factor=True)
def repay(public_id: str) -> ResponseReturnValue:
    """Record that a debt was paid by transfer."""
    account_id = my_account()
    reference = request.form.get("reference", "")
    try:
        once_for_form(lambda: repay_debt(public_id, account_id, reference))
    except Refusal as refusal:
        return _refunds(refusal)
    flash(_("记上了。这一笔不再欠。"), "done")
    return redirect(url_for("transfers.refunds"), 303)


@blueprint.post("/staff/refunds/<public_id>/taken-back")
@allow(Role.STAFF, factor=True)
def taken_back(public_id: str) -> ResponseReturnValue:
    """Record that a buyer sent back what was given twice."""
    account_id = my_account()
    reference = request.form.get("reference", "")
    try:
        once_for_form(lambda: take_back(public_id, account_id, reference))
    except Refusal as refusal:
        return _refunds(refusal)
    flash(_("记上了。多退的收回来了。"), "done")
    return redirect(url_for("transfers.refunds"), 303)
