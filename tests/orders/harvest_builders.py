"""A round that has closed, with its notice: where the road from harvest to household begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role
from orders import books
from orders.model import (
    BuyingUnit,
    CreditKind,
    GroupOrder,
    GroupOrderState,
    HarvestNotice,
    NoticeItem,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    PayMode,
    Round,
    RoundLeg,
    RoundOffer,
)
from orders.placing import Buyer, place
from sellers.model import BenefitPlan, Household, Lot, LotMode, Offer, Place, Seller
from tests import builders

PRICE_FEN = 4700


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
    """A closed round in which each member needs so many boxes; the first `paid` have paid.

    With PayMode.UNIT the unit owes the sum by transfer.
    """
    needs = needs or (50, 30, 20)
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    households = [
        builders.household(seller, share_weight=weight, steward_id=steward.id)
        for weight in (3, 2, 1)
    ]
    lot = builders.lot(builders.product(seller), offered=1000, mode=LotMode.IN_FIELD)
    offer = builders.offer(lot, PRICE_FEN, Place.ROUND, quota=500)
    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller.id, kind="delivery", basis_points=8000))
        session.add(BenefitPlan(seller_id=seller.id, kind="second", basis_points=500))
    the_round = _round(seller, offer)
    unit = builders.buying_unit()
    coordinator = builders.account(Role.COORDINATOR, unit.organisation)
    group_order = _group_order(the_round, unit, coordinator, pay_mode)
    members = [builders.account(Role.OFFICIAL, unit.organisation) for _ in needs]
    source = builders.credit_source(CreditKind.ROUND, the_round.code)
    placed = [
        place(
            Buyer(member.id),
            {offer.id: units},
            builders.credited_to_shop(offer, source=source),
            PaymentMethod.STRIPE,
            group_order_id=group_order.id,
        )
        for member, units in zip(members, needs, strict=True)
    ]
    orders = [db.session.get_one(Order, one.order_id) for one in placed]
    notice, item = _close(the_round, group_order, seller, lot, orders)
    if pay_mode is PayMode.UNIT:
        unit_owes(unit, orders)
    else:
        count = len(orders) if paid is None else paid
        for number, order in enumerate(orders):
            pay(order) if number < count else ask(order)
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
        item,
    )


def _round(seller: Seller, offer: Offer) -> Round:
    at, code = clock.now(), f"round-{seller.id}"
    source = builders.credit_source(CreditKind.ROUND, code)
    with transaction() as session:
        made = Round(
            code=code,
            title_zh="某预订期",
            opens_at=at - timedelta(days=7),
            closes_at=at + timedelta(hours=1),
            harvest_from=clock.today() + timedelta(days=1),
            harvest_to=clock.today() + timedelta(days=3),
            handover_on=clock.today() + timedelta(days=5),
            handover_place="某机关院内",
            credit_source_id=source.id,
        )
        session.add(made)
        session.flush()
        leg = RoundLeg(round_id=made.id, seller_id=seller.id, cutoff_at=made.closes_at)
        session.add(leg)
        session.flush()
        session.add(RoundOffer(round_id=made.id, leg_id=leg.id, offer_id=offer.id))
    return made


def _group_order(the_round: Round, unit: BuyingUnit, by: Account, mode: PayMode) -> GroupOrder:
    with transaction() as session:
        made = GroupOrder(round_id=the_round.id, unit_id=unit.id, pay_mode=mode, opened_by=by.id)
        session.add(made)
    return made


def _close(
    the_round: Round, group_order: GroupOrder, seller: Seller, lot: Lot, orders: list[Order]
) -> tuple[HarvestNotice, NoticeItem]:
    with transaction() as session:
        the_round.processed_at = the_round.closes_at = clock.now()
        group_order.state, group_order.closed_at = GroupOrderState.CLOSED, clock.now()
        group_order.pay_by = clock.now() + timedelta(hours=48)
        notice = HarvestNotice(round_id=the_round.id, seller_id=seller.id)
        item = NoticeItem(
            lot_id=lot.id, quantity=sum(line.quantity for one in orders for line in one.lines)
        )
        notice.items = [item]
        session.add(notice)
    return notice, item


def ask(order: Order) -> Payment:
    """The order's payment is due and nobody has paid it."""
    with transaction() as session:
        order.state = OrderState.DUE
        order.expires_at = clock.now() + timedelta(hours=48)
        payment = Payment(
            method=PaymentMethod.STRIPE, amount_fen=order.total_fen, expires_at=order.expires_at
        )
        payment.shares = [PaymentShare(order_id=order.id, amount_fen=order.total_fen)]
        session.add(payment)
    return payment


def pay(order: Order) -> Payment:
    """The order's payment was captured, and stands in the ledger."""
    payment = ask(order)
    with transaction() as session:
        payment.state, payment.captured_fen = PaymentState.CAPTURED, payment.amount_fen
        payment.captured_at = order.paid_at = clock.now()
        payment.intent_id = f"pi_{payment.public_id}"
        order.state, order.expires_at = OrderState.CONFIRMED, None
        session.flush()
        books.captured(payment)
    return payment


def unit_owes(unit: BuyingUnit, orders: list[Order]) -> Payment:
    """The unit pays for all by one transfer that has not come yet."""
    with transaction() as session:
        payment = Payment(
            method=PaymentMethod.TRANSFER,
            amount_fen=sum(order.total_fen for order in orders),
            unit_id=unit.id,
            transfer_code=f"XJ-{unit.id}",
        )
        payment.shares = [
            PaymentShare(order_id=order.id, amount_fen=order.total_fen) for order in orders
        ]
        session.add(payment)
        for order in orders:
            order.state = OrderState.CONFIRMED
        session.flush()
        books.unit_owes(payment)
    return payment
