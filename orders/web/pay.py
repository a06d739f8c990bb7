"""Where a payment is made: Stripe's page, the way back from it, and a transfer with its proof."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired

from kernel.access import allow, viewer
from kernel.db import end_read
from kernel.errors import Conflict, Invalid
from kernel.forms import Form
from kernel.settings import Settings
from orders.model import OrderState, Payment, PaymentMethod, PaymentState
from orders.payments import checkout, gateway
from orders.payments.captures import submit_proof
from orders.payments.queries import payment_for
from orders.payments.terms import is_payable

blueprint = Blueprint("pay", __name__, template_folder="../templates")


class ProofForm(Form):
    """The proof of a transfer: a photograph or a PDF of the bank's receipt."""

    file = FileField(_l("转账回单"), validators=[FileRequired(_l("选一个文件：照片或 PDF。"))])


def _order_page(payment: Payment, paid: str | None = None) -> ResponseReturnValue:
    if payment.unit_id is not None:
        return redirect(url_for("pay.transfer", public_id=payment.public_id), 303)
    number = payment.shares[0].order.number
    return redirect(url_for("orders.show", number=number, paid=paid), 303)


@blueprint.get("/pay/<public_id>")
@allow.everyone
def go(public_id: str) -> ResponseReturnValue:
    """Open Stripe's page for the payment and lead there."""
    payment = payment_for(public_id, viewer())
    if payment.method is PaymentMethod.TRANSFER:
        return redirect(url_for("pay.transfer", public_id=public_id), 303)
    order = payment.shares[0].order
    number, given_up = order.number, order.state is OrderState.CANCELLED
    settings: Settings = current_app.extensions["settings"]
    back_url = settings.public_url + url_for("pay.back", public_id=public_id)
    end_read()
    try:
        return redirect(checkout.open_checkout(public_id, back_url), 303)
    except gateway.StripeBusy as busy:
        page = render_template("orders/pay_later.html", refusal=busy, number=number, again=True)
        return page, busy.status, {"Retry-After": str(busy.extra["retry_after_s"])}
    except Conflict as refusal:
        if refusal.code == "already_paid":
            return redirect(url_for("orders.show", number=number), 303)
        page = render_template(
            "orders/pay_later.html",
            refusal=refusal,
            number=number,
            again=False,
            given_up=given_up,
        )
        return page, refusal.status


@blueprint.get("/pay/<public_id>/back")
@allow.everyone
def back(public_id: str) -> ResponseReturnValue:
    """Ask Stripe once, so that the buyer sees the truth before the webhook comes."""
    payment_for(public_id, viewer())
    end_read()
    try:
        checkout.ask(public_id)
    except gateway.StripeBusy:
        flash(_("还不知道付成了没有。付成了会自动记上，不用再付一次。"), "wait")
        return _order_page(payment_for(public_id, viewer()))
    payment = payment_for(public_id, viewer())
    if payment.state is PaymentState.DUE:
        return _order_page(payment, paid="no")
    return _order_page(payment)


@blueprint.route("/pay/<public_id>/transfer", methods=["GET", "POST"])
@allow.everyone
def transfer(public_id: str) -> ResponseReturnValue:
    """Show where to transfer and with which code, and take the proof."""
    payment = payment_for(public_id, viewer())
    if payment.method is not PaymentMethod.TRANSFER:
        return redirect(url_for("pay.go", public_id=public_id), 303)
    form = ProofForm()
    status = 200
    if form.validate_on_submit():
        upload = request.files["file"]
        try:
            submit_proof(
                public_id,
                upload.read(),
                upload.filename or "",
                account_id=viewer().account_id,
            )
        except Invalid as refusal:
            form.file.errors = [str(text) for text in refusal.fields.values()]
            status = refusal.status
        else:
            flash(_("回单收到了。我们对上账就确认，一般 1 个工作日。"), "done")
            return redirect(url_for("pay.transfer", public_id=public_id), 303)
    elif form.is_submitted():
        status = 422
    settings: Settings = current_app.extensions["settings"]
    shown = payment_for(public_id, viewer())
    ordered_fen = sum(share.order.total_fen for share in shown.shares)
    small = shown.unit_id is None and not is_payable(shown.amount_fen, PaymentMethod.STRIPE)
    by_shortage = small and shown.amount_fen < ordered_fen and shown.state is PaymentState.DUE
    page = render_template(
        "orders/pay_transfer.html",
        payment=shown,
        by_shortage=by_shortage,
        form=form,
        account=settings.transfer_account,
    )
    return page, status
