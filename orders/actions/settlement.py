"""What a seller is owed for delivered goods, each household's share, and payouts by two people.

A settlement is stated, then paid. When the bank returns the money it is stated again, and can be
paid again: whatever happened stands in the proposals and in the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from kernel import clock, second_person
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.identity import Organisation
from kernel.money import Money
from kernel.text import plain
from orders import books
from orders.benefit import Member, PlansExceedIncome, Share, Sold, shares
from orders.model import (
    HarvestNotice,
    HouseholdShare,
    NoticeItem,
    Order,
    OrderLine,
    RoundOffer,
    Settlement,
    SettlementLine,
    SettlementState,
    YieldEntry,
)
from orders.queries.settlement import PAYOUT, PAYOUT_RETURN, unsettled
from sellers.actions import doubt_bank, hold_bank
from sellers.model import Household, Seller
from sellers.queries.workspace import plans_in_force


def state_settlement(
    seller_id: int, round_id: int | None, *, account_id: int | None = None
) -> Settlement:
    """State what a seller is owed for a round (None: for what was sold outside of rounds).

    Only lines whose money has arrived: nobody is paid out of what a unit still owes. One
    settlement line per delivered line, its amount moved in the ledger from what buyers
    prepaid to the seller, and from there each household's share by the seller's benefit
    plans. Raises NotFound, and Conflict when nothing is left to settle (money_not_arrived when
    only lines that wait for their money are) or the plans promise more than there is.
    """
    with transaction() as session:
        # One statement of a seller at a time; rows that point at the seller need not wait.
        seller = session.scalar(
            select(Seller).where(Seller.id == seller_id).with_for_update(of=Seller, key_share=True)
        )
        if seller is None:
            raise NotFound()
        lines = _lines_to_settle(session, seller_id, round_id)
        made = Settlement(
            seller_id=seller_id,
            round_id=round_id,
            total_fen=sum(line.price_fen * line.due_units for line in lines),
            stated_by=account_id,
        )
        made.lines = [
            SettlementLine(line_id=line.id, amount_fen=line.price_fen * line.due_units)
            for line in lines
        ]
        session.add(made)
        session.flush()
        owner = books.seller_owner(_public_id(session, seller_id))
        _mark_settled(session, made)
        books.settled(made, owner)
        _share(session, made, lines, owner)
    return made


def _lines_to_settle(session: Session, seller_id: int, round_id: int | None) -> Sequence[OrderLine]:
    """Return the delivered lines whose money has arrived. Raises Conflict when there is none."""
    where = RoundOffer.round_id == round_id if round_id else RoundOffer.id.is_(None)
    delivered = unsettled(OrderLine.seller_id == seller_id).where(where)
    lines = session.scalars(delivered.where(Order.paid_at.is_not(None))).all()
    if not lines and session.scalar(delivered.limit(1)):
        raise Conflict(
            _l("货交了，单位的转账还没到。到账确认之后再结算。"), code="money_not_arrived"
        )
    if not lines:
        raise Conflict(_l("没有可以结算的货：还没交货，或者已经结过了。"), code="nothing_to_settle")
    return lines


def _mark_settled(session: Session, settlement: Settlement) -> None:
    """Mark the orders of which this settlement stated the last line that got something."""
    left = (
        exists()
        .where(OrderLine.order_id == Order.id)
        .where(func.coalesce(OrderLine.allocated, OrderLine.quantity) > 0)
        .where(~exists().where(SettlementLine.line_id == OrderLine.id))
    )
    own = (
        select(OrderLine.order_id)
        .join(SettlementLine, SettlementLine.line_id == OrderLine.id)
        .where(SettlementLine.settlement_id == settlement.id)
    )
    # One that stays unmarked is looked at once more each time, and nothing is wrong.
    free = select(Order.id).where(Order.id.in_(own), ~left).with_for_update(skip_locked=True)
    session.execute(
        update(Order)
        .where(Order.id.in_(free))
        .values(settled_at=settlement.stated_at)
        .execution_options(synchronize_session=False)
    )


def _public_id(session: Session, organisation_id: int) -> str:
    return session.scalars(
        select(Organisation.public_id).where(Organisation.id == organisation_id)
    ).one()


def _share(
    session: Session, settlement: Settlement, lines: Sequence[OrderLine], owner: str
) -> None:
    households = session.scalars(
        select(Household).where(Household.seller_id == settlement.seller_id).order_by(Household.id)
    )
    today = clock.today()
    members = [Member(one.id, one.share_weight, one.is_registered(today)) for one in households]
    try:
        made = shares(
            plans_in_force(settlement.seller_id), _sold(session, settlement, lines), members
        )
    except PlansExceedIncome as problem:
        raise Conflict(
            _l("利益联结方案加起来超过了收入的全部。先改方案，再结算。"), code="plans_exceed_income"
        ) from problem
    settlement.shares = [_row(share) for share in made]
    session.flush()
    amount = Money(sum(share.amount.fen for share in made))
    if amount:
        books.shared_with_households(settlement, amount, owner)


def _row(share: Share) -> HouseholdShare:
    return HouseholdShare(
        household_id=share.household_id,
        kind=share.kind,
        units=share.units,
        amount_fen=share.amount.fen,
    )


def _sold(session: Session, settlement: Settlement, lines: Sequence[OrderLine]) -> list[Sold]:
    """Return what each lot brought, with what was settled of it earlier in the same place."""
    delivered = _delivered(session, settlement)
    before = _settled_before(session, settlement)
    units: dict[int, int] = dict.fromkeys(before, 0)
    income: dict[int, int] = dict.fromkeys(before, 0)
    for line in lines:
        units[line.lot_id] = units.get(line.lot_id, 0) + line.due_units
        income[line.lot_id] = income.get(line.lot_id, 0) + line.price_fen * line.due_units
    return [
        Sold(
            units[lot_id],
            Money(income[lot_id]),
            delivered.get(lot_id, {}),
            *before.get(lot_id, (0, Money(0))),
        )
        for lot_id in sorted(units)
    ]


def _delivered(session: Session, settlement: Settlement) -> dict[int, dict[int | None, int]]:
    """Return lot → household (None: the seller as a whole) → units harvested for the round."""
    delivered: dict[int, dict[int | None, int]] = {}
    if settlement.round_id is not None:
        entries = session.execute(
            select(NoticeItem.lot_id, YieldEntry.household_id, YieldEntry.quantity)
            .join(YieldEntry, YieldEntry.item_id == NoticeItem.id)
            .join(HarvestNotice, NoticeItem.notice_id == HarvestNotice.id)
            .where(
                HarvestNotice.round_id == settlement.round_id,
                HarvestNotice.seller_id == settlement.seller_id,
            )
            .order_by(YieldEntry.household_id)
        )
        for lot_id, household_id, quantity in entries:
            delivered.setdefault(lot_id, {})[household_id] = quantity
    return delivered


def _settled_before(session: Session, settlement: Settlement) -> dict[int, tuple[int, Money]]:
    """Return lot → units and income of the seller's earlier settlements of the same round."""
    rows = session.execute(
        select(
            OrderLine.lot_id,
            func.sum(SettlementLine.amount_fen // OrderLine.price_fen),
            func.sum(SettlementLine.amount_fen),
        )
        .join(SettlementLine, SettlementLine.line_id == OrderLine.id)
        .join(Settlement, SettlementLine.settlement_id == Settlement.id)
        .where(
            Settlement.seller_id == settlement.seller_id,
            Settlement.round_id.is_not_distinct_from(settlement.round_id),
            Settlement.id != settlement.id,
        )
        .group_by(OrderLine.lot_id)
    )
    return {lot_id: (int(units), Money(int(fen))) for lot_id, units, fen in rows}


def propose_payout(
    settlement_id: int, reference: str, *, reason: str, account_id: int
) -> Settlement:
    """Propose to record that a settlement was transferred; it waits for a second person.

    `reference` is the bank's, `reason` what the second person should look at. Raises
    NotFound, Invalid without either, Conflict (already_paid, already_proposed,
    account_not_confirmed).
    """
    reference = _bank_reference(reference)
    with transaction() as session:
        stated = _unpaid(session, settlement_id)
        hold_bank(stated.seller_id)
        facts = {"reference": reference, "total_fen": stated.total_fen}
        second_person.propose(PAYOUT, stated.public_id, facts, reason=reason, account_id=account_id)
    return stated


def approve_payout(settlement_id: int, *, account_id: int) -> Settlement:
    """Record the transfer that somebody else proposed.

    Raises NotFound, Conflict (already_paid the second time, account_not_confirmed), and
    SecondPersonNeeded for whoever proposed it.
    """
    with transaction() as session:
        paid = _unpaid(session, settlement_id)
        hold_bank(paid.seller_id)
        proposal = second_person.approve(PAYOUT, paid.public_id, account_id=account_id)
        paid.state, paid.payout_reference = SettlementState.PAID, proposal.facts["reference"]
        paid.paid_at, paid.paid_by = clock.now(), account_id
        owner = books.seller_owner(_public_id(session, paid.seller_id))
        books.paid_out(paid, _of_households(paid), owner, proposal.public_id)
    return paid


def turn_down_payout(settlement_id: int, answer: str, *, account_id: int) -> Settlement:
    """Decline a payout that waits, or take one's own back. Raises NotFound, Invalid, Conflict."""
    with transaction() as session:
        stated = _unpaid(session, settlement_id)
        second_person.turn_down(PAYOUT, stated.public_id, answer=answer, account_id=account_id)
    return stated


def propose_return(
    settlement_id: int, reference: str, *, reason: str, account_id: int
) -> Settlement:
    """Propose to record that the bank returned a payout; it waits for a second person.

    `reference` is the bank's of what came back, `reason` what the bank says; the seller reads
    both. Raises NotFound, Invalid without either, Conflict (not_paid, already_proposed).
    """
    reference = _bank_reference(reference)
    with transaction() as session:
        paid = _paid(session, settlement_id)
        facts = {
            "reference": reference,
            "payout_reference": paid.payout_reference,
            "total_fen": paid.total_fen,
        }
        second_person.propose(
            PAYOUT_RETURN, paid.public_id, facts, reason=reason, account_id=account_id
        )
    return paid


def approve_return(settlement_id: int, *, account_id: int) -> Settlement:
    """Record the return that somebody else proposed: all of the settlement is owed again.

    The account that was paid to waits until staff confirm it again. Raises NotFound, Conflict
    (not_paid the second time), and SecondPersonNeeded for whoever proposed it.
    """
    with transaction() as session:
        owed = _paid(session, settlement_id)
        assert owed.paid_at is not None
        proposal = second_person.approve(PAYOUT_RETURN, owed.public_id, account_id=account_id)
        doubt_bank(owed.seller_id, owed.paid_at)
        owed.state, owed.payout_reference = SettlementState.STATED, ""
        owed.paid_at = owed.paid_by = None
        owner = books.seller_owner(_public_id(session, owed.seller_id))
        books.payout_returned(owed, _of_households(owed), owner, proposal.public_id)
    return owed


def turn_down_return(settlement_id: int, answer: str, *, account_id: int) -> Settlement:
    """Decline a return that waits, or take one's own back. Raises NotFound, Invalid, Conflict."""
    with transaction() as session:
        paid = _paid(session, settlement_id)
        second_person.turn_down(PAYOUT_RETURN, paid.public_id, answer=answer, account_id=account_id)
    return paid


def _bank_reference(written: str) -> str:
    """Return the bank's reference of a transfer in ordinary characters. Raises Invalid."""
    reference = plain(written)
    if not 3 <= len(reference) <= 80 or not reference.isprintable():
        raise Invalid(
            _l("写上银行的转账流水号，3 到 80 个字符。"),
            code="reference_invalid",
            fields={"reference": _l("写上银行的转账流水号，3 到 80 个字符。")},
        )
    return reference


def _of_households(settlement: Settlement) -> Money:
    return Money(sum(share.amount_fen for share in settlement.shares))


def _unpaid(session: Session, settlement_id: int) -> Settlement:
    """Lock a settlement that is not paid out."""
    row = _locked(session, settlement_id)
    if row.state != SettlementState.STATED:
        raise Conflict(_l("这一笔已经打过款了，不会再打第二次。"), code="already_paid")
    return row


def _paid(session: Session, settlement_id: int) -> Settlement:
    """Lock a settlement that is paid out."""
    row = _locked(session, settlement_id)
    if row.state != SettlementState.PAID:
        raise Conflict(_l("这一笔现在没有打出去的款，没有可退票的。"), code="not_paid")
    return row


def _locked(session: Session, settlement_id: int) -> Settlement:
    row = session.scalar(
        select(Settlement)
        .where(Settlement.id == settlement_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound()
    return row
