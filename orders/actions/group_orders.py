"""A buying unit's order in a round: opened once, joined by its people, filled by their needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from kernel import clock
from kernel.access import found
from kernel.db import public_code, transaction
from kernel.errors import Conflict, Denied, Invalid, NotFound, OfferClosed
from kernel.identity import Membership, MembershipState, Role
from kernel.money import Money
from kernel.quantity import MAX_UNITS
from orders import allocation
from orders.lifecycle import move
from orders.model import (
    GroupOrder,
    GroupOrderState,
    Order,
    OrderEvent,
    OrderLine,
    OrderState,
    PaymentMethod,
    PayMode,
    Round,
    RoundLeg,
    RoundOffer,
)
from orders.payments.terms import NEEDS_MAXIMUM_FEN, check_amount, check_payable
from orders.placing import Buyer, Credited, check_lines, order_number, place
from sellers import supply
from sellers.model import Offer
from sellers.supply import GivenBack


class RoundClosed(Conflict):
    """The round is not open: not yet, or its hour has come."""

    code = "round_closed"
    message = _l("这一期现在不能登记：还没开始，或者已经截单。看看下一期。")


class GroupOrderClosed(Conflict):
    """The coordinator closed it, or the clock did."""

    code = "group_order_closed"
    message = _l("本单位的集体订购已经关单，需求不能再改。有急事请找本单位联系人。")


class NotAMember(Denied):
    """The account is not (or not yet) an approved member of the buying unit."""

    code = "not_a_member"
    message = _l("联系人确认你是本单位员工之后，才能登记。")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a member has registered: the order's number (None: nothing), its sum, its units."""

    number: str | None
    total: Money
    units: Mapping[int, int]


def open_group_order(account_id: int, unit_id: int, round_id: int, pay_mode: PayMode) -> GroupOrder:
    """Open the unit's one group order in a round and return it.

    Raises NotFound for an unknown round, RoundClosed outside its hours, and Conflict
    (`group_order_exists`, with its id) when the unit already has one.
    """
    with transaction() as session:
        planned = found(session.get(Round, round_id))
        if not planned.is_open(clock.now()):
            raise RoundClosed()
        made = session.scalar(
            insert(GroupOrder)
            .values(
                public_id=public_code(),
                round_id=round_id,
                unit_id=unit_id,
                join_code=public_code(10),
                pay_mode=pay_mode,
                state=GroupOrderState.OPEN,
                opened_by=account_id,
                opened_at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["round_id", "unit_id"])
            .returning(GroupOrder.id)
        )
        kept = session.scalars(
            select(GroupOrder).where(GroupOrder.round_id == round_id, GroupOrder.unit_id == unit_id)
        ).one()
        if made is None:
            raise Conflict(
                _l("本单位在这一期已经开了集体订购，直接去看就行。"),
                code="group_order_exists",
                group_order_id=kept.public_id,
            )
    return kept


def set_needs(group_order_id: int, account_id: int, wanted: Mapping[int, int]) -> Needs:
    """Make `wanted` (offer id → whole units) all that this member needs; empty cancels.

    The whole change is one transaction: what was promised before is given back and the new
    units are promised, or nothing changes at all. The same needs again change nothing.
    Raises NotFound for an offer outside the round, NotAMember, GroupOrderClosed or
    RoundClosed (from the very second of the cut-off), OfferClosed when a seller's own
    cut-off has passed, Invalid, and what `orders.placing.place` raises.
    """
    if any(not 0 <= units <= MAX_UNITS for units in wanted.values()):
        raise Invalid(_l("数量填 0 到 10,000,000 的整数。"), code="quantity_invalid")
    wanted = {offer_id: units for offer_id, units in wanted.items() if units}
    with transaction() as session:
        group = _open_for_needs(session, group_order_id)
        _lock_member(session, group.unit_id, account_id)
        at = clock.now()
        if not group.round.is_open(at):
            raise RoundClosed()
        cutoffs = _cutoffs(session, group.round_id)
        if not set(wanted) <= set(cutoffs):
            raise NotFound()
        order = _need_of(session, group.id, account_id)
        held = {line.offer_id: line.quantity for line in order.lines} if order else {}
        if wanted == held:
            return _as_needs(order)
        frozen = {offer_id for offer_id, cutoff in cutoffs.items() if cutoff <= at}
        _refuse_late(frozen, wanted, held)
        order = _replace(session, group, account_id, order, wanted)
        if order is not None:
            _check_whole(order, group.pay_mode)
        return _as_needs(order)


def withdraw_needs(unit_id: int, account_id: int) -> None:
    """Take back what somebody needs in the unit's open group orders, in the caller's transaction.

    The caller has ended the membership, so that nothing more is registered meanwhile. None of it
    was charged. What a seller has cut off already stays ordered, as for every member.
    """
    with transaction() as session:
        at = clock.now()
        for group in _open_with_needs(session, unit_id, account_id):
            order = _need_of(session, group.id, account_id)
            if order is None or not group.round.is_open(at):
                continue
            cutoffs = _cutoffs(session, group.round_id)
            held = {line.offer_id: line.quantity for line in order.lines}
            stays = {offer: units for offer, units in held.items() if cutoffs[offer] <= at}
            if stays != held:
                _replace(session, group, account_id, order, stays)


def _open_with_needs(session: Session, unit_id: int, account_id: int) -> Sequence[GroupOrder]:
    """Return a unit's open group orders in which somebody needs something, kept from closing."""
    mine = exists().where(
        Order.group_order_id == GroupOrder.id,
        Order.account_id == account_id,
        Order.state == OrderState.REGISTERED,
    )
    return session.scalars(
        select(GroupOrder)
        .where(GroupOrder.unit_id == unit_id, GroupOrder.state == GroupOrderState.OPEN, mine)
        .order_by(GroupOrder.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).all()


def _check_whole(order: Order, pay_mode: PayMode) -> None:
    """Hold all that a member needs, carried lines too, against what one order may be."""
    check_lines(len(order.lines))
    check_amount(order.total_fen, NEEDS_MAXIMUM_FEN)
    if pay_mode is PayMode.MEMBERS:
        check_payable(order.total_fen, PaymentMethod.STRIPE)


def _open_for_needs(session: Session, group_order_id: int) -> GroupOrder:
    """Return the group order, kept from closing until this transaction ends."""
    group = found(
        session.scalar(
            select(GroupOrder)
            .where(GroupOrder.id == group_order_id)
            .with_for_update(read=True)
            .execution_options(populate_existing=True)
        )
    )
    if group.state is not GroupOrderState.OPEN:
        raise GroupOrderClosed()
    return group


def _lock_member(session: Session, unit_id: int, account_id: int) -> None:
    """Let one member's changes follow one another. Raises NotAMember."""
    membership = session.scalar(
        select(Membership.id)
        .where(
            Membership.account_id == account_id,
            Membership.organisation_id == unit_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.ACTIVE,
        )
        .with_for_update()
    )
    if membership is None:
        raise NotAMember()


def _cutoffs(session: Session, round_id: int) -> dict[int, datetime]:
    rows = session.execute(
        select(RoundOffer.offer_id, RoundOffer.cut_off().label("cutoff_at"))
        .join(RoundLeg, RoundLeg.id == RoundOffer.leg_id)
        .join(Offer, Offer.id == RoundOffer.offer_id)
        .where(RoundOffer.round_id == round_id)
    )
    return {row.offer_id: row.cutoff_at for row in rows}


def _need_of(session: Session, group_order_id: int, account_id: int) -> Order | None:
    return session.scalar(
        select(Order)
        .where(
            Order.group_order_id == group_order_id,
            Order.account_id == account_id,
            Order.state == OrderState.REGISTERED,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _refuse_late(
    frozen: Collection[int], wanted: Mapping[int, int], held: Mapping[int, int]
) -> None:
    """Raise OfferClosed when a line would change whose seller has already cut off."""
    for offer_id in frozen:
        if wanted.get(offer_id, 0) != held.get(offer_id, 0):
            raise OfferClosed(_l("这家供货方已经提前截单，这一种不能再改。其他的还可以。"))


def _replace(
    session: Session,
    group: GroupOrder,
    account_id: int,
    old: Order | None,
    wanted: Mapping[int, int],
) -> Order | None:
    """Put a new order in the place of `old`; lines that do not change move over as they are.

    Returns None when nothing is needed any more.
    """
    lines = list(old.lines) if old else []
    needed = {line.offer_id: line.needed for line in lines}
    carried = [line for line in lines if wanted.get(line.offer_id) == line.quantity]
    given_back = [line for line in lines if line not in carried]
    stays = {line.offer_id for line in carried}
    fresh = {offer_id: units for offer_id, units in wanted.items() if offer_id not in stays}
    buyer = Buyer(account_id)
    returning = {line.offer_id: line.quantity for line in given_back}
    supply.lock(fresh.keys() | returning.keys())
    if old:
        # Before the new order takes its place: a member has one order with needs.
        move(old, OrderState.CANCELLED, "changed" if wanted else "cancelled")
        supply.release(
            [GivenBack(li.offer_id, li.lot_id, li.quantity, buyer.name) for li in given_back]
        )
    new = _successor(session, group, buyer, fresh, returning, keep=bool(carried))
    if new is not None:
        _carry(carried, needed, new)
    if old:
        for line in given_back:
            line.released = line.quantity
        old.total_fen = sum(line.amount_fen for line in given_back)
    session.flush()
    session.expire_all()
    return new


def _carry(
    carried: Collection[OrderLine], needed: Mapping[int, Sequence[allocation.Needed]], new: Order
) -> None:
    """Move lines over to `new`; its lines are needed since when their offers were `needed`."""
    for line in new.lines:
        if line.offer_id in needed:
            line.needed = allocation.kept(needed[line.offer_id], line.quantity, new.placed_at)
    for line in carried:
        line.order_id, line.needed = new.id, needed[line.offer_id]
    new.total_fen += sum(line.amount_fen for line in carried)


def _successor(
    session: Session,
    group: GroupOrder,
    buyer: Buyer,
    fresh: Mapping[int, int],
    returning: Mapping[int, int],
    *,
    keep: bool,
) -> Order | None:
    """Return the order that takes over: placed for `fresh`, bare when only lines are carried."""
    if fresh:
        placed = place(
            buyer,
            fresh,
            dict.fromkeys(fresh, Credited(group.round.credit_source_id)),
            PaymentMethod.STRIPE if group.pay_mode is PayMode.MEMBERS else PaymentMethod.TRANSFER,
            group_order_id=group.id,
            returning=returning,
        )
        new = session.get_one(Order, placed.order_id)
        new.city = group.unit.city  # goods are handed over at the unit: no recipient is kept
        return new
    if not keep:
        return None
    bare = Order(
        number=order_number(),
        account_id=buyer.account_id,
        group_order_id=group.id,
        state=OrderState.REGISTERED,
        total_fen=0,
        city=group.unit.city,
    )
    session.add(bare)
    session.flush()
    session.add(OrderEvent(order_id=bare.id, kind="registered"))
    return bare


def _as_needs(order: Order | None) -> Needs:
    if order is None:
        return Needs(None, Money(0), {})
    units = {line.offer_id: line.quantity for line in order.lines}
    return Needs(order.number, order.total, units)
