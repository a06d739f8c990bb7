"""Pages of the back office: orders for staff, and the ledger for staff, auditor and admin."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from kernel import audit
from kernel.access import allow, viewer
from kernel.audit import Act
from kernel.crypt import mask, mask_phone
from kernel.errors import Invalid
from kernel.identity import Role
from marketplace.office import queries, words
from marketplace.report.words import channel_key, channel_name
from orders.model import OrderState
from orders.queries.mine import order_for, sheet
from sellers.forms.households import RevealForm
from sellers.forms.inputs import complain

blueprint = Blueprint("office", __name__, url_prefix="/office")
ledger = Blueprint("ledger", __name__, url_prefix="/ledger")


@blueprint.get("/orders")
@allow(Role.STAFF, Role.AUDITOR)
def orders() -> ResponseReturnValue:
    """Every order, found by its number or its state."""
    number = request.args.get("q", "").strip()[:20]
    asked = request.args.get("state", "")
    state = OrderState(asked) if asked in set(OrderState) else None
    return render_template(
        "office/orders.html",
        page=queries.orders(number, state, request.args.get("cursor") or None),
        counts=queries.counts_by_state(),
        number=number,
        state=state,
        states=words.ORDER_STATES,
        channel_name=channel_name,
        channel_key=channel_key,
    )


@blueprint.get("/orders/<number>")
@allow(Role.STAFF, Role.AUDITOR)
def order(number: str) -> ResponseReturnValue:
    """One order with its money: payments, refunds, credits and movements in the ledger."""
    return _order(number, RevealForm())


@blueprint.post("/orders/<number>/recipient")
@allow(Role.STAFF)
def recipient(number: str) -> ResponseReturnValue:
    """Show once where an order goes, for a reason that is remembered."""
    who, form = viewer(), RevealForm()
    order_for(number, who)
    if not form.validate_on_submit():
        return _order(number, form), 422
    try:
        audit.reveal(
            Act.ORDER_REVEALED,
            f"order:{number}",
            account_id=who.account_id,
            reason=form.reason.data,
        )
    except Invalid as refusal:
        complain(form, refusal)
        return _order(number, form), 422
    return _order(number, form, revealed=True)


def _order(number: str, form: RevealForm, *, revealed: bool = False) -> str:
    shown = sheet(number, viewer())
    moves = queries.transactions_of(shown.order.id)
    return render_template(
        "office/order.html",
        sheet=shown,
        form=form,
        revealed=revealed,
        mask=mask,
        mask_phone=mask_phone,
        payments=queries.payments_of(shown.order.id),
        moves=moves,
        owners=queries.owner_names(moves),
        words=words,
        channel_name=channel_name,
        channel_key=channel_key,
    )


@ledger.get("/acts")
@allow(Role.AUDITOR, Role.ADMIN)
def acts() -> ResponseReturnValue:
    """Who looked at what is masked, who confirmed, corrected or acted for whom, and why."""
    asked = request.args.get("act", "")
    act = Act(asked) if asked in set(Act) else None
    page = audit.entries(act, request.args.get("cursor") or None, queries.PAGE_SIZE)
    return render_template("office/acts.html", page=page, act=act, words=words)


@ledger.get("")
@allow(Role.STAFF, Role.AUDITOR, Role.ADMIN)
def index() -> ResponseReturnValue:
    """Every movement of money, newest first, and how far it is sealed."""
    kind = request.args.get("kind", "")[:32]
    reference = request.args.get("q", "").strip()[:80]
    page = queries.transactions(kind, reference, request.args.get("cursor") or None)
    return render_template(
        "office/ledger.html",
        page=page,
        chain=queries.chain(),
        kinds=queries.kinds(),
        kind=kind,
        reference=reference,
        owners=queries.owner_names(page.items),
        words=words,
    )
