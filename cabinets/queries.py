"""What pages read of sites, cabinets and slots, each in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from cabinets.model import Cabinet, DeviceReport, ReportGap, Site, Slot, StockDifference
from cabinets.stock import expected_units, room_in, room_left
from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Organisation, OrganisationKind, Role
from kernel.paging import Page, decode, page_of
from sellers.model import Lot, Offer, Product, Seller, SellerState

PAGE_SIZE = 12
GAPS_SHOWN = 50
DIFFERENCES_SHOWN = 50
TO_RESTOCK = 50


@dataclass(frozen=True, slots=True)
class SlotStock:
    """One slot, what it sells and what it should hold. Without an offer the rest is empty."""

    id: int
    cabinet_id: int
    number: int
    capacity: int
    expected: int
    offer: str | None
    lot: str | None
    lot_left: int
    price_fen: int
    name_zh: str
    name_en: str
    unit_name: str
    unit_g: int
    picture: str
    photo: str | None
    category: str
    seller_name_zh: str
    seller_name_en: str
    places: Sequence[str]
    on_sale: bool

    @property
    def left(self) -> int:
        """Units that a person standing there can expect to find."""
        return max(0, self.expected)

    @property
    def room(self) -> int:
        """Units that still fit."""
        return room_in(self.capacity, self.expected)

    @property
    def can_add(self) -> int:
        """Units that fit and that the lot still has."""
        return min(self.room, self.lot_left) if self.on_sale else 0


@dataclass(frozen=True, slots=True)
class CabinetState:
    """How a cabinet stands: its stock, when it was last heard, and what waits for somebody.

    What waits is counted where it was asked for, and 0 elsewhere. The temperature is in tenths of
    a degree Celsius, None before the first one was reported.
    """

    code: str
    slots: Sequence[SlotStock]
    last_seen_at: datetime | None
    temperature_tenths: int | None
    open_differences: int = 0
    conflicts: int = 0
    missing: int = 0

    @property
    def expected(self) -> int:
        """Units that a person standing there can expect to find in all slots."""
        return sum(slot.left for slot in self.slots)

    @property
    def capacity(self) -> int:
        """Units that all slots take."""
        return sum(slot.capacity for slot in self.slots)

    @property
    def empty(self) -> int:
        """Slots in which nothing is left."""
        return sum(not slot.left for slot in self.slots)

    @property
    def filled(self) -> list[SlotStock]:
        """Slots that have something to sell."""
        return [slot for slot in self.slots if slot.offer and slot.left]


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site with its cabinets."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    city: str
    cabinets: list[CabinetState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers that a device never reported, from `first` to `last`."""

    first: int
    last: int


def slots_of(cabinet_ids: Collection[int]) -> dict[int, list[SlotStock]]:
    """Return cabinet id → its slots by number, in one statement."""
    rows = db.session.execute(
        select(Slot, expected_units().label("expected"), Offer, Lot, Product, Seller)
        .outerjoin(Offer, Slot.offer_id == Offer.id)
        .outerjoin(Lot, Offer.lot_id == Lot.id)
        .outerjoin(Product, Offer.product_id == Product.id)
        .outerjoin(Seller, Offer.seller_id == Seller.id)
        # Slots come without an offer, so the seller's organisation may be missing too.
        .options(joinedload(Seller.organisation, innerjoin=False), joinedload(Product.photo))
        .where(Slot.cabinet_id.in_(cabinet_ids))
        .order_by(Slot.cabinet_id, Slot.number)
    ).all()
    slots = defaultdict(list)
    for slot, expected, offer, lot, product, seller in rows:
        slots[slot.cabinet_id].append(_slot(slot, expected, offer, lot, product, seller))
    return slots


def _slot(
    slot: Slot,
    expected: int,
    offer: Offer | None,
    lot: Lot | None,
    product: Product | None,
    seller: Seller | None,
) -> SlotStock:
    sells = offer is not None and lot is not None and product is not None and seller is not None
    return SlotStock(
        id=slot.id,
        cabinet_id=slot.cabinet_id,
        number=slot.number,
        capacity=slot.capacity,
        expected=expected,
        offer=offer.public_id if offer else None,
        lot=lot.public_id if lot else None,
        lot_left=lot.left if lot else 0,
        price_fen=offer.price_fen if offer else 0,
        name_zh=product.name_zh if product else "",
        name_en=product.name_en if product else "",
        unit_name=product.unit_name if product else "",
        unit_g=product.unit_g if product else 0,
        picture=product.picture if product else "basket.webp",
        photo=product.photo.public_id if product and product.photo else None,
        category=product.category if product else "",
        seller_name_zh=seller.name_zh if seller else "",
        seller_name_en=seller.name_en if seller else "",
        places=seller.places if seller else (),
        on_sale=bool(
            sells
            and offer
            and seller
            and offer.withdrawn_at is None
            and seller.state is SellerState.VERIFIED
        ),
    )


def _mine(viewer: Viewer) -> Select[Site]:
    query = select(Site)
    if not viewer.has(Role.STAFF):
        query = query.where(Site.operator_id.in_(viewer.organisations(Role.OPERATOR)))
    return query


def public_sites(cursor: str | None) -> Page[SiteState]:
    """Return a page of all sites that have a cabinet, by code.

    Raises Invalid for a cursor that no page gave.
    """
    has_cabinet = select(Cabinet.id).where(Cabinet.site_id == Site.id).exists()
    return _sites(select(Site).where(has_cabinet), cursor)


def operated_sites(viewer: Viewer, cursor: str | None) -> Page[SiteState]:
    """Return a page of the sites that the viewer runs, by code, with what waits in each.

    Staff see every site. Raises Invalid for a cursor that no page gave.
    """
    return _sites(_mine(viewer), cursor, waiting=True)


def _sites(query: Select[Site], cursor: str | None, *, waiting: bool = False) -> Page[SiteState]:
    if cursor:
        [after] = decode(cursor, str)
        query = query.where(Site.code > after)
    sites = db.session.scalars(query.order_by(Site.code).limit(PAGE_SIZE + 1)).all()
    page = page_of(sites, PAGE_SIZE, lambda one: (one.code,))
    cabinets = db.session.scalars(
        select(Cabinet)
        .where(Cabinet.site_id.in_([site.id for site in page.items]))
        .order_by(Cabinet.code)
    ).all()
    by_site = defaultdict(list)
    for cabinet, state in zip(cabinets, _states(cabinets, waiting=waiting), strict=True):
        by_site[cabinet.site_id].append(state)
    return Page([_site(site, by_site[site.id]) for site in page.items], page.next_cursor)


def _site(site: Site, cabinets: list[CabinetState]) -> SiteState:
    return SiteState(site.code, site.kind, site.name_zh, site.name_en, site.city, cabinets)


def _states(cabinets: Sequence[Cabinet], *, waiting: bool) -> list[CabinetState]:
    ids = [cabinet.id for cabinet in cabinets]
    slots = slots_of(ids)
    differences, reports = (_differences(ids), _reports(ids)) if waiting else ({}, {})
    return [
        CabinetState(
            one.code,
            slots[one.id],
            one.last_seen_at,
            one.temperature_tenths,
            differences.get(one.id, 0),
            *reports.get(one.id, (0, 0)),
        )
        for one in cabinets
    ]


def _differences(cabinet_ids: Sequence[int]) -> dict[int, int]:
    rows = db.session.execute(
        select(StockDifference.cabinet_id, func.count())
        .where(StockDifference.cabinet_id.in_(cabinet_ids), StockDifference.explained_at.is_(None))
        .group_by(StockDifference.cabinet_id)
    )
    return {row[0]: row[1] for row in rows}


def _reports(cabinet_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return cabinet id → (conflicting reports, sequence numbers that never came)."""
    conflicts = (
        select(func.count())
        .where(DeviceReport.cabinet_id == Cabinet.id, DeviceReport.conflicting)
        .correlate(Cabinet)
        .scalar_subquery()
    )
    missing = (
        select(func.coalesce(func.sum(ReportGap.last - ReportGap.first + 1), 0))
        .where(ReportGap.cabinet_id == Cabinet.id)
        .correlate(Cabinet)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Cabinet.id, conflicts, missing).where(Cabinet.id.in_(cabinet_ids))
    )
    return {cabinet_id: (waiting, int(gone)) for cabinet_id, waiting, gone in rows}


def public_cabinet(code: str) -> tuple[SiteState, CabinetState]:
    """Return a cabinet and its site for whoever stands before it. Raises NotFound."""
    cabinet = found(
        db.session.scalar(
            select(Cabinet)
            .where(Cabinet.code == code)
            .options(joinedload(Cabinet.site, innerjoin=True))
        )
    )
    [state] = _states([cabinet], waiting=False)
    return _site(cabinet.site, [state]), state


def state_of(cabinet: Cabinet) -> CabinetState:
    """Return how a cabinet stands, with what waits; the caller checked who asks."""
    [state] = _states([cabinet], waiting=True)
    return state


def differences_of(cabinet_id: int) -> Sequence[StockDifference]:
    """Return a cabinet's differences with slots and reports: open ones first, then the newest.

    At most DIFFERENCES_SHOWN.
    """
    return db.session.scalars(
        select(StockDifference)
        .where(StockDifference.cabinet_id == cabinet_id)
        .options(joinedload(StockDifference.slot), joinedload(StockDifference.report))
        .order_by(StockDifference.explained_at.is_not(None), StockDifference.id.desc())
        .limit(DIFFERENCES_SHOWN)
    ).all()


def gaps_of(cabinet_id: int, most: int = GAPS_SHOWN) -> list[Gap]:
    """Return the first `most` gaps in what a device reported; its numbers begin with one."""
    before = Cabinet.counted_from
    rows = db.session.execute(
        select((ReportGap.first - before).label("first"), (ReportGap.last - before).label("last"))
        .join(Cabinet, ReportGap.cabinet_id == Cabinet.id)
        .where(ReportGap.cabinet_id == cabinet_id)
        .order_by(ReportGap.first)
        .limit(most)
    )
    return [Gap(row.first, row.last) for row in rows]


@dataclass(frozen=True, slots=True)
class ToRestock:
    """A cabinet with room: how much fits, of how much in all."""

    code: str
    name_zh: str
    name_en: str
    city: str
    room: int
    capacity: int


def to_restock(viewer: Viewer) -> list[ToRestock]:
    """Return the viewer's cabinets that have room, the emptiest first, at most TO_RESTOCK."""
    slots = select(
        Slot.cabinet_id,
        Slot.capacity,
        room_left().label("room"),
    ).subquery()
    room, capacity = func.sum(slots.c.room), func.sum(slots.c.capacity)
    sites = _mine(viewer).subquery()
    rows = db.session.execute(
        select(Cabinet.code, sites.c.name_zh, sites.c.name_en, sites.c.city, room, capacity)
        .join(slots, slots.c.cabinet_id == Cabinet.id)
        .join(sites, sites.c.id == Cabinet.site_id)
        .group_by(Cabinet.id, sites.c.name_zh, sites.c.name_en, sites.c.city)
        .having(room > 0)
        .order_by((room * 1000 / capacity).desc(), Cabinet.code)
        .limit(TO_RESTOCK)
    ).all()
    return [
        ToRestock(code, zh, en, city, int(free), int(whole))
        for code, zh, en, city, free, whole in rows
    ]


@dataclass(frozen=True, slots=True)
class DeskFigures:
    """Everything that the viewer runs, in four figures."""

    cabinets: int
    expected: int
    capacity: int
    open_differences: int


def desk_figures(viewer: Viewer) -> DeskFigures:
    """Return the figures over all of the viewer's cabinets, not only one page of them."""
    mine = (
        select(Cabinet.id)
        .join(Cabinet.site)
        .where(Site.id.in_(_mine(viewer).with_only_columns(Site.id)))
    )
    slots = (
        select(Slot.capacity, func.greatest(expected_units(), 0).label("left"))
        .where(Slot.cabinet_id.in_(mine))
        .subquery()
    )
    differences = select(func.count()).where(
        StockDifference.cabinet_id.in_(mine), StockDifference.explained_at.is_(None)
    )
    row = db.session.execute(
        select(
            select(func.count()).select_from(mine.subquery()).scalar_subquery(),
            select(func.coalesce(func.sum(slots.c.left), 0)).scalar_subquery(),
            select(func.coalesce(func.sum(slots.c.capacity), 0)).scalar_subquery(),
            differences.scalar_subquery(),
        )
    ).one()
    return DeskFigures(*(int(figure) for figure in row))


def operators() -> Sequence[Organisation]:
    """Return the organisations that run cabinets, by name."""
    return db.session.scalars(
        select(Organisation)
        .where(Organisation.kind == OrganisationKind.CABINET_OPERATOR)
        .order_by(Organisation.name_zh)
    ).all()
