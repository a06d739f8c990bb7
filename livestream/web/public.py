"""What everybody sees: the list of broadcasts, one broadcast (which is a touch), share links."""

from __future__ import annotations

import segno
from flask import Blueprint, Response, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from kernel import clock
from kernel.access import allow, found, viewer, visitor_key
from livestream import queries
from livestream.actions import touch

blueprint = Blueprint("livestream", __name__, template_folder="../templates")
links = Blueprint("links", __name__, template_folder="../templates")


@blueprint.get("/live")
@allow.everyone
def index() -> ResponseReturnValue:
    """Broadcasts: live ones first, then planned, then past."""
    return render_template("livestream/index.html", broadcasts=queries.listed())


@blueprint.get("/live/<code>")
@allow.everyone
def show(code: str) -> ResponseReturnValue:
    """One broadcast and what it sells. Coming here is a touch."""
    broadcast = found(queries.by_code(code))
    touch(broadcast.credit, visitor_key(), viewer().account_id)
    broadcast = found(queries.by_code(code))
    pins = sorted(
        broadcast.pins,
        key=lambda pin: (pin.shown_at is None, -(pin.shown_at.timestamp() if pin.shown_at else 0)),
    )
    return render_template("livestream/show.html", broadcast=broadcast, pins=pins, now=clock.now())


@blueprint.get("/live/<code>/qr.svg")
@allow.everyone
def qr(code: str) -> Response:
    """The QR code of a broadcast's link."""
    broadcast = found(queries.by_code(code))
    return qr_picture(url_for("livestream.show", code=broadcast.code))


@links.get("/s/<code>")
@allow.everyone
def follow(code: str) -> ResponseReturnValue:
    """Follow a share link: a touch, then on to the offer or the shop."""
    link = found(queries.link_by_code(code))
    offer = link.offer.public_id if link.offer else None
    touch(link.credit, visitor_key(), viewer().account_id)
    if offer:
        return redirect(url_for("storefront.offer", public_id=offer))
    return redirect(url_for("storefront.home"))


@links.get("/s/<code>/qr.svg")
@allow.everyone
def link_qr(code: str) -> Response:
    """The QR code of a share link."""
    return qr_picture(url_for("links.follow", code=found(queries.link_by_code(code)).code))


def address_of(path: str) -> str:
    """Return this installation's own address with `path`, as people share it."""
    public_url: str = current_app.extensions["settings"].public_url
    return public_url + path


def qr_picture(path: str) -> Response:
    """Return a QR code of this installation's own address with `path`, as SVG."""
    svg = segno.make(address_of(path), error="m").svg_inline(scale=4, border=2, dark="#18261e")
    # The inline form leaves out the namespace that a picture of its own needs.
    svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "max-age=3600"})
