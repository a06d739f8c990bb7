"""Reads about consignments: what to pack, packing lists, what somebody must sign."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, case, func, select, tuple_
from sqlalchemy.orm import selectinload, undefer

from kernel.access import Viewer, found
from kernel.db import db, rows_by_id
from kernel.errors import Conflict
from kernel.identity import Account, Membership, Role
from kernel.paging import Page, decode, page_of
from orders.model import (
    BuyingUnit,
    Consignment,
    ConsignmentLine,
    GroupOrder,
    Order,
    OrderLine,
    Round,
)
from orders.placing import Recipient
from orders.queries.mine import is_own, read_recipient
from orders.queries.packable import Goods, group_orders
from sellers.model import Seller

PAGE_SIZE = 50


@dataclass(frozen=True)
class ConsignmentView:
    """A consignment with what its pages show; `is_addressed`: also where one buyer lives.

    `goods` are its sums by product, where it stands in a list of many.
    """

    consignment: Consignment
    seller: Seller
    group_order: GroupOrder | None
    order: Order | None
    is_addressed: bool = True
    goods: Sequence[Goods] = ()

    @property
    def round(self) -> Round | None:
        """The round it belongs to, if any."""
        return self.group_order.round if self.group_order else None

    @property
    def unit(self) -> BuyingUnit | None:
        """The buying unit it goes to, if any."""
        return self.group_order.unit if self.group_order else None

    @property
    def recipient(self) -> Recipient | None:
        """Where one buyer's goods go; nobody needs it any more once they were received."""
        if self.order is None or self.consignment.signed_at is not None or not self.is_addressed:
            return None
        return read_recipient(self.order.recipient)

    @property
    def totals(self) -> list[tuple[OrderLine, int]]:
        """Units by product, as a line that shows its name and unit."""
        sums: dict[int, int] = {}
        shown: dict[int, OrderLine] = {}
        for one in self.consignment.lines:
            shown.setdefault(one.line.product_id, one.line)
            sums[one.line.product_id] = sums.get(one.line.product_id, 0) + one.quantity
        return [(shown[product_id], units) for product_id, units in sums.items()]


def may_send(consignment: Consignment, who: Viewer) -> bool:
    """Tell whether `who` handles the consignment on the seller's side."""
    return who.has(Role.STAFF) or who.belongs(consignment.seller_id, Role.CLERK)


def may_sign(view: ConsignmentView, who: Viewer) -> bool:
    """Tell whether `who` may sign: the unit's coordinator, or the buyer of the one order."""
    if view.group_order is not None:
        return who.belongs(view.group_order.unit_id, Role.COORDINATOR)
    bought = view.order is not None and view.order.account_id is not None
    return bought and view.order is not None and view.order.account_id == who.account_id


def _hides_address(view: ConsignmentView, who: Viewer) -> bool:
    """Tell whether it has an address on it that is kept from `who`: all but packers and the buyer.

    Staff look at it on the order's page, for a reason that is remembered.
    """
    works_with_it = who.belongs(view.consignment.seller_id, Role.CLERK) or may_sign(view, who)
    return view.order is not None and view.consignment.signed_at is None and not works_with_it


def receivable(number: str, who: Viewer) -> Order:
    """Return an order whose arrival `who` may confirm: its buyer, or staff. Raises NotFound."""
    order = db.session.scalar(select(Order).where(Order.number == number))
    mine = order is not None and (who.has(Role.STAFF) or is_own(order, who))
    return found(order if mine else None)


_WITH_LINES = (
    selectinload(Consignment.lines)
    .joinedload(ConsignmentLine.line)
    .joinedload(OrderLine.order)
    # A page that shows where a parcel goes reads every address at once.
    .undefer(Order.recipient)
)


def consignment(public_id: str, who: Viewer) -> ConsignmentView:
    """Return one consignment that `who` sends, signs or oversees. Raises NotFound."""
    view = _within_reach(packed(public_id), who)
    return replace(view, is_addressed=not _hides_address(view, who))


def heading(public_id: str, who: Viewer) -> ConsignmentView:
    """Return the same as `consignment`, its lines unread: there may be thousands.

    Raises Conflict while an address stands on it that `who` sees only where it is remembered.
    """
    row = found(db.session.scalar(select(Consignment).where(Consignment.public_id == public_id)))
    seller = db.session.get_one(Seller, row.seller_id)
    group = group_orders([row.group_order_id]).get(row.group_order_id or 0)
    order = db.session.get(Order, row.order_id) if row.order_id else None
    view = _within_reach(ConsignmentView(row, seller, group, order), who)
    if _hides_address(view, who):
        raise Conflict(
            _l("这张装箱单上有收货人和地址。到订单页写明原因再看。"), code="address_on_it"
        )
    return view


def _within_reach(view: ConsignmentView, who: Viewer) -> ConsignmentView:
    return found(view if may_send(view.consignment, who) or may_sign(view, who) else None)


def packed(public_id: str) -> ConsignmentView:
    """Return one consignment, whoever asks: for the worker, which nobody asks. Raises NotFound."""
    row = db.session.scalar(
        select(Consignment).where(Consignment.public_id == public_id).options(_WITH_LINES)
    )
    [view] = _seen([found(row)])
    return view


def _seen(rows: Sequence[Consignment]) -> list[ConsignmentView]:
    """Show consignments whose lines were read."""
    return _shown(rows, {row.order_id: row.lines[0].line.order for row in rows if row.order_id}, {})


def _shown(
    rows: Sequence[Consignment],
    orders: Mapping[int, Order],
    goods: Mapping[int, Sequence[Goods]],
) -> list[ConsignmentView]:
    sellers = rows_by_id(Seller, (row.seller_id for row in rows))
    groups = group_orders(row.group_order_id for row in rows)
    return [
        ConsignmentView(
            row,
            sellers[row.seller_id],
            groups[row.group_order_id] if row.group_order_id else None,
            orders[row.order_id] if row.order_id else None,
            goods=goods.get(row.id, ()),
        )
        for row in rows
    ]


def of_seller(seller_id: int, cursor: str | None = None) -> Page[ConsignmentView]:
    """Return a page of a seller's consignments as `_waiting_first` orders them. Raises Invalid."""
    return _waiting_first(_of_seller(seller_id), cursor)


def page_of_seller(seller_id: int, *, cursor: str | None, page_size: int) -> Page[ConsignmentView]:
    """Return a page of a seller's consignments, newest first. Raises Invalid."""
    return _page(_of_seller(seller_id), cursor, page_size)


def of_order(order_id: int) -> list[ConsignmentView]:
    """Return all of one buyer's consignments of an order, newest first: each has a line of it."""
    return _views(select(Consignment).where(Consignment.order_id == order_id))


def of_units(unit_ids: list[int], cursor: str | None = None) -> Page[ConsignmentView]:
    """Return a page of what goes to these units as `_waiting_first` orders it. Raises Invalid."""
    return _waiting_first(_of_units(unit_ids), cursor)


def page_of_units(
    unit_ids: list[int], *, cursor: str | None, page_size: int
) -> Page[ConsignmentView]:
    """Return a page of what goes to these buying units, newest first. Raises Invalid."""
    return _page(_of_units(unit_ids), cursor, page_size)


def _of_seller(seller_id: int) -> Select[Consignment]:
    return select(Consignment).where(Consignment.seller_id == seller_id)


def _of_units(unit_ids: list[int]) -> Select[Consignment]:
    groups = select(GroupOrder.id).where(GroupOrder.unit_id.in_(unit_ids))
    return select(Consignment).where(Consignment.group_order_id.in_(groups))


def _waiting_first(query: Select[Consignment], cursor: str | None) -> Page[ConsignmentView]:
    """Return a page: what has not left first, then what is not signed for, the newest first.

    However old one is, it is found until it is signed for.
    """
    waits = case((Consignment.sent_at.is_(None), 3), (Consignment.signed_at.is_(None), 2), else_=1)
    if cursor:
        query = query.where(tuple_(waits, Consignment.id) < tuple_(*decode(cursor, int, int)))
    rows = _listed(query.order_by(waits.desc()).limit(PAGE_SIZE + 1))
    return page_of(rows, PAGE_SIZE, lambda one: _place(one.consignment))


def _place(one: Consignment) -> tuple[int, int]:
    """Return where it stands among the others."""
    return 3 if one.sent_at is None else 2 if one.signed_at is None else 1, one.id


def _page(query: Select[Consignment], cursor: str | None, page_size: int) -> Page[ConsignmentView]:
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(Consignment.id < before)
    rows = _views(query.limit(page_size + 1))
    return page_of(rows, page_size, lambda one: (one.consignment.id,))


def _listed(query: Select[Consignment]) -> list[ConsignmentView]:
    """Read consignments without their lines, of which each may have hundreds."""
    rows = db.session.scalars(query.order_by(Consignment.id.desc())).all()
    orders = rows_by_id(Order, (row.order_id for row in rows), undefer(Order.recipient))
    return _shown(rows, orders, _goods_in([row.id for row in rows]))


def _goods_in(consignment_ids: Sequence[int]) -> dict[int, list[Goods]]:
    """Return how much of each product is in each of these consignments, as it was packed."""
    about = (OrderLine.name_zh, OrderLine.name_en, OrderLine.unit_name)
    rows = db.session.execute(
        select(ConsignmentLine.consignment_id, *about, func.sum(ConsignmentLine.quantity))
        .join(OrderLine, OrderLine.id == ConsignmentLine.line_id)
        .where(ConsignmentLine.consignment_id.in_(consignment_ids))
        .group_by(ConsignmentLine.consignment_id, OrderLine.product_id, *about)
        .order_by(ConsignmentLine.consignment_id, func.min(ConsignmentLine.id))
    )
    goods: dict[int, list[Goods]] = {}
    for consignment_id, name_zh, name_en, unit_name, units in rows:
        goods.setdefault(consignment_id, []).append(Goods(name_zh, name_en, unit_name, int(units)))
    return goods


def _views(query: Select[Consignment]) -> list[ConsignmentView]:
    rows = db.session.scalars(query.options(_WITH_LINES).order_by(Consignment.id.desc()))
    return _seen(rows.all())


def lines_with_shortage(view: ConsignmentView) -> list[OrderLine]:
    """Return its lines, and those of the same place and seller that got nothing of the harvest.

    What got nothing is packed in no consignment, yet whoever signs must hear of it.
    """
    packed, kept = [one.line for one in view.consignment.lines], view.consignment
    same = Order.group_order_id == kept.group_order_id if kept.group_order_id else None
    nothing = (
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .where(
            Order.id == kept.order_id if same is None else same,
            OrderLine.seller_id == kept.seller_id,
            OrderLine.allocated == 0,
        )
        .order_by(OrderLine.id)
    )
    return [*packed, *db.session.scalars(nothing)]


def recipients(view: ConsignmentView) -> dict[int, str]:
    """Return who gets each order of a consignment: department and staff number, never a name."""
    names: dict[int, str] = {}
    for order_id, number, department, staff_number in db.session.execute(_recipients(view)):
        known = f"{department or ''} {staff_number or ''}".strip()
        names[order_id] = names.get(order_id) or known
        names[order_id] = names[order_id] or f"{number[:5]}…"
    return names


def _recipients(view: ConsignmentView) -> Select[int, str, str | None, str | None]:
    unit_id = view.group_order.unit_id if view.group_order else None
    in_it = (
        select(OrderLine.order_id)
        .join(ConsignmentLine, ConsignmentLine.line_id == OrderLine.id)
        .where(ConsignmentLine.consignment_id == view.consignment.id)
    )
    return (
        select(Order.id, Order.number, Membership.department, Membership.staff_number)
        .outerjoin(Account, Order.account_id == Account.id)
        .outerjoin(
            Membership,
            (Membership.account_id == Account.id) & (Membership.organisation_id == unit_id),
        )
        .where(Order.id.in_(in_it))
    )


def version(view: ConsignmentView) -> str:
    """Return what tells this state of a packing list from any other: a PDF shows one of them.

    What lines say is frozen; whatever else the list shows is in here. One statement, also for
    thousands of lines.
    """
    who = _recipients(view).subquery()
    hashed = func.hashtextextended(func.concat_ws("|", *who.c), 0)
    kept, names = view.consignment, []
    for one in (view.seller, view.unit):
        names += [one.name_zh, one.name_en] if one else []
    if view.round:
        names += [view.round.title_zh, view.round.title_en, view.round.handover_place]
        names.append(view.round.handover_on.isoformat())
    facts = (
        db.session.scalar(select(func.sum(hashed))),
        *(kept.packed_at, kept.sent_at, kept.signed_at),
        *(kept.carrier, kept.waybill, kept.signature, *names),
    )
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()
