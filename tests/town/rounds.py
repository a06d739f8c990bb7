"""The town's rounds: open ones, closed ones, and what was harvested, sent and settled of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import select

from kernel import clock
from kernel.db import db
from kernel.identity import Account, Role
from orders.actions import handover, harvest, settlement, yields
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.members import approve, join, set_staff_list
from orders.actions.rounds import add_offer, create_round
from orders.actions.yields import Harvested
from orders.model import (
    Consignment,
    GroupOrder,
    HarvestNotice,
    Order,
    Payment,
    PayMode,
    Round,
    Settlement,
)
from orders.payments.actions import submit_proof
from sellers.model import Household, Lot, LotMode, Offer
from tests import builders
from tests.orders.fairs import plan
from tests.orders.harvest_builders import pay
from tests.town.people import People
from tests.town.trade import picture

SIGNATURE = "M1 1L2 2L3 3L4 4"


Opened = tuple[Round, list[Offer], GroupOrder]


def members(people: People, group: GroupOrder, rows: int) -> list[Account]:
    """Colleagues who were let in, and as many who wait."""
    listed = "\n".join(f"{9000 + number} 办公室" for number in range(rows))
    set_staff_list(people.unit.id, listed)
    inside = []
    for number in range(2 * rows):
        somebody = builders.account()
        joined = join(
            somebody.id, group.join_code, staff_number=f"{number:04d}", department="办公室"
        )
        if number % 2:
            approve(people.unit.id, joined.id)
            inside.append(somebody)
    return inside


def opened(
    people: People,
    lots: list[Lot],
    pay_mode: PayMode = PayMode.MEMBERS,
    *,
    after: timedelta = timedelta(days=3),
) -> Opened:
    """A round with these lots and the unit's group order in it."""
    made = create_round(plan(after, handover_place="某机关院内"))
    offers = [add_offer(made.id, lot.id, 4700) for lot in lots]
    return made, offers, open_group_order(people.coordinator.id, people.unit.id, made.id, pay_mode)


def field_lots(people: People, rows: int) -> list[Lot]:
    """Lots that are still in the field."""
    product = builders.product(people.seller, name_zh="在地春橙")
    return [builders.lot(product, 100_000, LotMode.IN_FIELD) for _ in range(rows)]


def hold(people: People, households: list[Household], rows: int) -> None:
    """Everything that a round goes through, so many times."""
    lots = field_lots(people, rows)
    _, offers, group = opened(people, lots)
    inside = members(people, group, rows)
    everybody(people, inside, group, offers)
    planned = create_round(plan(timedelta(days=9)))
    add_offer(planned.id, lots[0].id, 4700)
    past(people, households, lots, inside, rows)
    for _ in range(rows):
        add_offer(create_round(plan(timedelta(days=5))).id, lots[0].id, 4700)


def need(group: GroupOrder, people: list[Account], wanted: Mapping[int, int]) -> None:
    """Everybody needs the same."""
    for somebody in people:
        set_needs(group.id, somebody.id, wanted)


def everybody(
    people: People, inside: list[Account], group: GroupOrder, offers: list[Offer]
) -> None:
    """One needs some of everything, the others of one thing."""
    need(group, [people.official], {offer.id: 1 for offer in offers})
    need(group, inside, {offers[0].id: 1})


def past(
    people: People, households: list[Household], lots: list[Lot], inside: list[Account], rows: int
) -> None:
    """Rounds that have closed: one to harvest, others on their way, settled, or to be paid."""
    soon = timedelta(hours=1)
    with clock.moved(-2 * soon):
        settled = [opened(people, lots[:1], after=soon) for _ in range(rows)]
        paid = opened(people, lots[:1], after=soon)
        sent = opened(people, lots[:1], after=soon)
        ready = opened(people, lots[:1], after=soon)
        unpaid = opened(people, lots[:1], PayMode.UNIT, after=soon)
        for _, offered, group in (*settled, paid, sent, ready, unpaid):
            need(group, [people.official], {offered[0].id: 1})
        # The last, so that a list that shows the newest shows it.
        to_harvest, offers, group = opened(people, lots, after=soon)
        everybody(people, inside, group, offers)
    with clock.frozen(to_harvest.closes_at + timedelta(minutes=1)):
        close_due_rounds(clock.now())
        for order in orders_of(to_harvest):
            pay(order)
        _split(to_harvest, households)
        for done, _, group in (*settled, paid, sent):
            _bring_in(people, done)
            handover.send(handover.pack(people.seller.id, group.id).id, "自己送")
        _bring_in(people, ready[0])
    due = select(Payment.public_id).where(Payment.unit_id == people.unit.id)
    # Before the buyers' proofs, so that a list that shows the oldest shows it.
    with clock.moved(-timedelta(days=1)):
        for public_id in db.session.scalars(due).all():
            submit_proof(public_id, picture(), "proof.png", account_id=people.coordinator.id)
    for done, _, group in settled:
        _settle(people, done, group)
    was_paid = _settle(people, paid[0], paid[2])
    settlement.approve_payout(was_paid.id, account_id=builders.account(Role.STAFF).id)


def orders_of(one: Round) -> list[Order]:
    """A round's orders."""
    groups = select(GroupOrder.id).where(GroupOrder.round_id == one.id)
    return list(db.session.scalars(select(Order).where(Order.group_order_id.in_(groups))))


def notice_of(one: Round) -> HarvestNotice:
    """A closed round's one notice."""
    return db.session.scalars(select(HarvestNotice).where(HarvestNotice.round_id == one.id)).one()


def _split(one: Round, households: list[Household]) -> None:
    item = notice_of(one).items[0]
    share, rest = divmod(item.quantity, len(households))
    units = {each.public_id: share for each in households}
    units[households[0].public_id] += rest
    harvest.split(item.id, {name: many for name, many in units.items() if many})
    taken = item.quotas[0]
    harvest.answer(taken.id, accept=True, account_id=None, by_proxy=False)


def _bring_in(people: People, done: Round) -> None:
    """Paid, harvested and allocated."""
    for order in orders_of(done):
        pay(order)
    item = notice_of(done).items[0]
    yields.enter_yield(item.id, None, Harvested(item.quantity), account_id=people.clerk.id)
    yields.allocate(item.id, "pro_rata", account_id=people.clerk.id)


def _settle(people: People, done: Round, group: GroupOrder) -> Settlement:
    """Signed for, stated, and proposed to be paid out."""
    packed = group_consignment(group)
    handover.sign(packed, SIGNATURE, account_id=people.coordinator.id)
    stated = settlement.state_settlement(people.seller.id, done.id, account_id=people.staff.id)
    return settlement.propose_payout(
        stated.id, f"BANK-{done.id}", reason="签收单齐了", account_id=people.staff.id
    )


def group_consignment(group: GroupOrder) -> int:
    """The key of what was packed for a group order."""
    return db.session.scalars(
        select(Consignment.id).where(Consignment.group_order_id == group.id)
    ).one()
