"""Pages of the cart and of the checkout."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from kernel import clock
from kernel.access import allow, viewer, visitor_key
from kernel.errors import Invalid, KeyReused, NotFound, Refusal
from kernel.language import local, of_unit
from kernel.money import Money
from kernel.quantity import parse_units
from marketplace import cart
from marketplace.account.paths import same_site
from marketplace.buying.forms import CheckoutForm
from marketplace.checkout import SOLD_HERE, elsewhere, pay_path, purchase
from orders.model import PaymentMethod
from orders.queries.mine import bought, last_recipient
from sellers.queries import cards

blueprint = Blueprint("cart", __name__)
checkout = Blueprint("checkout", __name__)


@blueprint.app_context_processor
def _badge() -> dict[str, int]:
    """Give every page the number on the cart's badge."""
    return {"cart_count": cart.count()}


@blueprint.get("/cart")
@allow.everyone
def show() -> ResponseReturnValue:
    """What is in the cart, by seller, with what no longer can be bought."""
    return render_template("cart/cart.html", cart=cart.seen(cart.wanted(), clock.now()))


@blueprint.post("/cart/lines")
@allow.everyone
def add() -> ResponseReturnValue:
    """Put an offer into the cart, on top of what is there.

    With `then=buy` it goes past the cart, which stays as it is: on to pay for this alone.
    """
    offer, units = request.form.get("offer", ""), _units(request.form, least=1)
    card = cards([offer]).get(offer)
    if card is None:
        raise NotFound(code="offer_not_found")
    if card.place not in SOLD_HERE:
        raise elsewhere(offer)
    if request.form.get("then") == "buy":
        return redirect(url_for("checkout.show_checkout", offer=offer, quantity=units))
    cart.add(offer, units)
    flash(_("加了 %(n)s%(name)s", n=of_unit(units, card.unit_name), name=local(card)), "toast")
    return redirect(same_site(request.form.get("next"), url_for("cart.show")))


@blueprint.post("/cart/lines/<offer>")
@allow.everyone
def change(offer: str) -> ResponseReturnValue:
    """Set how many units are wanted; 0 takes the offer out, which can be undone."""
    before = cart.wanted().get(offer, 0)
    units = _units(request.form, least=0)
    if units and not before and not cards([offer]):
        raise NotFound(code="offer_not_found")
    cart.put(offer, units)
    if units == 0 and before:
        # The page offers to put it back: what, and how much.
        flash((offer, before), "cart_removed")  # type: ignore[arg-type]  # any JSON is kept
    return redirect(same_site(request.form.get("next"), url_for("cart.show")))


@blueprint.post("/cart/again/<number>")
@allow.everyone
def again(number: str) -> ResponseReturnValue:
    """Put what an earlier order of one's own had into the cart, at today's prices.

    What cannot be bought any more is left out, and said.
    """
    for line in cart.seen(bought(number, viewer()), clock.now()).lines:
        if line.fault in cart.NEVER:
            flash(_("“%(name)s”现在买不了，没有放进购物车。", name=local(line.card)), "wait")
        else:
            cart.put(line.card.public_id, line.units)
    return redirect(url_for("cart.show"))


def _units(sent: MultiDict[str, str], *, least: int) -> int:
    """Read the units that were typed or the button that was pressed. Raises Invalid."""
    # A pressed button sends its value beside the input's: the last one counts.
    typed = sent.getlist("quantity") or ["1"]
    try:
        return parse_units(typed[-1], least=least)
    except ValueError as problem:
        raise Invalid(
            _("数量填 1 到 10,000,000 的整数。"),
            code="units_invalid",
            fields={"quantity": _("填 1 到 10,000,000 的整数。")},
        ) from problem


@checkout.route("/checkout", methods=["GET", "POST"])
@allow.everyone
def show_checkout() -> ResponseReturnValue:
    """Where it goes, how it is paid, one look over all, and one button."""
    visitor_key()
    who = viewer()
    form, alone = CheckoutForm(), _alone()
    wanted = form.wanted() if request.method == "POST" else alone or cart.wanted()
    if not wanted:
        return redirect(url_for("cart.show"))
    if request.method == "GET":
        form.begin(wanted, last_recipient(who))
    elif form.validate():
        try:
            paying = _buy(form, wanted)
            if not alone:
                cart.drop(list(wanted))
            return redirect(paying)
        except Refusal as refusal:
            if isinstance(refusal, KeyReused):
                form.renew()
            return _review(form, wanted, refusal), refusal.status
    return _review(form, wanted, None), 422 if form.errors else 200


def _alone() -> dict[str, int]:
    """Return what is bought past the cart, as the address says: offer → units, or nothing."""
    offer = request.args.get("offer", "")
    return {offer: _units(request.args, least=1)} if offer else {}


def _buy(form: CheckoutForm, wanted: dict[str, int]) -> str:
    """Buy, and return where to pay."""
    method = PaymentMethod(form.payment.data)
    answer: dict[str, Any] = purchase(
        viewer(),
        wanted,
        form.recipient(),
        method,
        None,
        form.idempotency_key.data,
        expected_total_fen=form.total_fen.data,
        address=request.remote_addr or "",
    )
    payment_id = answer["pay_url"].split("/pay/")[1].split("/")[0]
    return pay_path(payment_id, method)


def _review(form: CheckoutForm, wanted: dict[str, int], refusal: Refusal | None) -> str:
    seen = cart.seen(wanted, clock.now())
    if not seen.lines:
        raise NotFound(code="offer_not_found")
    form.total_fen.data = seen.total.fen
    return render_template(
        "cart/checkout.html", form=form, cart=seen, refusal=refusal, total=Money(seen.total.fen)
    )
