"""Reads of harvest notices: how far each item is, and an item with everything that belongs to it.

A list knows its items by sums: one item may have thousands of households' shares.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from kernel.access import Viewer, found
from kernel.db import db
from kernel.identity import Role
from kernel.paging import Page, decode, page_of
from orders.model import (
    AllocationRun,
    HarvestNotice,
    HouseholdQuota,
    NoticeItem,
    QuotaState,
    YieldEntry,
)
from orders.queries.keys import round_key
from sellers.model import Lot

PAGE_SIZE = 24
OPEN = (QuotaState.OFFERED, QuotaState.ACCEPTED)
"""States of shares whose yield can still come."""


class ItemState(enum.StrEnum):
    """How far a notice item is, derived from its facts."""

    TO_SPLIT = "to_split"
    WAITING = "waiting"
    IN_FIELD = "in_field"
    ENTERED = "entered"
    ALLOCATED = "allocated"


TURNS = (
    *(ItemState.ENTERED, ItemState.TO_SPLIT, ItemState.IN_FIELD, ItemState.WAITING),
    ItemState.ALLOCATED,
)
"""What waits for the seller comes before what waits for households, and what is done last."""


@dataclass(frozen=True)
class ItemHead:
    """A notice item and how far it is.

    `split_units` households were offered and have not declined, `unanswered` shares are without
    an answer, `awaited` ones without a yield; `yielded` units were entered so far, None: nothing.
    """

    item: NoticeItem
    run: AllocationRun | None
    split_units: int
    unanswered: int
    awaited: int
    yielded: int | None

    @property
    def to_split(self) -> int:
        """Units that nobody has been offered, or that were declined."""
        return self.item.quantity - self.split_units

    @property
    def short(self) -> int:
        """Units by which the yield falls short of the notice."""
        return max(0, self.item.quantity - (self.yielded or 0))

    @property
    def state(self) -> ItemState:
        """How far it is."""
        if self.run is not None:
            return ItemState.ALLOCATED
        if self.yielded is not None:
            return ItemState.IN_FIELD if self.awaited else ItemState.ENTERED
        if self.to_split:
            return ItemState.TO_SPLIT
        return ItemState.WAITING if self.unanswered else ItemState.IN_FIELD

    @property
    def turn(self) -> int:
        """Its place among others by what it waits for, 0 first."""
        return TURNS.index(self.state)


@dataclass(frozen=True)
class ItemView(ItemHead):
    """A notice item with all that belongs to it; `entries` are the yields by household."""

    entries: dict[int | None, YieldEntry]

    @property
    def quotas(self) -> list[HouseholdQuota]:
        """The households' shares, in the order in which they were offered."""
        return self.item.quotas


Item = TypeVar("Item", bound=ItemHead, covariant=True)


@dataclass(frozen=True)
class NoticeView(Generic[Item]):
    """A harvest notice with its items, in sums or whole."""

    notice: HarvestNotice
    items: Sequence[Item]


def _sees(who: Viewer, seller_id: int) -> bool:
    return who.has(Role.STAFF, Role.ADMIN) or who.belongs(seller_id, Role.CLERK)


def _scoped(who: Viewer) -> Select[HarvestNotice]:
    query = select(HarvestNotice).options(
        joinedload(HarvestNotice.round), joinedload(HarvestNotice.seller)
    )
    if who.has(Role.STAFF, Role.ADMIN):
        return query
    return query.where(HarvestNotice.seller_id.in_(who.organisations(Role.CLERK)))


def notices(who: Viewer, *, cursor: str | None) -> Page[NoticeView[ItemHead]]:
    """Return a page of the notices that `who` may see, newest first. Raises Invalid."""
    rows = _rows(_scoped(who), cursor, PAGE_SIZE)
    return page_of(_heads(rows), PAGE_SIZE, lambda one: (one.notice.id,))


def whole_notices(
    who: Viewer, round_public_id: str | None = None, *, cursor: str | None, page_size: int
) -> Page[NoticeView[ItemView]]:
    """Return a page of notices with all their shares and yields, of one round or of all.

    Newest first. Raises NotFound for no such round, Invalid for a wrong cursor.
    """
    query = _scoped(who)
    if round_public_id is not None:
        query = query.where(HarvestNotice.round_id == round_key(round_public_id))
    rows = _rows(query, cursor, page_size)
    return page_of(_whole(rows), page_size, lambda one: (one.notice.id,))


def _rows(
    query: Select[HarvestNotice], cursor: str | None, page_size: int
) -> Sequence[HarvestNotice]:
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(HarvestNotice.id < before)
    return db.session.scalars(query.order_by(HarvestNotice.id.desc()).limit(page_size + 1)).all()


def notice(public_id: str, who: Viewer) -> NoticeView[ItemHead]:
    """Return one notice. Raises NotFound for somebody else's."""
    row = db.session.scalar(_scoped(who).where(HarvestNotice.public_id == public_id))
    return _heads([found(row)])[0]


def item(public_id: str, who: Viewer) -> ItemView:
    """Return one notice item. Raises NotFound for somebody else's."""
    row = db.session.scalar(select(NoticeItem).where(NoticeItem.public_id == public_id))
    if row is None or not _sees(who, row.notice.seller_id):
        row = None
    return item_view(found(row))


def item_view(row: NoticeItem) -> ItemView:
    """Return an item with its shares, its yields and its allocation."""
    return _items([row], NoticeItem.id, [row.id])[0]


@dataclass(frozen=True)
class OwnShare:
    """What became of one household's share: its yield, and the item's allocation."""

    entry: YieldEntry | None
    run: AllocationRun | None


def own_share(quota: HouseholdQuota) -> OwnShare:
    """Return what became of one household's share, whatever thousands of others delivered."""
    own = YieldEntry.household_id == quota.household_id
    entry = select(YieldEntry).where(YieldEntry.item_id == quota.item_id, own)
    runs = _runs(AllocationRun.item_id, [quota.item_id])
    return OwnShare(db.session.scalar(entry), runs.get(quota.item_id))


def _heads(rows: Sequence[HarvestNotice]) -> list[NoticeView[ItemHead]]:
    """Show notices by the sums of their items."""
    ids = [row.id for row in rows]
    of_these = NoticeItem.notice_id.in_(ids)
    shares = {one.item_id: one for one in db.session.execute(_shares().where(of_these))}
    yields = {one.item_id: one for one in db.session.execute(_yields().where(of_these))}
    runs = _runs(NoticeItem.notice_id, ids)
    heads: dict[int, list[ItemHead]] = {one: [] for one in ids}
    for one in _rows_of_items(ids):
        shared, came = shares.get(one.id), yields.get(one.id)
        awaited = shared.awaited if shared and not (came and came.is_whole) else 0
        heads[one.notice_id].append(
            ItemHead(
                one,
                runs.get(one.id),
                int(shared.units or 0) if shared else 0,
                shared.unanswered if shared else 0,
                awaited,
                int(came.units) if came else None,
            )
        )
    return [NoticeView(row, heads[row.id]) for row in rows]


def _shares() -> Select[int, int | None, int, int]:
    state = HouseholdQuota.state
    kept = func.sum(HouseholdQuota.quantity).filter(state != QuotaState.DECLINED)
    return (
        select(
            HouseholdQuota.item_id,
            kept.label("units"),
            func.count().filter(state == QuotaState.OFFERED).label("unanswered"),
            func.count().filter(state.in_(OPEN)).label("awaited"),
        )
        .join(NoticeItem)
        .group_by(HouseholdQuota.item_id)
    )


def _yields() -> Select[int, int, bool]:
    units = func.sum(YieldEntry.quantity).label("units")
    whole = func.bool_or(YieldEntry.household_id.is_(None)).label("is_whole")
    return select(YieldEntry.item_id, units, whole).join(NoticeItem).group_by(YieldEntry.item_id)


def _rows_of_items(notice_ids: Sequence[int]) -> Sequence[NoticeItem]:
    return db.session.scalars(
        select(NoticeItem)
        .where(NoticeItem.notice_id.in_(notice_ids))
        .options(joinedload(NoticeItem.lot).joinedload(Lot.product))
        .order_by(NoticeItem.id)
    ).all()


def _whole(rows: Sequence[HarvestNotice]) -> list[NoticeView[ItemView]]:
    """Show notices with everything."""
    ids = [row.id for row in rows]
    items: dict[int, list[ItemView]] = {one: [] for one in ids}
    for view in _items(_rows_of_items(ids), NoticeItem.notice_id, ids):
        items[view.item.notice_id].append(view)
    return [NoticeView(row, items[row.id]) for row in rows]


Key = InstrumentedAttribute[int]


def _items(rows: Sequence[NoticeItem], by: Key, ids: Sequence[int]) -> list[ItemView]:
    """Show these items, which are those whose column `by` is one of `ids`, with everything."""
    quotas: dict[int, list[HouseholdQuota]] = {}
    for quota in db.session.scalars(
        select(HouseholdQuota)
        .join(NoticeItem)
        .where(by.in_(ids))
        .options(joinedload(HouseholdQuota.household))
        .order_by(HouseholdQuota.id)
    ):
        quotas.setdefault(quota.item_id, []).append(quota)
    entries: dict[int, dict[int | None, YieldEntry]] = {}
    for entry in db.session.scalars(select(YieldEntry).join(NoticeItem).where(by.in_(ids))):
        entries.setdefault(entry.item_id, {})[entry.household_id] = entry
    for row in rows:
        set_committed_value(row, "quotas", quotas.get(row.id, []))
    runs = _runs(by, ids)
    return [_view(row, entries.get(row.id, {}), runs.get(row.id)) for row in rows]


def _runs(by: Key, ids: Sequence[int]) -> dict[int, AllocationRun]:
    runs = db.session.scalars(select(AllocationRun).join(NoticeItem).where(by.in_(ids)))
    return {run.item_id: run for run in runs}


def _view(
    row: NoticeItem, entries: dict[int | None, YieldEntry], run: AllocationRun | None
) -> ItemView:
    quotas = row.quotas
    return ItemView(
        row,
        run,
        sum(one.quantity for one in quotas if one.state != QuotaState.DECLINED),
        sum(one.state == QuotaState.OFFERED for one in quotas),
        0 if None in entries else sum(one.state in OPEN for one in quotas),
        sum(one.quantity for one in entries.values()) if entries else None,
        entries,
    )
