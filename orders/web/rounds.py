"""Public pages of rounds: what can be ordered before it is harvested, and until when."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from kernel import clock
from kernel.access import allow, viewer
from kernel.identity import Role
from orders.queries import rounds as queries

blueprint = Blueprint("rounds", __name__, template_folder="../templates")


@blueprint.get("/rounds")
@allow.everyone
def index() -> ResponseReturnValue:
    """The rounds that are open, then those to come."""
    at = clock.now()
    ahead = queries.rounds_ahead(at)
    return render_template(
        "orders/rounds.html",
        open_now=[row for row in ahead if row.round.is_open(at)],
        coming=[row for row in ahead if row.round.opens_at > at],
        at=at,
    )


@blueprint.get("/rounds/<public_id>")
@allow.everyone
def show(public_id: str) -> ResponseReturnValue:
    """One round: its offers with how full the cases are, and the ways to order."""
    shown = queries.round_by_public_id(public_id)
    units = viewer().organisations(Role.OFFICIAL, Role.COORDINATOR)
    return render_template(
        "orders/round.html",
        round=shown,
        items=queries.items_of(shown.id),
        groups=queries.group_orders_in(shown.id, units),
        coordinates=viewer().organisations(Role.COORDINATOR),
        at=clock.now(),
    )
