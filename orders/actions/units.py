"""Buying units and what they set aside for consumption aid: written by whoever runs the shop."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from kernel.db import transaction
from kernel.errors import Invalid
from kernel.identity import OrganisationKind, add_organisation
from kernel.money import MAX_FEN, Money
from orders.model import BuyingUnit, PurchaseTarget

UNIT_KINDS = ("office", "school", "hospital", "helper_unit")
MOST_STAFF = 1_000_000
YEARS = range(2000, 2101)


def add_unit(
    code: str, name_zh: str, name_en: str, *, kind: str, city: str, staff: int
) -> BuyingUnit:
    """Add a buying unit with its number of staff and return it. Raises Invalid."""
    if kind not in UNIT_KINDS or not 0 < staff <= MOST_STAFF:
        raise Invalid(fields={"staff": _l("写明单位的种类，和 1 到 1000000 的员工人数。")})
    if not 0 < len(city) <= 20:
        raise Invalid(fields={"city": _l("写明城市，最多 20 个字。")})
    with transaction() as session:
        made = add_organisation(OrganisationKind.BUYING_UNIT, code, name_zh, name_en, city)
        unit = BuyingUnit(
            id=made.id,
            kind=kind,
            city=city,
            staff=staff,
            invoice_title=name_zh,
            address=f"{city}{name_zh}",
        )
        session.add(unit)
        session.flush()
    return unit


def set_target(unit_id: int, year: int, budget: Money, basis_points: int) -> None:
    """Set, or change, what a unit sets aside in a year: a share of its budget for food.

    Raises Invalid outside 0 to 10,000 basis points, for a negative or absurd budget or year.
    """
    if not (0 <= budget.fen <= MAX_FEN and 0 <= basis_points <= 10_000 and year in YEARS):
        raise Invalid(fields={"budget": _l("写明年份、不小于 0 的预算和 0 到 100 的百分比。")})
    with transaction() as session:
        row = {"budget_fen": budget.fen, "basis_points": basis_points}
        kept = insert(PurchaseTarget).values(unit_id=unit_id, year=year, **row)
        session.execute(kept.on_conflict_do_update(index_elements=["unit_id", "year"], set_=row))
        session.expire_all()
