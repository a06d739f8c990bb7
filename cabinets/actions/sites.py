"""Sites, cabinets and slots: set up, given their key, and what each slot sells."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from cabinets.actions import operated
from cabinets.fills import note_offer
from cabinets.model import Cabinet, ReportGap, Site, Slot
from cabinets.stock import expected_of
from kernel import audit, clock
from kernel.access import Viewer, found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid
from kernel.identity import Organisation, OrganisationKind, Role
from orders.model import CreditKind, CreditSource
from sellers.actions import OfferTerms, change_offer, list_offer, withdraw_offer
from sellers.floors import below_floor
from sellers.model import Lot, LotMode, Offer, Place

MAX_SLOTS = 100
MAX_CAPACITY = 500
SITE_KINDS = ("office", "hospital", "school", "public")
_CODE = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """A place for cabinets. `operator` is an organisation's public id; None: the viewer's own."""

    code: str
    kind: str
    name_zh: str
    city: str
    name_en: str = ""
    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetFacts:
    """A cabinet of `slots` slots, each with room for `capacity` sale units."""

    code: str
    slots: int
    capacity: int


def _check_code(session: Session, code: str, table: type[Site] | type[Cabinet]) -> None:
    if not _CODE.match(code):
        raise Invalid(fields={"code": _l("编号用小写字母、数字和短横，2 到 39 个，如 yb-gov-1。")})
    if session.scalar(select(exists().where(table.code == code))):
        raise Invalid(fields={"code": _l("这个编号已经有了，换一个。")})


def _operator(session: Session, viewer: Viewer, public_id: str | None) -> int:
    """Return the organisation that runs a new site; only staff may name another than theirs."""
    if public_id is None or not viewer.has(Role.STAFF):
        return viewer.organisation(Role.OPERATOR)
    return found(
        session.scalar(
            select(Organisation.id).where(
                Organisation.public_id == public_id,
                Organisation.kind == OrganisationKind.CABINET_OPERATOR,
            )
        )
    )


def create_site(viewer: Viewer, facts: SiteFacts) -> Site:
    """Set up a site and return it. Raises Invalid, Denied, and NotFound for no such operator."""
    wrong = {}
    if facts.kind not in SITE_KINDS:
        wrong["kind"] = _l("选一种地方。")
    if not facts.name_zh.strip():
        wrong["name_zh"] = _l("写上点位名称。")
    if not facts.city.strip():
        wrong["city"] = _l("写上所在城市。")
    if wrong:
        raise Invalid(fields=wrong)
    with transaction() as session:
        _check_code(session, facts.code, Site)
        site = Site(
            code=facts.code,
            kind=facts.kind,
            name_zh=facts.name_zh.strip(),
            name_en=facts.name_en.strip(),
            city=facts.city.strip(),
            operator_id=_operator(session, viewer, facts.operator),
        )
        session.add(site)
        session.flush()
    return site


def run_site(viewer: Viewer, code: str) -> Site:
    """Return the site `code` for its operator or staff. Raises NotFound for others."""
    query = select(Site).where(Site.code == code)
    if not viewer.has(Role.STAFF):
        query = query.where(Site.operator_id.in_(viewer.organisations(Role.OPERATOR)))
    with transaction() as session:
        return found(session.scalar(query))


def create_cabinet(viewer: Viewer, site_code: str, facts: CabinetFacts) -> Cabinet:
    """Set up a cabinet with empty slots, its own key and its own credit source; return it.

    Raises NotFound for a site that the viewer does not run, and Invalid.
    """
    wrong = {}
    if not 1 <= facts.slots <= MAX_SLOTS:
        wrong["slots"] = _l("货道写 1 到 100 的整数。")
    if not 1 <= facts.capacity <= MAX_CAPACITY:
        wrong["capacity"] = _l("每个货道放 1 到 500 份。")
    if wrong:
        raise Invalid(fields=wrong)
    with transaction() as session:
        site = run_site(viewer, site_code)
        _check_code(session, facts.code, Cabinet)
        cabinet = Cabinet(
            code=facts.code,
            site=site,
            device_key=secrets.token_urlsafe(32),
            credit=CreditSource(
                kind=CreditKind.CABINET,
                code=facts.code,
                title_zh=f"{site.name_zh} {facts.code}",
                title_en=f"{site.name_en} {facts.code}".strip() if site.name_en else "",
            ),
            slots=[
                Slot(number=number, capacity=facts.capacity) for number in range(1, facts.slots + 1)
            ],
        )
        session.add(cabinet)
        session.flush()
    return cabinet


def new_device_key(viewer: Viewer, code: str) -> str:
    """Give a cabinet a new key and return it; the old one signs nothing from now on.

    A new count begins with it. What is missing of the old one cannot come any more: the act
    remembers how many reports that were.
    """
    with transaction() as session:
        cabinet = operated(viewer, code, lock=True)
        cabinet.device_key = secrets.token_urlsafe(32)
        cabinet.counted_from = cabinet.last_sequence
        gaps = delete(ReportGap).where(ReportGap.cabinet_id == cabinet.id)
        lost = session.scalars(gaps.returning(ReportGap.last - ReportGap.first + 1)).all()
        audit.note(
            Act.DEVICE_KEY_RENEWED,
            f"cabinet:{code}",
            account_id=viewer.account_id,
            reason=_("没到的上报 %(n)s 条，不再等", n=sum(lost)) if lost else "",
        )
        return cabinet.device_key


def put_offer(session: Session, slot: Slot, lot_public_id: str, price_fen: int) -> Offer:
    """Let a slot, whose cabinet the caller has locked, sell a lot at a price; return its offer.

    The same lot only gets the new price. Raises NotFound, Invalid for a price out of bounds or
    below the seller's floor, and Conflict: slot_not_empty while the slot holds units
    of another lot, lot_in_field, or seller_not_verified.
    """
    lot = found(session.scalar(select(Lot).where(Lot.public_id == lot_public_id)))
    if too_low := below_floor(lot.id, price_fen, clock.now()):
        raise Invalid(too_low, code="price_too_low", slot=slot.number)
    old = slot.offer
    terms = OfferTerms(price_fen=price_fen)
    if old is not None and old.lot_id == lot.id and old.withdrawn_at is None:
        return change_offer(old.id, terms)
    if old is not None and old.lot_id != lot.id and expected_of([slot.id])[slot.id] != 0:
        raise Conflict(
            _l("货道里还有别的批次。先退回或盘点到 0，再换货。"),
            code="slot_not_empty",
            slot=slot.number,
        )
    if lot.mode is not LotMode.IN_HAND:
        raise Conflict(_l("还在地里的货不能上柜。换一批在手的。"), code="lot_in_field")
    if old is not None:
        withdraw_offer(old.id)
    slot.offer = list_offer(lot.id, Place.SLOT, terms)
    note_offer(session, slot, old, slot.offer)
    return slot.offer
