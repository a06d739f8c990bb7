"""A broadcast's board: every figure of it, read again only when something was committed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import BigInteger, Select, Text, and_, bindparam, cast, func, or_, select, tuple_

from kernel import clock
from kernel.db import db
from kernel.files import StoredFile
from kernel.reads import Read
from livestream.model import Broadcast, BroadcastOffer, ReportedFigure
from orders.model import Order, OrderLine
from orders.queries.sales import paid_lines
from sellers.model import Lot, Offer, Product

FLOW_STEP_MIN = 5
FLOW_STEPS = 24
LATEST = 8
BOARDS_KEPT = 64
LINES_READ_A_SECOND = 2000
"""A broadcast of more lines is read again after a rest, of a second for so many of them."""


@dataclass(frozen=True)
class PinFigures:
    """One pinned offer on the board; units, and money in fen.

    Nothing is left of what its seller withdrew before the broadcast ended. `lot_left` is what
    its lot still has for every place, `may_add` by how much the quota may rise.
    """

    offer: str
    name_zh: str
    name_en: str
    unit_name: str
    unit_g: int
    category: str
    picture: str
    photo: str | None
    price_fen: int
    quota: int
    sold: int
    left: int
    lot_left: int
    may_add: int
    withdrawn: bool
    shown: bool
    paid_fen: int
    net_fen: int
    paid_units: int


class LatestLine(NamedTuple):
    """One of the latest paid lines on a board. No person."""

    at: datetime
    city: str
    name_zh: str
    name_en: str
    units: int
    unit_name: str


@dataclass(frozen=True)
class Board:
    """A broadcast's figures as of `as_of`: what was paid by then, later refunds included.

    `created_orders` counts all orders, `orders` the paid ones; `flow` is paid orders per five
    minutes, oldest first, its last step unfinished. `views` was reported by somebody. `etag` is
    a tag that changes only when a figure does (the time of asking does not count).
    """

    code: str
    live: bool
    as_of: datetime
    paid_fen: int
    refunded_fen: int
    net_fen: int
    settled_fen: int
    created_orders: int
    orders: int
    lines: int
    units: int
    buyers: int
    first_time_buyers: int
    views: int | None
    views_at: datetime | None
    views_by_zh: str
    views_by_en: str
    pins: tuple[PinFigures, ...]
    flow: tuple[tuple[datetime, int], ...]
    latest: tuple[LatestLine, ...]
    etag: str

    @property
    def shown(self) -> PinFigures | None:
        """The pinned offer that is before the viewers now."""
        return next((pin for pin in self.pins if pin.shown), None)


def board_of(broadcast: Broadcast) -> Board:
    """Return every figure of a broadcast, in six statements; in one while nothing changed.

    Figures that were read stay true until something is committed, anywhere in the database, or
    a step of the flow ends. So whoever asks every second costs little while nobody sells. And
    where thousands of lines were sold, they are not read again for every sale: see `_rests`.
    """
    now = clock.now()
    [[snapshot, started_at, ended_at]] = _MOMENT.rows(broadcast_id=broadcast.id)
    version = (snapshot, now.timestamp() // timedelta(minutes=FLOW_STEP_MIN).total_seconds())
    on_air = (started_at, ended_at)
    kept: dict[int, _Kept] = current_app.extensions.setdefault("boards", {})
    known = kept.get(broadcast.id)
    if known is not None and known.version == version:
        return replace(known.figures, as_of=now)
    if known is not None and known.on_air == on_air and _rests(known.figures, now):
        return known.figures
    figures = _figures(broadcast, started_at, ended_at, now)
    if len(kept) >= BOARDS_KEPT:
        kept.clear()
    kept[broadcast.id] = _Kept(version, on_air, figures)
    return figures


class _Kept(NamedTuple):
    """A board as it was read, and what tells whether it still holds."""

    version: tuple[str, float]
    on_air: tuple[datetime | None, datetime | None]
    figures: Board


def _rests(figures: Board, now: datetime) -> bool:
    """Tell whether it is too early to read a long board again; as of when, it says itself.

    All workers read it again when the same moment has passed, so that they tell nearly the same.
    """
    rest_s = figures.lines // LINES_READ_A_SECOND
    return rest_s > 0 and now.timestamp() // rest_s == figures.as_of.timestamp() // rest_s


def _figures(
    broadcast: Broadcast, started_at: datetime | None, ended_at: datetime | None, now: datetime
) -> Board:
    sums = _sums(broadcast.credit_source_id)
    views = db.session.scalar(_VIEWS, {"broadcast_id": broadcast.id})
    figures = Board(
        code=broadcast.code,
        live=started_at is not None and ended_at is None,
        as_of=now,
        net_fen=sums["paid_fen"] - sums["refunded_fen"],
        views=views.value if views else None,
        views_at=views.reported_at if views else None,
        views_by_zh=views.reporter_zh if views else "",
        views_by_en=views.reporter_en if views else "",
        pins=_pin_figures(broadcast, ended=ended_at is not None),
        flow=_flow(broadcast.credit_source_id, started_at, ended_at or now),
        latest=_latest(broadcast.credit_source_id),
        etag="",
        **sums,
    )
    told = [getattr(figures, one.name) for one in fields(figures) if one.name != "as_of"]
    return replace(figures, etag=hashlib.sha256(repr(told).encode()).hexdigest()[:32])


def _sums_of_a_source() -> Select[Any]:
    sold = paid_lines().where(OrderLine.credit_source_id == bindparam("source_id")).subquery()
    buyer = tuple_(sold.c.account_id, sold.c.visitor)
    earlier = select(Order.id).where(Order.paid_at < sold.c.paid_at, Order.id != sold.c.order_id)
    created = select(func.count(OrderLine.order_id.distinct())).where(
        OrderLine.credit_source_id == bindparam("source_id")
    )
    # An account or a guest: each has an index of its own, both at once would have none.
    before = or_(
        earlier.where(Order.account_id == sold.c.account_id).exists(),
        and_(
            sold.c.account_id.is_(None),
            earlier.where(Order.account_id.is_(None), Order.visitor == sold.c.visitor).exists(),
        ),
    )
    return select(
        func.coalesce(func.sum(sold.c.paid_fen), 0).label("paid_fen"),
        func.coalesce(func.sum(sold.c.refunded_fen), 0).label("refunded_fen"),
        func.coalesce(func.sum(sold.c.settled_fen), 0).label("settled_fen"),
        func.count(sold.c.order_id.distinct()).label("orders"),
        func.count(sold.c.line_id).label("lines"),
        func.coalesce(func.sum(sold.c.quantity), 0).label("units"),
        func.count(buyer.distinct()).label("buyers"),
        func.count(buyer.distinct()).filter(~before).label("first_time_buyers"),
        created.scalar_subquery().label("created_orders"),
    )


def _sums(source_id: int) -> dict[str, Any]:
    row = db.session.execute(_SUMS, {"source_id": source_id}).one()
    return {name: int(value) for name, value in row._mapping.items()}


def _pins_of_a_broadcast() -> Select[Any]:
    sold = (
        paid_lines()
        .join(BroadcastOffer, BroadcastOffer.offer_id == OrderLine.offer_id)
        .where(BroadcastOffer.broadcast_id == bindparam("broadcast_id"))
        .subquery()
    )
    paid = (
        select(
            sold.c.offer_id,
            func.sum(sold.c.paid_fen).label("paid_fen"),
            func.sum(sold.c.paid_fen - sold.c.refunded_fen).label("net_fen"),
            func.sum(sold.c.quantity).label("units"),
        )
        .group_by(sold.c.offer_id)
        .subquery()
    )
    return (
        select(BroadcastOffer, Offer, Lot, Product, StoredFile.public_id.label("photo"), paid)
        .join(Offer, BroadcastOffer.offer_id == Offer.id)
        .join(Lot, Offer.lot_id == Lot.id)
        .join(Product, Offer.product_id == Product.id)
        .outerjoin(StoredFile, Product.photo_id == StoredFile.id)
        .outerjoin(paid, paid.c.offer_id == Offer.id)
        .where(BroadcastOffer.broadcast_id == bindparam("broadcast_id"))
        .order_by(BroadcastOffer.position)
    )


def _left(offer: Offer, lot: Lot, *, withdrawn: bool) -> int:
    rest = (offer.quota or lot.offered) - offer.sold
    return 0 if withdrawn else max(0, min(lot.left, rest))


def _pin_figures(broadcast: Broadcast, *, ended: bool) -> tuple[PinFigures, ...]:
    rows = db.session.execute(_PINS, {"broadcast_id": broadcast.id}).all()
    shown = max(
        (r.BroadcastOffer.shown_at for r in rows if r.BroadcastOffer.shown_at), default=None
    )
    return tuple(
        PinFigures(
            offer=row.Offer.public_id,
            name_zh=row.Product.name_zh,
            name_en=row.Product.name_en,
            unit_name=row.Product.unit_name,
            unit_g=row.Product.unit_g,
            category=row.Product.category,
            picture=row.Product.picture,
            photo=row.photo,
            price_fen=row.Offer.price_fen,
            quota=row.Offer.quota or row.Lot.offered,
            sold=row.Offer.sold,
            left=_left(row.Offer, row.Lot, withdrawn=gone),
            lot_left=row.Lot.left,
            may_add=row.Offer.may_add,
            withdrawn=gone,
            shown=shown is not None and row.BroadcastOffer.shown_at == shown,
            paid_fen=int(row.paid_fen or 0),
            net_fen=int(row.net_fen or 0),
            paid_units=int(row.units or 0),
        )
        for row in rows
        # Its end withdraws what is pinned to a broadcast; before it, only the seller does.
        for gone in (row.Offer.withdrawn_at is not None and not ended,)
    )


def _flow(
    source_id: int, started_at: datetime | None, until: datetime
) -> tuple[tuple[datetime, int], ...]:
    """Count paid orders per five minutes, up to two hours back from `until`."""
    if started_at is None:
        return ()
    step = timedelta(minutes=FLOW_STEP_MIN)
    start = max(started_at, until - step * (FLOW_STEPS - 1))
    start = start.replace(
        minute=start.minute - start.minute % FLOW_STEP_MIN, second=0, microsecond=0
    )
    bucket = func.date_bin(step, Order.paid_at, start)
    rows = db.session.execute(
        select(bucket.label("at"), func.count(Order.id.distinct()))
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(
            OrderLine.credit_source_id == source_id,
            Order.paid_at >= start,
            Order.paid_at <= until,
        )
        .group_by(bucket)
    ).all()
    counted = {row[0]: int(row[1]) for row in rows}
    steps = int((until - start) / step) + 1
    return tuple((start + step * i, counted.get(start + step * i, 0)) for i in range(steps))


def _latest_of_a_source() -> Select[Any]:
    # The lines of this source first: else all orders are walked through, the newest first.
    lines = (
        select(OrderLine)
        .where(OrderLine.credit_source_id == bindparam("source_id"))
        .cte("lines")
        .prefix_with("MATERIALIZED")
    )
    return (
        select(
            Order.paid_at,
            Order.city,
            lines.c.name_zh,
            lines.c.name_en,
            lines.c.quantity,
            lines.c.unit_name,
        )
        .join(lines, lines.c.order_id == Order.id)
        .where(Order.paid_at.is_not(None))
        .order_by(Order.paid_at.desc(), lines.c.id.desc())
        .limit(LATEST)
    )


def _latest(source_id: int) -> tuple[LatestLine, ...]:
    rows: Sequence[Any] = db.session.execute(_LATEST, {"source_id": source_id}).all()
    return tuple(LatestLine(*row) for row in rows)


# Watchers ask every second: what is asked is put together once, and only the values differ.
_MOMENT = Read(
    # Two snapshots are the same only if nothing was committed between them.
    select(cast(func.pg_current_snapshot(), Text), Broadcast.started_at, Broadcast.ended_at).where(
        Broadcast.id == bindparam("broadcast_id", type_=BigInteger)
    )
)
_SUMS = _sums_of_a_source()
_PINS = _pins_of_a_broadcast()
_LATEST = _latest_of_a_source()
_VIEWS = (
    select(ReportedFigure)
    .where(ReportedFigure.broadcast_id == bindparam("broadcast_id"), ReportedFigure.name == "views")
    .order_by(ReportedFigure.reported_at.desc(), ReportedFigure.id.desc())
    .limit(1)
)
