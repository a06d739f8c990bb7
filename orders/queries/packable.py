"""What can be packed for each place, now or once it is harvested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import joinedload

from kernel.db import db, rows_by_id
from kernel.paging import Page, decode, page_of
from orders.model import GroupOrder, Order, OrderLine

PLACES_SHOWN = 100
"""Of so many places a page shows what can be packed for them."""


@dataclass(frozen=True)
class Goods:
    """So many sale units of one product."""

    name_zh: str
    name_en: str
    unit_name: str
    units: int


@dataclass(frozen=True)
class ToPack:
    """What of one group order, or of one order, can be packed, now or from `harvest_from` on."""

    group_order: GroupOrder | None
    order: Order | None
    lines: int
    units: int
    first_order_id: int
    harvest_from: date | None
    goods: Sequence[Goods]


def group_orders(ids: Iterable[int | None]) -> dict[int, GroupOrder]:
    """Return group orders by their keys, each with its round and unit; None asks for nothing."""
    return rows_by_id(GroupOrder, ids, joinedload(GroupOrder.round), joinedload(GroupOrder.unit))


def to_pack(packable: Select[OrderLine]) -> list[ToPack]:
    """Group the lines of `packable` by where they go, whose order is oldest first.

    At most PLACES_SHOWN places: what is packed makes room for the next.
    """
    return _to_pack(packable, most=PLACES_SHOWN)


def to_pack_page(
    packable: Select[OrderLine], *, cursor: str | None, page_size: int
) -> Page[ToPack]:
    """Return a page of `to_pack`. Raises Invalid."""
    after = int(decode(cursor, int)[0]) if cursor else 0
    rows = _to_pack(packable, after, most=page_size + 1)
    return page_of(rows, page_size, lambda one: (one.first_order_id,))


def _to_pack(packable: Select[OrderLine], after: int = 0, *, most: int) -> list[ToPack]:
    chosen = packable.order_by(None).subquery()
    rows = db.session.execute(
        select(
            Order.group_order_id,
            func.min(Order.id).label("order_id"),
            func.count(),
            func.sum(func.coalesce(chosen.c.allocated, chosen.c.quantity)),
            func.min(chosen.c.harvest_from),
        )
        .join(chosen, chosen.c.order_id == Order.id)
        # A group order is one place; every other order is a place of its own.
        .group_by(
            Order.group_order_id,
            func.coalesce(Order.group_order_id, -Order.id),
        )
        .having(func.min(Order.id) > after)
        .order_by(func.min(Order.id))
        .limit(most)
    ).all()
    groups = group_orders(row.group_order_id for row in rows)
    orders = rows_by_id(Order, (None if row.group_order_id else row.order_id for row in rows))
    goods = _goods_to_pack(packable.where(Order.group_order_id.in_(groups) | Order.id.in_(orders)))
    return [
        ToPack(
            groups[group_id] if group_id else None,
            None if group_id else orders[order_id],
            lines,
            int(units),
            order_id,
            harvest_from,
            goods[(group_id, None if group_id else order_id)],
        )
        for group_id, order_id, lines, units, harvest_from in rows
    ]


def _goods_to_pack(packable: Select[OrderLine]) -> dict[tuple[int | None, int | None], list[Goods]]:
    """Return what goes into each place's boxes: (group order, or else order) → its products."""
    chosen = packable.order_by(None).subquery()
    group_id, order_id = Order.group_order_id, case((Order.group_order_id.is_(None), Order.id))
    about = [chosen.c[name] for name in ("product_id", "name_zh", "name_en", "unit_name")]
    rows = db.session.execute(
        select(
            group_id,
            order_id,
            func.sum(func.coalesce(chosen.c.allocated, chosen.c.quantity)),
            *about[1:],
        )
        .join(chosen, chosen.c.order_id == Order.id)
        .group_by(group_id, order_id, *about)
        .order_by(chosen.c.product_id)
    )
    goods: dict[tuple[int | None, int | None], list[Goods]] = {}
    for group, order, units, name_zh, name_en, unit_name in rows:
        goods.setdefault((group, order), []).append(Goods(name_zh, name_en, unit_name, int(units)))
    return goods
