"""A round that has closed, with its notice: where the road from harvest to household begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.members import approve, join
from orders.actions.rounds import add_offer, create_round
from orders.actions.yields import Harvested, enter_yield
from orders.model import (
    BuyingUnit,
    GroupOrder,
    HarvestNotice,
    NoticeItem,
    Order,
    Payment,
    PaymentShare,
    PayMode,
    Round,
)
from orders.payments.captures import Captured, record_capture
from sellers.model import BenefitPlan, Household, Lot, LotMode, Offer, Seller
from tests import builders
from tests.orders.fairs import plan

PRICE_FEN = 4700
CLOSED_AGO = timedelta(hours=1)
"""Long enough ago that everything after the cut-off happens after it, and payments still wait."""


@dataclass(frozen=True)
class Closed:
    """Everything of one closed round of one seller and one buying unit."""

    round: Round
    seller: Seller
    clerk: Account
    steward: Account
    households: list[Household]
    lot: Lot
    offer: Offer
    unit: BuyingUnit
    coordinator: Account
    group_order: GroupOrder
    orders: list[Order]
    notice: HarvestNotice
    item: NoticeItem


def closed_round(
    *needs: int, pay_mode: PayMode = PayMode.MEMBERS, paid: int | None = None
) -> Closed:
    """A round that the clock has closed, in which each member needed so many boxes.

    The first `paid` members have paid (None: all). With PayMode.UNIT the unit owes the sum by
    transfer.
    """
    needs = needs or (50, 30, 20)
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    households = _households(seller, steward)
    lot = builders.lot(builders.product(seller), offered=1000, mode=LotMode.IN_FIELD)
    unit = builders.buying_unit()
    coordinator = builders.account(Role.COORDINATOR, unit.organisation)
    with clock.moved(-CLOSED_AGO - timedelta(hours=1)):
        the_round = create_round(plan(timedelta(hours=1), handover_place="某机关院内"))
        offer = add_offer(the_round.id, lot.id, PRICE_FEN, quota=500)
        group_order = open_group_order(coordinator.id, unit.id, the_round.id, pay_mode)
        for number, units in enumerate(needs):
            _register(group_order, f"{number:04d}", {offer.id: units})
    with clock.frozen(the_round.closes_at):
        assert close_due_rounds(clock.now()) == 1
    placed = select(Order).where(Order.group_order_id == group_order.id).order_by(Order.id)
    orders = list(db.session.scalars(placed))
    if pay_mode is PayMode.MEMBERS:
        for order in orders[:paid]:
            pay(order)
    notice = db.session.scalars(
        select(HarvestNotice).where(HarvestNotice.round_id == the_round.id)
    ).one()
    clerk = builders.account(Role.CLERK, seller.organisation)
    return Closed(
        the_round,
        seller,
        clerk,
        steward,
        households,
        lot,
        offer,
        unit,
        coordinator,
        group_order,
        orders,
        notice,
        notice.items[0],
    )


def _households(seller: Seller, steward: Account) -> list[Household]:
    """Three of unequal shares, paid by what they deliver and by what is left over."""
    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller.id, kind="delivery", basis_points=8000))
        session.add(BenefitPlan(seller_id=seller.id, kind="second", basis_points=500))
    return [
        builders.household(seller, share_weight=weight, steward_id=steward.id)
        for weight in (3, 2, 1)
    ]


def _register(group_order: GroupOrder, staff_number: str, wanted: dict[int, int]) -> None:
    """A new colleague joins by the link, is let in, and says what it needs."""
    member = builders.account()
    joined = join(member.id, group_order.join_code, staff_number=staff_number, department="办公室")
    approve(group_order.unit_id, joined.id)
    set_needs(group_order.id, member.id, wanted)


def pay(order: Order) -> Payment:
    """The order's payment comes in through Stripe."""
    due = db.session.scalars(
        select(Payment)
        .join(PaymentShare)
        .where(PaymentShare.order_id == order.id)
        .order_by(Payment.id.desc())
    ).first()
    assert due is not None
    arrived = Captured(due.amount_fen, clock.now(), f"pi_{due.public_id}")
    return record_capture(due.public_id, arrived)


def harvest(closed: Closed, units: int) -> None:
    """The seller enters what it harvested as a whole."""
    enter_yield(closed.item.id, None, Harvested(units, confirmed=True), account_id=closed.clerk.id)


def add_households(closed: Closed, many: int) -> None:
    """Put so many more households behind the seller: 0001, 0002 … of one share each.

    Its first ones get numbers that no other begins or ends with.
    """
    with transaction() as session:
        for n, one in enumerate(closed.households):
            session.get_one(Household, one.id).number = f"9999{n}"
        session.add_all(
            Household(
                seller_id=closed.seller.id, number=f"{n:04d}", status="registered", share_weight=1
            )
            for n in range(1, many + 1)
        )
