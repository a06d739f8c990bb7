"""Reads about settlements and households' shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    case,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import selectinload

from kernel import second_person
from kernel.access import Viewer, found
from kernel.db import db, rows_by_id
from kernel.identity import Role
from kernel.money import Money
from kernel.paging import Page, decode, page_of
from kernel.second_person import Proposal, ProposalState
from orders.model import (
    Consignment,
    ConsignmentLine,
    HouseholdShare,
    Order,
    OrderLine,
    OrderState,
    Round,
    RoundOffer,
    Settlement,
    SettlementLine,
    SettlementState,
)
from sellers.model import Household, Seller
from sellers.model.household import as_said

PAYOUT, PAYOUT_RETURN = "payout", "payout_return"
"""What a second person is asked to approve, of a settlement: money out, and come back."""
PAGE_SIZE = 50
FEW = 60
"""Up to so many households stand beside their settlement."""
PARTS_AT_ONCE = 100
WITH_SHARES = selectinload(Settlement.shares).joinedload(HouseholdShare.household)


@dataclass(frozen=True)
class HouseholdPart:
    """What one household gets of a settlement: by delivery or shares, and in the second round."""

    number: str
    units: int
    first: Money
    second: Money

    @property
    def total(self) -> Money:
        """Both together."""
        return self.first + self.second


@dataclass(frozen=True)
class SettlementView:
    """A settlement with its sums.

    `households` is what of it belongs to so many of them, `parts` each one's where they are few;
    `unit_name` is the sale unit of all its lines, or '' where they differ: a sum of units would
    mean nothing.
    """

    settlement: Settlement
    round: Round | None
    lines: int
    unit_name: str
    households: Money
    households_count: int
    parts: Sequence[HouseholdPart] = ()
    proposals: Sequence[Proposal] = ()
    """To pay it out and to record that the bank returned it, oldest first."""

    @property
    def returns(self) -> list[Proposal]:
        """Each time that the bank returned a payout, oldest first."""
        return [
            one
            for one in self.proposals
            if one.kind == PAYOUT_RETURN and one.state is ProposalState.APPROVED
        ]

    def _newest(self, kind: str) -> Proposal | None:
        """The newest proposal of a kind since the bank last returned a payout."""
        since = max((one.id for one in self.returns), default=0)
        found = [one for one in self.proposals if one.kind == kind and one.id > since]
        return found[-1] if found else None

    @property
    def payout(self) -> Proposal | None:
        """The newest proposal to pay it out; None once the bank returned that payout."""
        return self._newest(PAYOUT)

    @property
    def payout_return(self) -> Proposal | None:
        """The newest proposal to record that the bank returned the payout, unless it was done."""
        return self._newest(PAYOUT_RETURN)

    @property
    def waiting(self) -> Proposal | None:
        """What waits for a second person: a payout, or a paid settlement's return."""
        newest = self.proposals[-1] if self.proposals else None
        return newest if newest is not None and newest.state is ProposalState.OPEN else None

    @property
    def is_done(self) -> bool:
        """Whether it is paid out and nobody waits for anything."""
        return self.settlement.paid_at is not None and self.waiting is None

    @property
    def total(self) -> Money:
        """What buyers paid for the lines."""
        return Money(self.settlement.total_fen)

    @property
    def own(self) -> Money:
        """What stays with the seller."""
        return self.total - self.households


def _scoped(who: Viewer) -> Select[Settlement]:
    return select(Settlement).where(_seen_by(who))


def _seen_by(who: Viewer) -> ColumnElement[bool]:
    if who.has(Role.STAFF, Role.ADMIN, Role.AUDITOR):
        return true()
    return Settlement.seller_id.in_(who.organisations(Role.CLERK))


def settlements(
    who: Viewer, cursor: str | None = None, *, parts: bool = False
) -> Page[SettlementView]:
    """Return a page of the settlements that `who` may see: what is not done first, then the newest.

    However old one is, it is found until it is paid out; `parts`: with each household's part,
    where they are few. Raises Invalid for a cursor that leads nowhere.
    """
    asked = exists().where(
        Proposal.kind.in_((PAYOUT, PAYOUT_RETURN)),
        Proposal.subject == Settlement.public_id,
        Proposal.state == ProposalState.OPEN,
    )
    waits = case((or_(Settlement.state == SettlementState.STATED, asked), 2), else_=1)
    query = _scoped(who).order_by(waits.desc(), Settlement.id.desc()).limit(PAGE_SIZE + 1)
    if cursor:
        query = query.where(tuple_(waits, Settlement.id) < tuple_(*decode(cursor, int, int)))
    return page_of(
        _views(db.session.scalars(query).all(), parts=parts),
        PAGE_SIZE,
        lambda one: (1 if one.is_done else 2, one.settlement.id),
    )


@dataclass(frozen=True)
class Sums:
    """All settlements together: what waits for its payout, what was paid, what is households'."""

    stated: Money
    paid: Money
    households: Money


def sums(who: Viewer) -> Sums:
    """Return the sums of all settlements that `who` may see: one statement."""
    mine = _seen_by(who)
    of_households = (
        select(func.sum(HouseholdShare.amount_fen))
        .join(Settlement, HouseholdShare.settlement_id == Settlement.id)
        .where(mine)
        .scalar_subquery()
    )
    amount = func.sum(Settlement.total_fen)
    row = db.session.execute(
        select(
            amount.filter(Settlement.state == SettlementState.STATED),
            amount.filter(Settlement.state == SettlementState.PAID),
            of_households,
        ).where(mine)
    ).one()
    return Sums(*(Money(int(fen or 0)) for fen in row))


def settlements_page(who: Viewer, *, cursor: str | None, page_size: int) -> Page[SettlementView]:
    """Return a page of settlements, the newest first. Raises Invalid for a wrong cursor."""
    query = _scoped(who).options(WITH_SHARES).order_by(Settlement.id.desc()).limit(page_size + 1)
    if cursor:
        [before] = decode(cursor, int)
        query = query.where(Settlement.id < before)
    return page_of(
        _views(db.session.scalars(query).all()), page_size, lambda one: (one.settlement.id,)
    )


def settlement(public_id: str, who: Viewer, *, shares: bool = False) -> SettlementView:
    """Return one settlement, with every household's shares or not. NotFound: somebody else's."""
    query = _scoped(who).where(Settlement.public_id == public_id)
    row = found(db.session.scalar(query.options(WITH_SHARES) if shares else query))
    return _views([row])[0]


def _views(rows: Sequence[Settlement], *, parts: bool = False) -> list[SettlementView]:
    kinds, ids = (PAYOUT, PAYOUT_RETURN), [row.id for row in rows]
    proposals = second_person.proposals(kinds, [row.public_id for row in rows])
    rounds = rows_by_id(Round, (row.round_id for row in rows))
    lines, shares = _lines_of(ids), _shares_of(ids)
    few = [id_ for id_, (_, households) in shares.items() if households <= FEW]
    parts_of = _parts_of(few) if parts else {}
    return [
        SettlementView(
            row,
            rounds[row.round_id] if row.round_id else None,
            *lines.get(row.id, (0, "")),
            *shares.get(row.id, (Money(0), 0)),
            parts_of.get(row.id, ()),
            proposals.get(row.public_id, ()),
        )
        for row in rows
    ]


def _lines_of(ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return settlement → its number of lines, and the one sale unit of all of them or ''."""
    unit = OrderLine.unit_name
    rows = db.session.execute(
        select(SettlementLine.settlement_id, func.count(), func.min(unit), func.max(unit))
        .join(OrderLine, OrderLine.id == SettlementLine.line_id)
        .where(SettlementLine.settlement_id.in_(ids))
        .group_by(SettlementLine.settlement_id)
    )
    return {id_: (lines, first if first == last else "") for id_, lines, first, last in rows}


def _shares_of(ids: Sequence[int]) -> dict[int, tuple[Money, int]]:
    """Return settlement → what of it belongs to how many households."""
    households = func.count(func.distinct(HouseholdShare.household_id))
    rows = db.session.execute(
        select(HouseholdShare.settlement_id, func.sum(HouseholdShare.amount_fen), households)
        .where(HouseholdShare.settlement_id.in_(ids))
        .group_by(HouseholdShare.settlement_id)
    )
    return {id_: (Money(int(fen)), count) for id_, fen, count in rows}


def _parts() -> Select[int, str, int, int | None, int | None]:
    """Select what each household gets of each settlement, by its number."""
    is_second, fen = HouseholdShare.kind == "second", func.sum(HouseholdShare.amount_fen)
    return (
        select(
            HouseholdShare.settlement_id,
            Household.number,
            func.sum(HouseholdShare.units),
            fen.filter(~is_second),
            fen.filter(is_second),
        )
        .join(Household, Household.id == HouseholdShare.household_id)
        .group_by(HouseholdShare.settlement_id, Household.number)
        .order_by(HouseholdShare.settlement_id, Household.number)
    )


def _part(row: Row[int, str, int, int | None, int | None]) -> HouseholdPart:
    _, number, units, first, second = row
    return HouseholdPart(number, int(units), Money(int(first or 0)), Money(int(second or 0)))


def _parts_of(ids: Sequence[int]) -> dict[int, list[HouseholdPart]]:
    parts: dict[int, list[HouseholdPart]] = {}
    for row in db.session.execute(_parts().where(HouseholdShare.settlement_id.in_(ids))):
        parts.setdefault(row[0], []).append(_part(row))
    return parts


def parts_page(settlement_id: int, cursor: str | None, number: str = "") -> Page[HouseholdPart]:
    """Return a page of what households get of a settlement, or those with a `number`, as said.

    Raises Invalid for a cursor that leads nowhere.
    """
    query = _parts().where(HouseholdShare.settlement_id == settlement_id).limit(PARTS_AT_ONCE + 1)
    if number:
        said = func.ltrim(func.lower(Household.number), "0")
        query = query.where((Household.number == number) | (said == as_said(number)))
    if cursor:
        [after] = decode(cursor, str)
        query = query.where(Household.number > after)
    rows = [_part(row) for row in db.session.execute(query)]
    return page_of(rows, PARTS_AT_ONCE, lambda one: (one.number,))


@dataclass(frozen=True)
class ToSettle:
    """What was handed over of one seller and round (None: outside rounds), not settled yet.

    What has not `arrived` waits for a unit's transfer, and cannot be settled before.
    """

    seller: Seller
    round: Round | None
    arrived: bool
    lines: int
    amount: Money


def unsettled(whose: ColumnElement[bool]) -> Select[OrderLine]:
    """Select the lines of certain sellers that were handed over and are in no settlement yet.

    A line is handed over once its consignment is signed, or its order is (a cabinet's
    sale has no consignment). Some may be waiting for a unit's transfer still.
    """
    mine = ConsignmentLine.line_id == OrderLine.id
    signed = (
        exists()
        .where(mine, ConsignmentLine.consignment_id == Consignment.id)
        .where(Consignment.signed_at.is_not(None))
    )
    consigned = exists().where(mine)
    handed = signed | ((Order.state == OrderState.HANDED) & ~consigned)
    return (
        select(OrderLine)
        .join(Order, OrderLine.order_id == Order.id)
        .outerjoin(RoundOffer, RoundOffer.offer_id == OrderLine.offer_id)
        .where(
            whose,
            # An index has these, however many orders were settled before.
            Order.settled_at.is_(None),
            Order.state.in_((OrderState.CONFIRMED, OrderState.HANDED)),
            handed,
            func.coalesce(OrderLine.allocated, OrderLine.quantity) > 0,
            ~exists().where(SettlementLine.line_id == OrderLine.id),
        )
        .order_by(OrderLine.id)
    )


def to_settle(seller_ids: list[int] | None = None) -> list[ToSettle]:
    """Return what waits for a settlement, of these sellers or of all who sold something."""
    seller = OrderLine.seller_id
    waiting = unsettled(true() if seller_ids is None else seller.in_(seller_ids))
    amount = OrderLine.price_fen * func.coalesce(OrderLine.allocated, OrderLine.quantity)
    arrived = Order.paid_at.is_not(None)
    rows = db.session.execute(
        waiting.with_only_columns(
            seller, RoundOffer.round_id, arrived, func.count(), func.sum(amount)
        )
        .order_by(None)
        .group_by(seller, RoundOffer.round_id, arrived)
        .order_by(seller, RoundOffer.round_id, arrived.desc())
    ).all()
    sellers = rows_by_id(Seller, (row.seller_id for row in rows))
    rounds = rows_by_id(Round, (row.round_id for row in rows))
    return [
        ToSettle(
            sellers[seller_id],
            rounds[round_id] if round_id else None,
            has_arrived,
            lines,
            Money(int(fen)),
        )
        for seller_id, round_id, has_arrived, lines, fen in rows
    ]
