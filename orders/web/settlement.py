"""Money: a seller's statements and its households' shares; staff state and pay out."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, my_account, viewer
from kernel.db import public_code
from kernel.errors import Conflict, Invalid, NotFound, Refusal, SecondPersonNeeded
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.money import total
from kernel.text import plain
from orders.actions import settlement as actions
from orders.queries import settlement as queries
from orders.queries.keys import round_key, seller_key

blueprint = Blueprint("settlements", __name__, template_folder="../templates")


@blueprint.get("/seller/money")
@allow(Role.CLERK)
def mine() -> ResponseReturnValue:
    """What the seller is owed, what was paid, and each household's share."""
    waiting = queries.to_settle(viewer().organisations(Role.CLERK))
    return render_template(
        "orders/money.html",
        page=queries.settlements(viewer(), request.args.get("cursor"), parts=True),
        waiting=waiting,
        waiting_total=total(one.amount for one in waiting),
        sums=queries.sums(viewer()),
    )


@blueprint.get("/seller/money/<public_id>")
@allow(Role.CLERK, Role.STAFF, Role.AUDITOR)
def households(public_id: str) -> ResponseReturnValue:
    """What each household gets of one settlement, by number: there may be thousands."""
    one = queries.settlement(public_id, viewer())
    number = plain(request.args.get("number", ""))
    page = queries.parts_page(one.settlement.id, request.args.get("cursor"), number)
    return render_template("orders/money_households.html", one=one, page=page, number=number)


@blueprint.get("/staff/settlements")
@allow(Role.STAFF)
def index() -> ResponseReturnValue:
    """What can be stated, and what waits for its payout."""
    return _page()


def _page(refusal: Refusal | None = None) -> ResponseReturnValue:
    page = render_template(
        "orders/settlements.html",
        waiting=queries.to_settle(),
        page=queries.settlements(viewer(), request.args.get("cursor")),
        refusal=refusal,
        key=public_code(20),
    )
    return page, refusal.status if refusal else 200


@blueprint.post("/staff/settlements")
@allow(Role.STAFF, factor=True)
def state() -> ResponseReturnValue:
    """State what one seller is owed for one round, or for sales outside of rounds."""
    seller_id = seller_key(request.form.get("seller", ""))
    planned = request.form.get("round", "")
    round_id = round_key(planned) if planned else None
    try:
        once_for_form(
            lambda: actions.state_settlement(seller_id, round_id, account_id=viewer().account_id),
        )
    except Conflict as refusal:
        return _page(refusal)
    flash(_("结算单做好了。转账之后回来记下流水号。"), "done")
    return redirect(url_for("settlements.index"))


@blueprint.post("/staff/settlements/<public_id>/payout")
@allow(Role.STAFF, factor=True)
def propose_payout(public_id: str) -> ResponseReturnValue:
    """Propose to record the transfer; it waits for a second person."""

    def act(settlement_id: int, account_id: int) -> None:
        reference, reason = request.form.get("reference", ""), request.form.get("reason", "")
        actions.propose_payout(settlement_id, reference, reason=reason, account_id=account_id)

    return _payout(public_id, act, _("提交了，等另一位同事批准。"))


@blueprint.post("/staff/settlements/<public_id>/payout/approve")
@allow(Role.STAFF, factor=True)
def approve_payout(public_id: str) -> ResponseReturnValue:
    """Record the transfer that somebody else proposed."""

    def act(settlement_id: int, account_id: int) -> None:
        actions.approve_payout(settlement_id, account_id=account_id)

    return _payout(public_id, act, _("打款记下了。"))


@blueprint.post("/staff/settlements/<public_id>/payout/decline")
@allow(Role.STAFF, factor=True)
def turn_down_payout(public_id: str) -> ResponseReturnValue:
    """Decline a payout that waits, or take one's own back."""

    def act(settlement_id: int, account_id: int) -> None:
        answer = request.form.get("answer", "")
        actions.turn_down_payout(settlement_id, answer, account_id=account_id)

    return _payout(public_id, act, _("退回去了，可以重新提。"))


@blueprint.post("/staff/settlements/<public_id>/return")
@allow(Role.STAFF, factor=True)
def propose_return(public_id: str) -> ResponseReturnValue:
    """Propose to record that the bank returned a payout; it waits for a second person."""

    def act(settlement_id: int, account_id: int) -> None:
        reference, reason = request.form.get("reference", ""), request.form.get("reason", "")
        actions.propose_return(settlement_id, reference, reason=reason, account_id=account_id)

    return _payout(public_id, act, _("提交了，等另一位同事批准。"))


@blueprint.post("/staff/settlements/<public_id>/return/approve")
@allow(Role.STAFF, factor=True)
def approve_return(public_id: str) -> ResponseReturnValue:
    """Record the return that somebody else proposed."""

    def act(settlement_id: int, account_id: int) -> None:
        actions.approve_return(settlement_id, account_id=account_id)

    return _payout(public_id, act, _("退票记下了，这一笔又是待打款。"))


@blueprint.post("/staff/settlements/<public_id>/return/decline")
@allow(Role.STAFF, factor=True)
def turn_down_return(public_id: str) -> ResponseReturnValue:
    """Decline a return that waits, or take one's own back."""

    def act(settlement_id: int, account_id: int) -> None:
        answer = request.form.get("answer", "")
        actions.turn_down_return(settlement_id, answer, account_id=account_id)

    return _payout(public_id, act, _("退回去了，可以重新提。"))


def _payout(public_id: str, act: Callable[[int, int], None], done: str) -> ResponseReturnValue:
    """Do `act` once with the settlement's and the viewer's ids, and say what was done."""
    settlement_id = queries.settlement(public_id, viewer()).settlement.id
    account_id = my_account()
    try:
        once_for_form(lambda: act(settlement_id, account_id))
    except (Conflict, Invalid, NotFound, SecondPersonNeeded) as refusal:
        return _page(refusal)
    flash(done, "done")
    return redirect(url_for("settlements.index"))
