"""A buyer's orders: the list, one order with its history, giving it back, ordering it again."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from kernel import clock
from kernel.access import allow, viewer
from kernel.db import public_code
from kernel.idempotency import once_for_form
from orders.giving_up import may_give_up, order_to_give_up
from orders.lifecycle import can_cancel, cancel
from orders.queries.mine import orders_of, sheet

blueprint = Blueprint("orders", __name__, template_folder="../templates")

PAGE_SIZE = 20


@blueprint.get("/orders")
@allow.everyone
def index() -> ResponseReturnValue:
    """The viewer's orders, newest first."""
    cursor = request.args.get("cursor") or None
    return render_template(
        "orders/orders.html", page=orders_of(viewer(), cursor=cursor, page_size=PAGE_SIZE)
    )


@blueprint.get("/orders/<number>")
@allow.everyone
def show(number: str) -> ResponseReturnValue:
    """One order, for its buyer and for staff."""
    shown = sheet(number, viewer())
    order = shown.order
    mine_to_cancel = may_give_up(order, shown.payment, viewer())
    return render_template(
        "orders/order.html",
        sheet=shown,
        can_give_up=mine_to_cancel and can_cancel(order, clock.now()),
        idempotency_key=public_code(),
    )


@blueprint.post("/orders/<number>/cancel")
@allow.everyone
def give_up(number: str) -> ResponseReturnValue:
    """Cancel one's own order; what was paid is refunded. Cash takes another one of staff."""
    who = viewer()
    order = order_to_give_up(number, who)

    once_for_form(lambda: cancel(order))
    return redirect(url_for("orders.show", number=number))
