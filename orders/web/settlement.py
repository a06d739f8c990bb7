"""Money: a seller's statements and its households' shares; staff state and pay out."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from kernel.access import allow, found, viewer
from kernel.db import db, public_code
from kernel.errors import Conflict, Invalid, Refusal
from kernel.identity import Organisation, Role
from kernel.money import total
from orders.actions import settlement as actions
from orders.model import Round, SettlementState
from orders.queries import settlement as queries
from orders.web.forms import act_once

blueprint = Blueprint("settlements", __name__, template_folder="../templates")


@blueprint.get("/seller/money")
@allow(Role.CLERK)
def mine() -> ResponseReturnValue:
    """What the seller is owed, what was paid, and each household's share."""
    rows = queries.settlements(viewer())
    waiting = queries.to_settle(viewer().organisations(Role.CLERK))
    paid = [one for one in rows if one.settlement.state == SettlementState.PAID]
    stated = [one for one in rows if one.settlement.state == SettlementState.STATED]
    return render_template(
        "orders/money.html",
        settlements=rows,
        waiting=waiting,
        waiting_total=total(one.amount for one in waiting),
        stated_total=total(one.total for one in stated),
        paid_total=total(one.total for one in paid),
        households_total=total(one.households for one in rows),
    )


@blueprint.get("/staff/settlements")
@allow(Role.STAFF)
def index() -> ResponseReturnValue:
    """What can be stated, and what waits for its payout."""
    return _page()


def _page(refusal: Refusal | None = None) -> ResponseReturnValue:
    page = render_template(
        "orders/settlements.html",
        waiting=queries.to_settle(),
        settlements=queries.settlements(viewer()),
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/staff/settlements")
@allow(Role.STAFF)
def state() -> ResponseReturnValue:
    """State what one seller is owed for one round, or for sales outside of rounds."""
    seller = Organisation.public_id == request.form.get("seller", "")
    seller_id = found(db.session.scalar(select(Organisation.id).where(seller)))
    round_id = None
    if request.form.get("round"):
        wanted = Round.public_id == request.form["round"]
        round_id = found(db.session.scalar(select(Round.id).where(wanted)))
    try:
        act_once(
            "settlements.state",
            lambda: actions.state_settlement(seller_id, round_id, account_id=viewer().account_id),
        )
    except Conflict as refusal:
        return _page(refusal)
    flash(_("结算单做好了。转账之后回来记下流水号。"), "done")
    return redirect(url_for("settlements.index"))


@blueprint.post("/staff/settlements/<public_id>/payout")
@allow(Role.STAFF)
def pay_out(public_id: str) -> ResponseReturnValue:
    """Record the transfer."""
    view = queries.settlement(public_id, viewer())
    reference = request.form.get("reference", "")
    try:
        act_once(
            "settlements.pay_out",
            lambda: actions.pay_out(view.settlement.id, reference, account_id=viewer().account_id),
        )
    except (Conflict, Invalid) as refusal:
        return _page(refusal)
    flash(_("打款记下了。"), "done")
    return redirect(url_for("settlements.index"))
