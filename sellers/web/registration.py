"""A seller's desk, registration and papers."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, my_account, viewer
from kernel.crypt import mask, mask_phone
from kernel.errors import Conflict, Invalid
from kernel.identity import Role
from sellers import actions
from sellers.forms.inputs import upload_of
from sellers.forms.registration import CertificateForm, SellerForm
from sellers.me import my_seller
from sellers.model import SellerState
from sellers.queries import workspace
from sellers.web.room import attempt, blueprint, form_page


@blueprint.get("")
@allow(Role.CONSUMER)
def desk() -> ResponseReturnValue:
    """Where the seller stands and what needs its clerk; who has no seller registers one."""
    if not viewer().organisations(Role.CLERK):
        return redirect(url_for("sellers.register"))
    seller = workspace.own_seller(my_seller())
    stock = workspace.stock_figures(seller.id)
    return render_template("sellers/desk.html", seller=seller, stock=stock, today=clock.today())


@blueprint.route("/register", methods=["GET", "POST"])
@allow(Role.CONSUMER)
def register() -> ResponseReturnValue:
    """Register a seller; papers come next."""
    if viewer().organisations(Role.CLERK):
        return redirect(url_for("sellers.desk"))
    form = SellerForm()
    if form.validate_on_submit() and attempt(
        form, lambda: actions.register_seller(my_account(), form.facts())
    ):
        return redirect(url_for("sellers.certificates"))
    return form_page("sellers/register.html", form, seller=None, phone="", bank="")


@blueprint.route("/profile", methods=["GET", "POST"])
@allow(Role.CLERK)
def profile() -> ResponseReturnValue:
    """What the seller says about itself."""
    seller = workspace.own_seller(my_seller())
    # Phone and account are shown masked beside their inputs and never sent back into them.
    phone, bank = mask_phone(seller.contact_phone), mask(seller.bank_account, keep_end=4)
    form = SellerForm(obj=seller)
    seller_id = seller.id
    if form.validate_on_submit() and attempt(
        form, lambda: actions.update_seller(seller_id, form.facts(), account_id=my_account())
    ):
        flash(_("改好了。"), "done")
        return redirect(url_for("sellers.desk"))
    if not form.is_submitted():
        form.contact_phone.data = form.bank_account.data = ""
    return form_page("sellers/register.html", form, seller=seller, phone=phone, bank=bank)


@blueprint.route("/certificates", methods=["GET", "POST"])
@allow(Role.CLERK)
def certificates() -> ResponseReturnValue:
    """The seller's papers, and one more."""
    seller_id = my_seller()
    form = CertificateForm()
    if form.validate_on_submit() and attempt(form, lambda: _keep(seller_id, form)):
        flash(_("证书已上传。"), "done")
        return redirect(url_for("sellers.certificates"))
    return form_page(
        "sellers/certificates.html",
        form,
        seller=workspace.own_seller(seller_id),
        today=clock.today(),
        licence=actions.LICENCE,
        states=SellerState,
    )


def _keep(seller_id: int, form: CertificateForm) -> None:
    actions.add_certificate(
        seller_id,
        my_account(),
        kind=form.kind.data,
        number=form.number.data,
        issued_by=form.issued_by.data,
        valid_until=form.valid_until.data,
        upload=upload_of(form.file),
    )


@blueprint.post("/submit")
@allow(Role.CLERK)
def submit() -> ResponseReturnValue:
    """Ask staff to verify the seller."""
    try:
        actions.submit(my_seller())
    except (Invalid, Conflict) as refusal:
        for text in dict.fromkeys(refusal.fields.values() or [refusal.message]):
            flash(str(text), "wrong")
        return redirect(url_for("sellers.certificates"))
    flash(_("已提交。平台一般两个工作日内审完，结果会显示在这里。"), "done")
    return redirect(url_for("sellers.desk"))
