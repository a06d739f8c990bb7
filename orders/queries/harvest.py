"""Reads from the harvest notice to the allocation, scoped to who asks."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, decode, page_of
from orders.allocation import divide
from orders.model import (
    AllocationRun,
    BuyingUnit,
    GroupOrder,
    HarvestNotice,
    HouseholdQuota,
    NoticeItem,
    Order,
    OrderLine,
    OrderState,
    QuotaState,
    RoundOffer,
    YieldEntry,
)
from orders.queries.keys import round_key
from sellers.model import Household, Lot
from sellers.queries.workspace import cares_for, in_care_of

PAGE_SIZE = 24
WAITING = (OrderState.DUE, OrderState.CONFIRMED)
"""States of orders that take part in an allocation: still payable, paid, or owed by a unit."""


class ItemState(enum.StrEnum):
    """How far a notice item is, derived from its facts."""

    TO_SPLIT = "to_split"
    WAITING = "waiting"
    IN_FIELD = "in_field"
    ENTERED = "entered"
    ALLOCATED = "allocated"


@dataclass(frozen=True)
class ItemView:
    """A notice item with all that belongs to it."""

    item: NoticeItem
    entries: dict[int | None, YieldEntry]
    run: AllocationRun | None

    @property
    def quotas(self) -> list[HouseholdQuota]:
        """The households' shares, in the order in which they were offered."""
        return self.item.quotas

    @property
    def split_units(self) -> int:
        """Units that households were offered and have not declined."""
        return sum(q.quantity for q in self.quotas if q.state != QuotaState.DECLINED)

    @property
    def to_split(self) -> int:
        """Units that nobody has been offered, or that were declined."""
        return self.item.quantity - self.split_units

    @property
    def yielded(self) -> int | None:
        """Units entered so far; None when nothing was."""
        return sum(e.quantity for e in self.entries.values()) if self.entries else None

    @property
    def short(self) -> int:
        """Units by which the yield falls short of the notice."""
        return max(0, self.item.quantity - (self.yielded or 0))

    @property
    def awaited(self) -> list[HouseholdQuota]:
        """Shares whose yield has not been entered yet."""
        open_states = (QuotaState.OFFERED, QuotaState.ACCEPTED)
        whole = None in self.entries
        return [] if whole else [q for q in self.quotas if q.state in open_states]

    @property
    def state(self) -> ItemState:
        """How far it is."""
        if self.run is not None:
            return ItemState.ALLOCATED
        if self.entries and not self.awaited:
            return ItemState.ENTERED
        if self.entries or (not self.to_split and not self._unanswered):
            return ItemState.IN_FIELD
        return ItemState.TO_SPLIT if self.to_split else ItemState.WAITING

    @property
    def _unanswered(self) -> bool:
        return any(q.state == QuotaState.OFFERED for q in self.quotas)


@dataclass(frozen=True)
class NoticeView:
    """A harvest notice with its items."""

    notice: HarvestNotice
    items: list[ItemView]


def _sees(who: Viewer, seller_id: int) -> bool:
    return who.has(Role.STAFF, Role.ADMIN) or who.belongs(seller_id, Role.CLERK)


def _scoped(who: Viewer) -> Select[HarvestNotice]:
    query = select(HarvestNotice).options(
        selectinload(HarvestNotice.round),
        selectinload(HarvestNotice.items).options(
            selectinload(NoticeItem.lot).selectinload(Lot.product),
            selectinload(NoticeItem.quotas).selectinload(HouseholdQuota.household),
        ),
    )
    if who.has(Role.STAFF, Role.ADMIN):
        return query
    return query.where(HarvestNotice.seller_id.in_(who.organisations(Role.CLERK)))


def notices(
    who: Viewer,
    round_public_id: str | None = None,
    *,
    cursor: str | None,
    page_size: int = PAGE_SIZE,
) -> Page[NoticeView]:
    """Return a page of the notices that `who` may see, of one round or of all, newest first.

    Raises NotFound for no such round, Invalid for a wrong cursor.
    """
    query = _scoped(who).options(joinedload(HarvestNotice.seller))
    if round_public_id is not None:
        query = query.where(HarvestNotice.round_id == round_key(round_public_id))
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(HarvestNotice.id < before)
    rows = db.session.scalars(query.order_by(HarvestNotice.id.desc()).limit(page_size + 1)).all()
    return page_of(_views(rows), page_size, lambda one: (one.notice.id,))


def notice(public_id: str, who: Viewer) -> NoticeView:
    """Return one notice. Raises NotFound for somebody else's."""
    row = db.session.scalar(_scoped(who).where(HarvestNotice.public_id == public_id))
    return _views([found(row)])[0]


def item(public_id: str, who: Viewer) -> ItemView:
    """Return one notice item. Raises NotFound for somebody else's."""
    row = db.session.scalar(select(NoticeItem).where(NoticeItem.public_id == public_id))
    if row is None or not _sees(who, row.notice.seller_id):
        row = None
    return item_view(found(row))


def item_view(row: NoticeItem) -> ItemView:
    """Return an item with its yields and its allocation."""
    entries = db.session.scalars(select(YieldEntry).where(YieldEntry.item_id == row.id))
    run = db.session.scalar(select(AllocationRun).where(AllocationRun.item_id == row.id))
    return ItemView(row, {one.household_id: one for one in entries}, run)


def _views(rows: Sequence[HarvestNotice]) -> list[NoticeView]:
    ids = [one.id for row in rows for one in row.items]
    entries: dict[int, dict[int | None, YieldEntry]] = {}
    for entry in db.session.scalars(select(YieldEntry).where(YieldEntry.item_id.in_(ids))):
        entries.setdefault(entry.item_id, {})[entry.household_id] = entry
    found_runs = db.session.scalars(select(AllocationRun).where(AllocationRun.item_id.in_(ids)))
    runs = {run.item_id: run for run in found_runs}
    return [
        NoticeView(
            row, [ItemView(one, entries.get(one.id, {}), runs.get(one.id)) for one in row.items]
        )
        for row in rows
    ]


def quota(public_id: str) -> HouseholdQuota:
    """Return one household's share. Raises NotFound."""
    return found(
        db.session.scalar(select(HouseholdQuota).where(HouseholdQuota.public_id == public_id))
    )


def quotas_of_steward(who: Viewer, most: int = 100) -> list[HouseholdQuota]:
    """Return the shares of the households for which a steward acts, newest first."""
    return list(
        db.session.scalars(
            select(HouseholdQuota)
            .join(HouseholdQuota.household)
            .options(
                contains_eager(HouseholdQuota.household),
                joinedload(HouseholdQuota.item).joinedload(NoticeItem.lot).joinedload(Lot.product),
            )
            .where(in_care_of(who))
            .order_by(HouseholdQuota.id.desc())
            .limit(most)
        )
    )


def next_task(done: HouseholdQuota, steward: Viewer | None) -> HouseholdQuota | None:
    """Return what the household has to do next, the oldest first; None when nothing waits.

    For a steward, of any of the households for which they act.
    """
    own = HouseholdQuota.household_id == done.household_id
    return db.session.scalar(
        select(HouseholdQuota)
        .join(HouseholdQuota.household)
        .outerjoin(AllocationRun, AllocationRun.item_id == HouseholdQuota.item_id)
        .options(
            contains_eager(HouseholdQuota.household),
            joinedload(HouseholdQuota.item).joinedload(NoticeItem.lot).joinedload(Lot.product),
        )
        .where(
            own if steward is None else in_care_of(steward),
            HouseholdQuota.id != done.id,
            HouseholdQuota.state.in_((QuotaState.OFFERED, QuotaState.ACCEPTED)),
            AllocationRun.id.is_(None),
        )
        .order_by(HouseholdQuota.id)
        .limit(1)
    )


def any_item(public_id: str) -> NoticeItem | None:
    """Return an item whoever asks; the caller checks for whom they act."""
    return db.session.scalar(select(NoticeItem).where(NoticeItem.public_id == public_id))


@dataclass(frozen=True)
class Acting:
    """As whom somebody acts for a household: its steward (by proxy), or the seller's clerk."""

    by_proxy: bool


def acting_for(household: Household, who: Viewer) -> Acting | None:
    """Return as whom `who` acts for a household; None when they may not."""
    if cares_for(who, household):
        return Acting(by_proxy=True)
    return Acting(by_proxy=False) if who.belongs(household.seller_id, Role.CLERK) else None


def households(seller_id: int) -> list[Household]:
    """Return a seller's households by number."""
    return list(
        db.session.scalars(
            select(Household).where(Household.seller_id == seller_id).order_by(Household.number)
        )
    )


def lines_for(row: NoticeItem, states: Collection[OrderState] = WAITING) -> Select[OrderLine]:
    """Select the lines that an item's yield is for, oldest order first."""
    return (
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .join(RoundOffer, RoundOffer.offer_id == OrderLine.offer_id)
        .join(HarvestNotice, HarvestNotice.round_id == RoundOffer.round_id)
        .where(
            HarvestNotice.id == row.notice_id,
            OrderLine.lot_id == row.lot_id,
            Order.state.in_(states),
        )
        .order_by(Order.placed_at, OrderLine.id)
    )


@dataclass
class PreviewRow:
    """What one buying unit (None: single buyers) ordered of an item, and would get."""

    unit: BuyingUnit | None
    lines: int = 0
    ordered: int = 0
    gets: int = 0


@dataclass(frozen=True)
class Preview:
    """Who would get how much, unit by unit, before it is done."""

    rows: list[PreviewRow]
    ordered: int
    gets: int
    left_over: int
    short_amount: Money
    code: str
    """What stands for exactly this division: whoever was shown it, does this one or none."""


def code_of(yielded: int, lines: Sequence[OrderLine], given: Sequence[int]) -> str:
    """Return the code of the division that gives the `lines` so many units of a yield each."""
    parts = [
        (line.id, line.price_fen, line.quantity, units)
        for line, units in zip(lines, given, strict=True)
    ]
    return hashlib.sha256(repr((yielded, parts)).encode()).hexdigest()[:20]


def preview(view: ItemView, policy: str = "pro_rata") -> Preview:
    """Return what `policy` would do with the yield entered so far. It changes nothing."""
    lines = db.session.scalars(lines_for(view.item).options(selectinload(OrderLine.order))).all()
    given = divide(policy, view.yielded or 0, [line.needed for line in lines])
    groups = db.session.scalars(
        select(GroupOrder)
        .where(GroupOrder.id.in_({line.order.group_order_id for line in lines}))
        .options(joinedload(GroupOrder.unit))
    )
    units_by_group: dict[int | None, BuyingUnit] = {one.id: one.unit for one in groups}
    rows: dict[int | None, PreviewRow] = {}
    for line, units in zip(lines, given, strict=True):
        unit = units_by_group.get(line.order.group_order_id)
        row = rows.setdefault(unit.id if unit else None, PreviewRow(unit))
        row.lines, row.ordered, row.gets = (
            row.lines + 1,
            row.ordered + line.quantity,
            row.gets + units,
        )
    missing = sum(
        line.price_fen * (line.quantity - units) for line, units in zip(lines, given, strict=True)
    )
    return Preview(
        list(rows.values()),
        sum(line.quantity for line in lines),
        sum(given),
        (view.yielded or 0) - sum(given),
        Money(missing),
        code_of(view.yielded or 0, lines, given),
    )


def price_per_unit(row: NoticeItem) -> Money:
    """Return what one unit of an item brings on average, in fen rounded down."""
    lines = db.session.scalars(lines_for(row)).all()
    units = sum(line.quantity for line in lines)
    return Money(sum(line.amount_fen for line in lines) // units if units else 0)
