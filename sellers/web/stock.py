"""Products, lots and offers of a seller."""

from __future__ import annotations

import dataclasses

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, my_account
from kernel.errors import Conflict
from kernel.idempotency import once_for_form
from kernel.identity import Role
from sellers import actions
from sellers.forms.inputs import upload_of
from sellers.forms.stock import (
    LotForm,
    OfferForm,
    ProductForm,
    QuantityForm,
    StockForm,
    last_day,
)
from sellers.me import my_seller
from sellers.model import Place
from sellers.queries import workspace
from sellers.web.room import attempt, blueprint, cursor, form_page


@blueprint.get("/products")
@allow(Role.CLERK)
def products() -> ResponseReturnValue:
    """The seller's products."""
    page = workspace.products(my_seller(), cursor())
    return render_template("sellers/products.html", page=page)


@blueprint.route("/products/new", methods=["GET", "POST"])
@allow(Role.CLERK)
def product_new() -> ResponseReturnValue:
    """Add a product."""
    seller_id, form = my_seller(), ProductForm()
    if form.validate_on_submit() and attempt(
        form,
        lambda: actions.add_product(
            seller_id, form.product(), photo=upload_of(form.photo), account_id=my_account()
        ),
    ):
        flash(_("产品已添加。接着登记有多少。"), "done")
        return redirect(url_for("sellers.products"))
    return form_page("sellers/product.html", form, product=None)


@blueprint.route("/products/<public_id>", methods=["GET", "POST"])
@allow(Role.CLERK)
def product(public_id: str) -> ResponseReturnValue:
    """Change a product."""
    shown = workspace.own_product(my_seller(), public_id)
    form = ProductForm(obj=shown)
    if form.validate_on_submit() and attempt(
        form,
        lambda: actions.change_product(
            shown.id,
            dataclasses.replace(form.product(), case_units=shown.case_units),
            photo=upload_of(form.photo),
            account_id=my_account(),
        ),
    ):
        flash(_("改好了。"), "done")
        return redirect(url_for("sellers.products"))
    return form_page("sellers/product.html", form, product=shown)


@blueprint.post("/products/<public_id>/photo/remove")
@allow(Role.CLERK)
def photo_remove(public_id: str) -> ResponseReturnValue:
    """Show a product by its drawing again."""
    actions.remove_photo(workspace.own_product(my_seller(), public_id).id)
    flash(_("照片去掉了，先用图画。"), "done")
    return redirect(url_for("sellers.product", public_id=public_id))


@blueprint.get("/lots")
@allow(Role.CLERK)
def lots() -> ResponseReturnValue:
    """The seller's lots: offered, promised, yielded."""
    page = workspace.lots(my_seller(), cursor())
    return render_template("sellers/lots.html", page=page, today=clock.today())


@blueprint.route("/products/<public_id>/lots/new", methods=["GET", "POST"])
@allow(Role.CLERK)
def lot_new(public_id: str) -> ResponseReturnValue:
    """Add a lot of a product; its offer comes next."""
    shown = workspace.own_product(my_seller(), public_id)
    form = LotForm()
    made: list[str | None] = []
    if form.validate_on_submit() and attempt(
        form,
        lambda: made.append(once_for_form(lambda: actions.add_lot(shown.id, form.lot()).public_id)),
    ):
        return redirect(url_for("sellers.offer_new", public_id=made[0]))
    return form_page("sellers/lot.html", form, product=shown)


@blueprint.route("/lots/<public_id>", methods=["GET", "POST"])
@allow(Role.CLERK)
def lot(public_id: str) -> ResponseReturnValue:
    """Change how many units a lot offers, and when it is harvested."""
    shown = workspace.own_lot(my_seller(), public_id)
    form = QuantityForm(obj=shown)

    def change() -> str:
        days = form.harvest_from.data, form.harvest_to.data
        return actions.change_lot(shown.id, form.offered.data, *days).public_id

    if form.validate_on_submit() and attempt(form, lambda: once_for_form(change)):
        flash(_("改好了。"), "done")
        return redirect(url_for("sellers.lots"))
    shown = workspace.own_lot(my_seller(), public_id)
    return form_page("sellers/lot_change.html", form, lot=shown)


@blueprint.post("/lots/<public_id>/close")
@allow(Role.CLERK)
def lot_close(public_id: str) -> ResponseReturnValue:
    """Sell no more of a lot."""
    shown = workspace.own_lot(my_seller(), public_id)
    once_for_form(lambda: actions.close_lot(shown.id).public_id)
    flash(_("这一批不再卖了。已经下的订单照常发货。"), "done")
    return redirect(url_for("sellers.lots"))


@blueprint.get("/offers")
@allow(Role.CLERK)
def offers() -> ResponseReturnValue:
    """Everything that the seller has on sale, anywhere."""
    page = workspace.offers(my_seller(), cursor())
    return render_template("sellers/offers.html", page=page, now=clock.now())


@blueprint.route("/offers/new", methods=["GET", "POST"])
@allow(Role.CLERK)
def stock_new() -> ResponseReturnValue:
    """List stock in the shop: what it is, how much there is, what it costs."""
    seller_id, form = my_seller(), StockForm()

    def work() -> str:
        return actions.list_stock(
            seller_id,
            form.product(),
            form.lot(),
            form.terms(),
            photo=upload_of(form.photo),
            account_id=my_account(),
        ).public_id

    if form.validate_on_submit() and attempt(form, lambda: once_for_form(work)):
        flash(_("已上架，商城里马上能买到。"), "done")
        return redirect(url_for("sellers.offers"))
    return form_page("sellers/stock.html", form)


@blueprint.route("/lots/<public_id>/offers/new", methods=["GET", "POST"])
@allow(Role.CLERK)
def offer_new(public_id: str) -> ResponseReturnValue:
    """Put a lot on sale in the shop."""
    shown = workspace.own_lot(my_seller(), public_id)
    form = OfferForm()

    def work() -> str:
        return actions.list_offer(shown.id, Place.SHOP, form.terms()).public_id

    if form.validate_on_submit() and attempt(form, lambda: once_for_form(work)):
        flash(_("已上架，商城里马上能买到。"), "done")
        return redirect(url_for("sellers.offers"))
    return form_page("sellers/offer.html", form, lot=shown, product=shown.product, offer=None)


@blueprint.route("/offers/<public_id>", methods=["GET", "POST"])
@allow(Role.CLERK)
def offer(public_id: str) -> ResponseReturnValue:
    """Change an offer's price, quota, limit and closing; what was sold keeps its price."""
    shown = workspace.own_offer(my_seller(), public_id)
    form = OfferForm(obj=shown)
    closes_at = shown.closes_at
    if shown.place is not Place.SHOP:
        del form.closes_at  # its round or broadcast says when
    elif not form.is_submitted():
        form.closes_at.data = last_day(closes_at)

    def work() -> str:
        return actions.change_offer(shown.id, form.terms(closes_at)).public_id

    if form.validate_on_submit() and attempt(form, lambda: once_for_form(work)):
        flash(_("改好了。已经卖出的按原来的价。"), "done")
        return redirect(url_for("sellers.offers"))
    shown = workspace.own_offer(my_seller(), public_id)
    return form_page("sellers/offer.html", form, lot=shown.lot, product=shown.product, offer=shown)


@blueprint.post("/offers/<public_id>/withdraw")
@allow(Role.CLERK)
def withdraw(public_id: str) -> ResponseReturnValue:
    """Take an offer off sale."""
    shown = workspace.own_offer(my_seller(), public_id)
    try:
        once_for_form(lambda: actions.withdraw_offer(shown.id).public_id)
    except Conflict as refusal:
        flash(str(refusal.message), "wrong")
    else:
        flash(_("已下架。已经下的订单照常发货。"), "done")
    return redirect(url_for("sellers.offers"))
