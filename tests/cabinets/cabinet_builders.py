"""A cabinet with slots that sell something, its operator, and a device that signs."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from cabinets.actions.reports import Report
from cabinets.actions.sites import CabinetFacts, SiteFacts, create_cabinet, create_site
from cabinets.actions.trips import TripLine, restock
from cabinets.device import sign
from cabinets.model import Cabinet, Slot
from kernel.access import Viewer, viewer_of
from kernel.db import db
from kernel.identity import Account, OrganisationKind, Role
from sellers.model import Lot, Offer
from tests import builders


def operator(login: str = "operator-1") -> Viewer:
    """Somebody who runs cabinets for an operator of their own."""
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR, "某运营单位")
    account = builders.account(Role.OPERATOR, company, login=login)
    return viewer_of(db.session.get_one(Account, account.id), "")


def staff(login: str = "staff-1") -> Viewer:
    """Somebody of the platform."""
    account = builders.account(
        Role.STAFF, builders.organisation(OrganisationKind.PLATFORM), login=login
    )
    return viewer_of(db.session.get_one(Account, account.id), "")


def cabinet(of: Viewer, code: str = "one-1", slots: int = 3, capacity: int = 10) -> Cabinet:
    """An empty cabinet at a site of its own."""
    site = create_site(
        of, SiteFacts(code=f"{code}-site", kind="office", name_zh="某机关大楼", city="重庆市")
    )
    return create_cabinet(of, site.code, CabinetFacts(code=code, slots=slots, capacity=capacity))


def lot(offered: int = 100, **product: Any) -> Lot:
    """A lot in hand of a new seller."""
    return builders.lot(builders.product(builders.seller(), **product), offered=offered)


def set_offer(of: Viewer, code: str, number: int, lot: str, price_fen: int) -> Offer:
    """A slot that sells a lot (by public id) from now on, set on a trip that fills nothing."""
    restock(of, code, [TripLine(number, 0, lot, price_fen)])
    return db.session.scalars(
        select(Offer)
        .join(Slot, Slot.offer_id == Offer.id)
        .join(Cabinet)
        .where(Cabinet.code == code, Slot.number == number)
    ).one()


def stocked(of: Viewer, units: int = 5, *, code: str = "one-1", slots: int = 3) -> Cabinet:
    """A cabinet whose first slot sells oranges at ¥5.00 and holds `units`; the rest is empty."""
    made = cabinet(of, code, slots)
    set_offer(of, code, 1, lot().public_id, 500)
    if units:
        restock(of, code, [TripLine(1, units)])
    return made


def sale(sequence: int, units: int = 1, slot: int = 1, at: str = "") -> Report:
    """A report of a sale."""
    return Report(sequence, "sale", {"slot": slot, "units": units}, at)


def sale_event(sequence: int, units: int = 1, slot: int = 1, **more: Any) -> dict[str, Any]:
    """The same as a device sends it."""
    return {"sequence": sequence, "kind": "sale", "slot": slot, "units": units, **more}


def signed_body(key: str, *events: dict[str, Any], moment: int = 1) -> dict[str, Any]:
    """Arguments for a client that posts these events, signed with `key`."""
    body = json.dumps({"events": events}).encode()
    headers = {"Signature": sign(key, moment, body), "Content-Type": "application/json"}
    return {"data": body, "headers": headers}
