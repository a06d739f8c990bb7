"""Pages of the back office: orders for staff, and the ledger for staff, auditor and admin."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from kernel.access import allow, viewer
from kernel.identity import Role
from marketplace.office import queries, words
from marketplace.report.words import channel_key, channel_name
from orders.model import OrderState
from orders.queries.mine import sheet

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
    shown = sheet(number, viewer())
    moves = queries.transactions_of(shown.order.id)
    return render_template(
        "office/order.html",
        sheet=shown,
        payments=queries.payments_of(shown.order.id),
        moves=moves,
        owners=queries.owner_names(moves),
        words=words,
        channel_name=channel_name,
        channel_key=channel_key,
    )


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
