"""The seller's harvest pages: notices, the split among households, yields and the allocation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel.access import allow, viewer
from kernel.db import public_code
from kernel.errors import Conflict, Invalid, NotFound, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.quantity import parse_jin
from kernel.text import plain
from orders.actions import harvest as actions
from orders.actions.yields import Harvested, allocate, enter_yield, withdraw_yield
from orders.queries import harvest as queries
from orders.queries import notices as reads
from orders.queries.notices import ItemView
from orders.web.many_households import household_of, split_of, tasks_of
from orders.web.typed import taken, units_shown, units_typed

blueprint = Blueprint("harvest", __name__, template_folder="../templates")


@blueprint.get("/seller/harvest")
@allow(Role.CLERK)
def notices() -> ResponseReturnValue:
    """What must be harvested, for which round, and how far it is: page by page, newest first."""
    page = reads.notices(viewer(), cursor=request.args.get("cursor") or None)
    return render_template("orders/harvest_notices.html", page=page)


@blueprint.get("/seller/harvest/<public_id>")
@allow(Role.CLERK, Role.STAFF)
def notice(public_id: str) -> ResponseReturnValue:
    """One notice: split, yields and allocation of each item; `item` stands open."""
    return _page(public_id, at=request.args.get("item", ""))


def _page(public_id: str, refusal: Refusal | None = None, at: str = "") -> ResponseReturnValue:
    """Show a notice with one item open: the one just worked on, else one that waits for us."""
    notice = reads.notice(public_id, viewer())
    by_turn = sorted(notice.items, key=lambda one: (one.item.public_id != at, one.turn))
    opened = by_turn[0].item if by_turn else None
    page = render_template(
        "orders/harvest_notice.html",
        notice=notice.notice,
        items=notice.items,
        refusal=refusal,
        typed=request.form,
        key=public_code(20),
        **(_opened(reads.item_view(opened)) if opened else {}),
    )
    return page, refusal.status if refusal else 200


def _opened(one: ItemView) -> dict[str, Any]:
    """What is shown of the item that stands open."""
    households = queries.households(one.item.notice.seller_id)
    cursor = request.args.get("cursor") or None
    by_shares = request.values.get("by") != "equal"
    return {
        "one": one,
        "households": households,
        "split": split_of(one, households, request.values.get("find", ""), by_shares=by_shares),
        "tasks_shown": tasks_of(one, request.args.get("who", ""), cursor),
        "preview": queries.preview(one) if one.yielded is not None and one.run is None else None,
        "by_shares": by_shares,
    }


def _act(item_id: str, act: Callable[[ItemView], None], done: str) -> ResponseReturnValue:
    """Do one thing to an item; show its page again with what was refused."""
    view = reads.item(item_id, viewer())
    public_id = view.item.notice.public_id
    try:
        act(view)
    except (Conflict, Invalid) as refusal:
        return _page(public_id, refusal, item_id)
    flash(done, "done")
    return redirect(
        url_for("harvest.notice", public_id=public_id, item=item_id, _anchor=f"i-{item_id}")
    )


@blueprint.post("/seller/harvest/items/<item_id>/split")
@allow(Role.CLERK, Role.STAFF)
def split(item_id: str) -> ResponseReturnValue:
    """Offer each household its part: as typed, and `by` shares or equally where that is sent."""

    def act(view: ItemView) -> None:
        units: dict[str, int] = {}
        for name, text in request.form.items():
            if name.startswith("units-") and text.strip():
                units[name.removeprefix("units-")] = units_typed(text)
        if by := request.form.get("by"):
            among = queries.households(view.item.notice.seller_id)
            units = actions.propose(view.item, among, by_shares=by != "equal", chosen=units)
        actions.split(view.item.id, units)

    return _act(item_id, act, _("已经分给农户，等他们答复。"))


@blueprint.post("/seller/harvest/items/<item_id>/answer/<quota_id>")
@allow(Role.CLERK)
def answer(item_id: str, quota_id: str) -> ResponseReturnValue:
    """Record what a household told the cooperative."""

    def act(view: ItemView) -> None:
        chosen = [one for one in view.quotas if one.public_id == quota_id]
        if not chosen:
            raise NotFound()
        accept = taken(request.form.get("answer", ""))
        shown = units_shown(request.form.get("shown", ""))
        account_id = viewer().account_id
        actions.answer(
            chosen[0].id, accept=accept, account_id=account_id, by_proxy=False, shown=shown
        )

    return _act(item_id, act, _("答复记下了。"))


@blueprint.post("/seller/harvest/items/<item_id>/yield")
@allow(Role.CLERK, Role.STAFF)
def enter(item_id: str) -> ResponseReturnValue:
    """Enter or correct what one household, or the seller as a whole, harvested."""

    def act(view: ItemView) -> None:
        household_id = _household(view, request.form.get("household", ""))
        weight = request.form.get("weight", "").strip()
        harvested = Harvested(
            units_typed(request.form.get("quantity", "")),
            _weight_g(weight) if weight else None,
            bool(request.form.get("confirmed")),
        )
        once_for_form(
            lambda: enter_yield(
                view.item.id, household_id, harvested, account_id=viewer().account_id
            ),
        )

    return _act(item_id, act, _("实收记下了。分配之前都可以改。"))


@blueprint.post("/seller/harvest/items/<item_id>/yield/withdraw")
@allow(Role.CLERK, Role.STAFF)
def withdraw(item_id: str) -> ResponseReturnValue:
    """Take an entry back."""

    def act(view: ItemView) -> None:
        withdraw_yield(view.item.id, _household(view, request.form.get("household", "")))

    return _act(item_id, act, _("撤掉了。"))


@blueprint.post("/seller/harvest/items/<item_id>/allocation")
@allow(Role.CLERK, Role.STAFF, factor=True)
def allocation(item_id: str) -> ResponseReturnValue:
    """Divide the yield among the orders, exactly once, and only as the page showed it."""

    def act(view: ItemView) -> None:
        shown = request.form.get("shown", "")
        once_for_form(
            lambda: allocate(view.item.id, "pro_rata", account_id=viewer().account_id, shown=shown),
        )

    return _act(item_id, act, _("分好了。少的部分会自动退给买家。下一步：装货。"))


def _household(view: ItemView, typed: str) -> int | None:
    named = plain(typed)
    if not named:
        return None
    if quota := household_of(view.quotas, named):
        return quota.household_id
    raise Invalid(_("只能填你们自己农户的实收。"), code="not_your_household")


def _weight_g(text: str) -> int:
    try:
        return parse_jin(text)
    except ValueError as problem:
        raise Invalid(_("重量填斤，比如 118.5。"), code="weight_invalid") from problem
