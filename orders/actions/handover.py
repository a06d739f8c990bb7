"""Pack what was allocated, send it, and have its arrival signed for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from kernel import clock
from kernel.access import found
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound
from orders.lifecycle import move
from orders.model import (
    Consignment,
    ConsignmentLine,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    RoundOffer,
)

MAX_SIGNATURE = 20_000
MIN_STROKES = 3
_SIGNATURE = re.compile(r"M\d{1,4} \d{1,4}(?:[ML]\d{1,4} \d{1,4})*", re.ASCII)
"""An SVG path of absolute moves and lines with whole numbers, nothing else."""


def parse_signature(text: str) -> str:
    """Return the path of a signature. Raises Invalid for anything else, or an empty one."""
    path = text.strip()
    fits = len(path) <= MAX_SIGNATURE and _SIGNATURE.fullmatch(path)
    if not fits or path.count("L") < MIN_STROKES:
        raise Invalid(
            _l("还没有签名。用手指在框里签上名字。"),
            code="signature_unreadable",
            fields={"signature": _l("用手指在框里签上名字。")},
        )
    return path


def packable(seller_id: int) -> Select[OrderLine]:
    """Select a seller's paid lines with something to hand over that are in no consignment.

    Lines of a round wait for their allocation, others from the field for their harvest to begin.
    """
    return _to_hand(seller_id).where((OrderLine.allocated > 0) | ~_in_field())


def not_harvested(seller_id: int) -> Select[OrderLine]:
    """Select a seller's paid lines outside rounds whose harvest has not begun."""
    return _to_hand(seller_id).where(OrderLine.allocated.is_(None), _in_field())


def _in_field() -> ColumnElement[bool]:
    return func.coalesce(OrderLine.harvest_from > clock.today(), False)


def _to_hand(seller_id: int) -> Select[OrderLine]:
    packed = exists().where(ConsignmentLine.line_id == OrderLine.id)
    in_round = exists().where(RoundOffer.offer_id == OrderLine.offer_id)
    to_hand = (OrderLine.allocated > 0) | (OrderLine.allocated.is_(None) & ~in_round)
    return (
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .where(
            OrderLine.seller_id == seller_id,
            Order.state == OrderState.CONFIRMED,
            OrderLine.from_slot.is_(False),
            to_hand,
            ~packed,
        )
        .order_by(OrderLine.order_id, OrderLine.id)
    )


def pack(seller_id: int, group_order_id: int) -> Consignment:
    """Pack a seller's allocated and paid lines of a group order into one consignment.

    Whoever pays later is packed by a later call. Raises Conflict when there is nothing now, and
    NotFound for a group order in which nobody ordered of this seller.
    """
    return _pack(seller_id, Order.group_order_id == group_order_id, group_order_id, None)


def pack_order(seller_id: int, order_id: int) -> Consignment:
    """Pack a seller's lines of one order. Raises Conflict when there is nothing, or NotFound."""
    return _pack(seller_id, Order.id == order_id, None, order_id)


def _lines_of(seller_id: int) -> Select[int]:
    """Select a seller's lines, whatever became of them: what has none is no order of its."""
    lines = select(OrderLine.id).join(Order, OrderLine.order_id == Order.id)
    return lines.where(OrderLine.seller_id == seller_id)


def _pack(
    seller_id: int, which: ColumnElement[bool], group_order_id: int | None, order_id: int | None
) -> Consignment:
    with transaction() as session:
        # Two packers at once wait here, and a cancellation either came before or is refused.
        session.scalars(select(Order.id).where(which).order_by(Order.id).with_for_update()).all()
        lines = session.scalars(
            packable(seller_id).where(which).execution_options(populate_existing=True)
        ).all()
        if not lines:
            found(session.scalar(_lines_of(seller_id).where(which).limit(1)))
            raise Conflict(
                _l("现在没有可以装的货：还没采收、还没分配、还没付款，或者已经装好了。"),
                code="nothing_to_pack",
            )
        made = Consignment(seller_id=seller_id, group_order_id=group_order_id, order_id=order_id)
        made.lines = [ConsignmentLine(line_id=line.id, quantity=line.due_units) for line in lines]
        session.add(made)
        session.flush()
    return made


def send(consignment_id: int, carrier: str, waybill: str = "") -> Consignment:
    """Record that a consignment left with `carrier`. Raises Invalid and Conflict."""
    carrier, waybill = carrier.strip(), waybill.strip()
    if not carrier or len(carrier) > 40:
        raise Invalid(fields={"carrier": _l("写明谁来送，比如：自己送。")})
    if len(waybill) > 60 or not waybill.isprintable():
        raise Invalid(fields={"waybill": _l("运单号最多 60 个字符。")})
    with transaction() as session:
        sent = _lock(session, consignment_id)
        if sent.sent_at is not None:
            raise Conflict(_l("这一单已经发出了。"), code="already_sent")
        sent.carrier, sent.waybill, sent.sent_at = carrier, waybill, clock.now()
        facts = f"{carrier} {waybill}".strip()
        orders = select(OrderLine.order_id).join(ConsignmentLine).distinct()
        mine = orders.where(ConsignmentLine.consignment_id == sent.id)
        for order_id in session.scalars(mine.order_by(OrderLine.order_id)).all():
            session.add(OrderEvent(order_id=order_id, kind="sent", facts=facts))
    return sent


def sign(consignment_id: int, signature: str, *, account_id: int | None) -> Consignment:
    """Record the recipient's signature: its orders are handed over once all of them arrived.

    Raises Invalid for what is no signature, Conflict when it was not sent or is signed.
    """
    path = parse_signature(signature)
    with transaction() as session:
        signed = _lock(session, consignment_id)
        if signed.sent_at is None:
            raise Conflict(_l("供货方还没有发出这一单，收到后再签。"), code="not_sent")
        if signed.signed_at is not None:
            raise Conflict(_l("这一单已经签收了。"), code="already_signed")
        signed.signature = path
        _arrive(session, [signed], account_id)
    return signed


def receive(order_id: int, *, account_id: int | None) -> list[Consignment]:
    """Confirm that what was sent of one order has arrived, without a drawn signature.

    Raises Conflict when nothing of it is on its way.
    """
    with transaction() as session:
        arrived = list(
            session.scalars(
                select(Consignment)
                .where(
                    Consignment.order_id == order_id,
                    Consignment.sent_at.is_not(None),
                    Consignment.signed_at.is_(None),
                )
                .order_by(Consignment.id)
                .with_for_update()
            )
        )
        if not arrived:
            raise Conflict(
                _l("没有在路上的货：还没发出，或者已经收了。"), code="nothing_on_its_way"
            )
        _arrive(session, arrived, account_id)
    return arrived


def _lock(session: Session, consignment_id: int) -> Consignment:
    found = session.scalar(
        select(Consignment)
        .where(Consignment.id == consignment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound()
    return found


def _arrive(session: Session, arrived: list[Consignment], account_id: int | None) -> None:
    for consignment in arrived:
        consignment.signed_at, consignment.signed_by = clock.now(), account_id
    session.flush()
    ids = select(OrderLine.order_id).join(ConsignmentLine, ConsignmentLine.line_id == OrderLine.id)
    orders = session.scalars(
        select(Order)
        .where(
            Order.id.in_(ids.where(ConsignmentLine.consignment_id.in_([one.id for one in arrived])))
        )
        .order_by(Order.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    hand_over(session, orders)


def hand_over(session: Session, orders: Sequence[Order]) -> None:
    """Let those of `orders` be handed over of which nothing is still coming.

    The caller has locked them, and each has a line that was signed for.
    """
    still_coming = _still_coming(session, [order.id for order in orders])
    for order in orders:
        if order.id not in still_coming:
            order.handed_at = clock.now()
            move(order, OrderState.HANDED, "handed")


def _still_coming(session: Session, order_ids: list[int]) -> set[int]:
    """Return which of these orders have a line that is due and has not been signed for."""
    signed = exists().where(
        ConsignmentLine.line_id == OrderLine.id,
        ConsignmentLine.consignment_id == Consignment.id,
        Consignment.signed_at.is_not(None),
    )
    return set(
        session.scalars(
            select(OrderLine.order_id).where(
                OrderLine.order_id.in_(order_ids),
                (OrderLine.allocated.is_(None)) | (OrderLine.allocated > 0),
                ~signed,
            )
        )
    )
