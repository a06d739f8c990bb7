"""The host's workspace: plan, pin, go live, watch the board; and share links."""

from __future__ import annotations

from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms.fields.choices import SelectChoice

from kernel import clock
from kernel.access import allow, found, viewer
from kernel.db import public_code
from kernel.errors import Conflict, Invalid, KeyReused, Refusal
from kernel.idempotency import once_for_form
from kernel.identity import Role
from kernel.language import counted, local, of_unit
from kernel.money import Money
from livestream import actions, queries
from livestream.board import Board, board_of
from livestream.forms import PinForm, PlanForm, QuotaForm, ShareLinkForm, ViewsForm
from livestream.model import Broadcast
from livestream.web.public import address_of, blueprint, links
from sellers.model import Lot, Offer
from sellers.search import MAX_QUERY_LENGTH

# The routes below stand on the blueprints of the public pages: one room, one name.
__all__ = ["blueprint", "links"]

HOSTS = (Role.HOST, Role.STAFF)
READERS = (Role.HOST, Role.STAFF, Role.AUDITOR, Role.ADMIN)

# A seller's list of offers says in which broadcasts its goods are pinned.
blueprint.add_app_template_global(queries.pinned_in)


def _take(form: FlaskForm, refusal: Refusal) -> None:
    """Show a refusal's words under the fields that it names, else on top of the page."""
    for name, text in refusal.fields.items():
        if name in form:
            form[name].errors = [str(text)]
    if not any(name in form for name in refusal.fields):
        flash(str(refusal.message), "wrong")


@blueprint.get("/host")
@allow(*HOSTS)
def desk() -> ResponseReturnValue:
    """My broadcasts, page by page: first what has not ended."""
    page = queries.mine(viewer(), cursor=request.args.get("cursor") or None)
    return render_template("livestream/desk.html", page=page)


@blueprint.route("/host/new", methods=["GET", "POST"])
@allow(*HOSTS)
def plan() -> ResponseReturnValue:
    """Plan a broadcast."""
    form = PlanForm()
    if form.validate_on_submit():
        try:
            made = actions.plan_broadcast(viewer(), form.plan())
        except Invalid as refusal:
            _take(form, refusal)
        else:
            flash(_("建好了。下一步：挑要卖的货。"), "done")
            return redirect(url_for("livestream.manage", code=made.code))
    return render_template("livestream/plan.html", form=form), 422 if form.errors else 200


@blueprint.get("/host/<code>")
@allow(*HOSTS)
def manage(code: str) -> ResponseReturnValue:
    """One broadcast of mine: its link, what it sells, and the next step."""
    return _manage(code)


def _lot_words(lot: Lot, floor: Money) -> str:
    words: str = _(
        "%(product)s · 最低 %(floor)s · %(seller)s · 还有 %(left)s",
        product=local(lot.product),
        floor=floor,
        seller=local(lot.seller),
        left=of_unit(lot.left, lot.product.unit_name),
    )
    if lot.code:
        words = f"{words} · {lot.code}"
    if lot.harvest_from is None or lot.harvest_to is None:
        return words
    # A seller has one lot of a product per harvest: the days alone tell them apart.
    first, last = (f"{day.month}/{day.day}" for day in (lot.harvest_from, lot.harvest_to))
    # Not within an f-string: nobody would find the words that are to be translated.
    harvest: str = _("%(first)s–%(last)s 采收", first=first, last=last)
    return f"{words} · {harvest}"


def _offer_words(offer: Offer) -> str:
    words = f"{local(offer.product)} · {local(offer.seller)}"
    return f"{words} · {offer.lot.code}" if offer.lot.code else words


def _searched() -> str:
    """Return what the page was asked to find among the choices of its form."""
    return request.args.get("q", "").strip()[:MAX_QUERY_LENGTH]


def _manage(code: str, form: PinForm | None = None, status: int = 200) -> ResponseReturnValue:
    broadcast = actions.hosted(viewer(), code)
    figures = board_of(broadcast)
    form = form or PinForm(formdata=None)
    search = _searched()
    to_pin = queries.lots_to_pin(search, [form.lot.data] if form.lot.data else [])
    form.lot.choices = [
        SelectChoice(lot.public_id, _lot_words(lot, floor)) for lot, floor in to_pin.rows
    ]
    page = render_template(
        "livestream/manage.html",
        broadcast=broadcast,
        board=figures,
        address=address_of(url_for("livestream.show", code=broadcast.code)),
        form=form,
        search=search,
        to_pin=to_pin,
        views_form=ViewsForm(formdata=None),
        key=public_code(16),
    )
    return page, status


@blueprint.post("/host/<code>/pins")
@allow(*HOSTS)
def pin(code: str) -> ResponseReturnValue:
    """Put a lot on sale in this broadcast."""
    form = PinForm()
    if not form.validate_on_submit():
        return _manage(code, form, 422)
    asked = form.pin()

    try:
        once_for_form(lambda: actions.pin_offer(viewer(), code, asked))
    except Refusal as refusal:
        _take(form, refusal)
        return _manage(code, form, refusal.status)
    flash(_("加上了。"), "done")
    return redirect(url_for("livestream.manage", code=code))


@blueprint.post("/host/<code>/quota/<offer>")
@allow(*HOSTS)
def quota(code: str, offer: str) -> ResponseReturnValue:
    """Offer more units of what is pinned."""
    form = QuotaForm()
    if not form.validate_on_submit():
        flash(_("数量填 1 到 10,000,000 的整数。"), "wrong")
        return redirect(url_for("livestream.manage", code=code))
    units = int(form.units.data or 0)
    try:
        once_for_form(lambda: actions.add_quota(viewer(), code, offer, units))
    except KeyReused:
        raise
    except Conflict as refusal:
        flash(str(refusal.message), "wrong")
    else:
        flash(counted("加了 %(n)s 份。", units), "done")
    return redirect(url_for("livestream.manage", code=code))


@blueprint.post("/host/<code>/start")
@allow(*HOSTS)
def start(code: str) -> ResponseReturnValue:
    """Go live, then to the board."""
    actions.start(viewer(), code)
    return redirect(url_for("livestream.board_page", code=code))


@blueprint.post("/host/<code>/end")
@allow(*HOSTS)
def end(code: str) -> ResponseReturnValue:
    """End the broadcast."""
    actions.end(viewer(), code)
    flash(_("这一场结束了。成交还会按付款时间记进来。"), "done")
    return redirect(url_for("livestream.manage", code=code))


@blueprint.post("/host/<code>/next")
@allow(*HOSTS)
def show_next(code: str) -> ResponseReturnValue:
    """Put the next pinned offer before the viewers."""
    actions.show_next(viewer(), code)
    return redirect(url_for("livestream.board_page", code=code))


@blueprint.post("/host/<code>/views")
@allow(*HOSTS)
def views(code: str) -> ResponseReturnValue:
    """Write down what the outside platform shows."""
    form = ViewsForm()
    if form.validate_on_submit():
        actions.report_views(viewer(), code, int(form.views.data or 0))
        flash(_("记下了，看板上会写明是填报的数。"), "done")
    else:
        flash(_("观看数填 0 以上的整数。"), "wrong")
    return redirect(url_for("livestream.manage", code=code))


@blueprint.get("/host/<code>/board")
@allow(*READERS)
def board_page(code: str) -> ResponseReturnValue:
    """The board, on a wall or in the host's hand; its figures move every second."""
    broadcast = actions.readable(viewer(), code)
    figures = board_of(broadcast)
    return render_template("livestream/board.html", **_facts(broadcast, figures))


@blueprint.get("/host/<code>/board/live")
@allow(*READERS)
def board_live(code: str) -> ResponseReturnValue:
    """The moving part of the board; 304 while nothing changed."""
    broadcast = actions.readable(viewer(), code)
    figures = board_of(broadcast)
    answer = make_response("")
    answer.set_etag(figures.etag)
    answer.headers["Cache-Control"] = "no-cache"
    if request.if_none_match.contains(figures.etag):
        answer.status_code = 304
        return answer
    answer.set_data(render_template("livestream/_board.html", **_facts(broadcast, figures)))
    answer.headers["X-Live"] = "on" if broadcast.is_live else "done"
    return answer


def _facts(broadcast: Broadcast, figures: Board) -> dict[str, Any]:
    labels = [clock.local(at).strftime("%H:%M") for at, _n in figures.flow]
    if labels and broadcast.is_live:
        labels[-1] = _("现在")
    return {
        "broadcast": broadcast,
        "board": figures,
        "flow": {"labels": labels, "values": [n for _at, n in figures.flow]},
        "may_host": viewer().has(*HOSTS),
    }


@links.route("/links", methods=["GET", "POST"])
@allow(Role.HOST, Role.STAFF, Role.STEWARD, Role.OFFICIAL, Role.COORDINATOR, Role.CLERK)
def index() -> ResponseReturnValue:
    """My share links and what they brought; make a new one."""
    form = ShareLinkForm()
    search = _searched()
    to_share = queries.offers_to_share(search, [form.offer.data] if form.offer.data else [])
    form.offer.choices = [
        SelectChoice("", _("整个商城")),
        *(SelectChoice(offer.public_id, _offer_words(offer)) for offer in to_share.rows),
    ]
    account_id = found(viewer().account_id)
    if form.validate_on_submit():
        try:
            actions.make_share_link(
                viewer(), form.title_zh.data or "", offer_public_id=form.offer.data or None
            )
        except Invalid as refusal:
            _take(form, refusal)
        else:
            flash(_("推广码建好了，发给大家就行。"), "done")
            return redirect(url_for("links.index"))
    page = queries.links_of(account_id, request.args.get("cursor"))
    shown = render_template(
        "livestream/links.html",
        form=form,
        search=search,
        to_share=to_share,
        page=page,
        at=clock.now(),
    )
    return shown, 422 if form.errors else 200


@links.get("/links/<code>/poster")
@allow(Role.HOST, Role.STAFF, Role.STEWARD, Role.OFFICIAL, Role.COORDINATOR, Role.CLERK)
def poster(code: str) -> ResponseReturnValue:
    """A poster of my share link, to send or to print."""
    link = found(queries.link_by_code(code))
    found(link if link.owner_id == viewer().account_id else None)
    return render_template("livestream/poster.html", link=link)
