"""What a buying unit bought in a year, for its coordinator: as a page and as a workbook."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow, found, viewer
from kernel.db import db
from kernel.errors import Invalid
from kernel.identity import Role
from kernel.sheets import MEDIA_TYPE
from orders.model import BuyingUnit
from orders.queries import targets

YEARS = 3
"""How many years can be looked at, this one among them."""

blueprint = Blueprint("purchases", __name__, url_prefix="/unit", template_folder="../templates")


def _years() -> list[int]:
    """Return the years that can be looked at, the newest first."""
    this = clock.today().year
    return [this - ago for ago in range(YEARS)]


def _year() -> int:
    """Return the year in the address, this one where none is. Raises Invalid."""
    years = _years()
    typed = request.args.get("year", "").strip() or str(years[0])
    if typed not in map(str, years):
        said = _("选 %(first)s 到 %(last)s 年里的一年。", first=years[-1], last=years[0])
        raise Invalid(fields={"year": said})
    return int(typed)


@blueprint.get("/purchases")
@allow(Role.COORDINATOR)
def index() -> ResponseReturnValue:
    """What the unit bought in a year, beside its target."""
    refusal: Invalid | None = None
    try:
        year = _year()
    except Invalid as wrong:
        refusal, year = wrong, _years()[0]
    unit_id = viewer().organisation(Role.COORDINATOR)
    page = render_template(
        "orders/unit_purchases.html",
        year=year,
        years=_years(),
        bought=targets.of_year(unit_id, year),
        refusal=refusal,
    )
    return page, refusal.status if refusal else 200


@blueprint.get("/purchases.xlsx")
@allow(Role.COORDINATOR)
def sheet() -> ResponseReturnValue:
    """The same as a workbook, to be handed in."""
    year, unit_id = _year(), viewer().organisation(Role.COORDINATOR)
    from orders import purchase_sheet  # noqa: PLC0415  # few open a sheet

    buyer = found(db.session.get(BuyingUnit, unit_id))
    content = purchase_sheet.workbook(targets.of_year(unit_id, year), buyer)
    answer = Response(content, mimetype=MEDIA_TYPE)
    name = f"xiangji-purchases-{year}.xlsx"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
