"""What everybody sees: where cabinets stand, and what is in one of them."""

from __future__ import annotations

import segno
from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cabinets import queries, words
from kernel.access import allow

blueprint = Blueprint("cabinets", __name__, template_folder="../templates")


@blueprint.get("/cabinets")
@allow.everyone
def index() -> ResponseReturnValue:
    """Sites with cabinets, and what is in them now."""
    page = queries.public_sites(request.args.get("cursor") or None)
    return render_template("cabinets/index.html", page=page, kinds=words.SITES)


@blueprint.get("/cabinets/<code>")
@allow.everyone
def show(code: str) -> ResponseReturnValue:
    """One cabinet, as its QR code shows it to a person who stands before it."""
    site, cabinet = queries.public_cabinet(code)
    return render_template("cabinets/show.html", site=site, cabinet=cabinet)


@blueprint.get("/cabinets/<code>/qr.svg")
@allow.everyone
def qr(code: str) -> Response:
    """The QR code that is stuck on a cabinet."""
    _site, cabinet = queries.public_cabinet(code)
    settings = current_app.extensions["settings"]
    address = settings.public_url + url_for("cabinets.show", code=cabinet.code)
    svg = segno.make(address, error="m").svg_inline(scale=4, border=2, dark="#18261e")
    # The inline form leaves out the namespace that a picture of its own needs.
    svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "max-age=3600"})
