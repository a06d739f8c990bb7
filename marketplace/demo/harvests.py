"""Order, then harvest: a round that is over, one that waits for its yield, one that is open."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from kernel import clock
from kernel.db import db
from kernel.errors import Conflict
from kernel.identity import Membership, MembershipState, Role
from kernel.money import apportion
from marketplace.demo.trade import confirm_next_day, pay, prove, settle_refunds
from marketplace.demo.world import World
from orders.actions import handover, harvest, settlement, yields
from orders.actions.closing import close_round
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.rounds import RoundPlan, add_offer, create_round
from orders.actions.yields import Harvested
from orders.model import (
    GroupOrder,
    GroupOrderState,
    HarvestNotice,
    NoticeItem,
    Payment,
    PaymentShare,
    PaymentState,
    PayMode,
    RoundOffer,
)
from orders.model import Order as PlacedOrder
from sellers import actions
from sellers.actions import LotFacts
from sellers.model import Household, LotMode

GOODS = ("lc-chicken", "lc-egg", "lc-ginger", "lc-waterchestnut", "yb-citrus", "yb-vegetable")
UNITS = {"lc-union": PayMode.MEMBERS, "yb-helper": PayMode.UNIT, "dg-dalang": PayMode.MEMBERS}
OFFERED, QUOTA = 3000, 2500
SIGNATURE = "M60 120L110 60L150 150L210 70L260 160L330 90L400 130L470 80"
SHORT = 10
"""Per cent of a notice that did not grow."""


def hold(world: World) -> None:
    """Write the three rounds into the diary."""
    diary = world.diary
    for opens, closes, name, units in (
        (45, 38, "上一期", ("lc-union", "yb-helper")),
        (9, 2, "这一期", ("lc-union", "dg-dalang")),
        (3, -4, "下一期", ("lc-union", "yb-helper")),
    ):
        begins, ends = diary.ago(opens, 9), diary.ago(closes, 18)
        diary.at(begins, partial(_open, world, name, ends, units))


def _open(world: World, name: str, closes_at: datetime, units: tuple[str, ...]) -> None:
    last = clock.local(closes_at).date()
    title = f"{last.month}月{last.day}日截单"
    made = create_round(
        RoundPlan(
            title_zh=f"{title}的预订期",
            title_en=f"Round closing {last:%d %b}",
            region="韶关市 重庆市",
            opens_at=clock.now(),
            closes_at=closes_at,
            harvest_from=last + timedelta(days=1),
            harvest_to=last + timedelta(days=5),
            handover_on=last + timedelta(days=8),
            handover_place="单位食堂门口",
        )
    )
    for code in GOODS:
        lot = actions.add_lot(
            world.products[code],
            LotFacts(
                mode=LotMode.IN_FIELD,
                offered=OFFERED,
                harvest_from=made.harvest_from,
                harvest_to=made.harvest_to,
                code=f"{code}-{last:%m%d}",
            ),
        )
        add_offer(made.id, lot.id, world.prices[code], quota=QUOTA)
    for code in units:
        coordinator = world.accounts["coordinator" if code == "lc-union" else f"coordinator-{code}"]
        group = open_group_order(coordinator, world.organisations[code], made.id, UNITS[code])
        _register(world, group, made.id, skip=2 if closes_at > world.diary.now else 0)
    round_id = made.id
    world.diary.at(closes_at, lambda: close_round(round_id, clock.now()))
    world.diary.at(closes_at + timedelta(hours=14), lambda: _pay(world, round_id))
    if name == "上一期":
        _finish(world, round_id, closes_at)
    elif name == "这一期":
        world.diary.at(closes_at + timedelta(hours=15), lambda: _split(round_id, answered=True))


def _register(world: World, group: GroupOrder, round_id: int, *, skip: int) -> None:
    """Colleagues register what they need over the next days; `skip` of them have not yet."""
    members = db.session.scalars(
        select(Membership.account_id)
        .where(
            Membership.organisation_id == group.unit_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.ACTIVE,
        )
        .order_by(Membership.id)
    ).all()
    from_round = _offers(round_id)
    for n, account_id in enumerate(members[: len(members) - skip]):
        wanted = {offer: _units(world, code) for code, offer in from_round.items()}
        chosen = world.dice.sample(sorted(wanted), 3)
        needs = {offer: wanted[offer] for offer in chosen}
        at = clock.now() + timedelta(hours=2 + 3 * n)
        world.diary.at(at, partial(set_needs, group.id, account_id, needs))


def _offers(round_id: int) -> dict[str, int]:
    rows = db.session.execute(
        select(RoundOffer.offer_id).where(RoundOffer.round_id == round_id).order_by(RoundOffer.id)
    )
    return dict(zip(GOODS, (row.offer_id for row in rows), strict=True))


def _units(world: World, code: str) -> int:
    if code == "lc-egg":
        return world.dice.choice((30, 60))
    return world.dice.choice((1, 2)) if code == "lc-chicken" else world.dice.choice((4, 6, 10))


def _pay(world: World, round_id: int) -> None:
    """Members pay their own; a unit uploads its proof, and staff confirm the day after."""
    payments = db.session.scalars(
        select(Payment)
        .join(PaymentShare)
        .join(PlacedOrder, PlacedOrder.id == PaymentShare.order_id)
        .join(GroupOrder, GroupOrder.id == PlacedOrder.group_order_id)
        .where(GroupOrder.round_id == round_id, Payment.state == PaymentState.DUE)
        .distinct()
        .order_by(Payment.id)
    ).all()
    for payment in payments:
        if payment.unit_id is None:
            pay(payment)
        else:
            prove(payment, world.accounts["coordinator-yb-helper"])
            confirm_next_day(world, payment.public_id)


def _items(round_id: int) -> list[NoticeItem]:
    return list(
        db.session.scalars(
            select(NoticeItem)
            .join(HarvestNotice)
            .where(HarvestNotice.round_id == round_id)
            .options(selectinload(NoticeItem.quotas), selectinload(NoticeItem.notice))
            .order_by(NoticeItem.id)
        )
    )


def _split(round_id: int, *, answered: bool) -> None:
    """Every seller with households splits its notice; two of three households answer."""
    for item in _items(round_id):
        households = db.session.scalars(
            select(Household)
            .where(Household.seller_id == item.notice.seller_id)
            .order_by(Household.id)
        ).all()
        if not households or not item.quantity:
            continue
        harvest.split(item.id, harvest.propose(item, households))
        db.session.refresh(item, ["quotas"])
        for n, quota in enumerate(item.quotas):
            if not answered or n % 3 != 2:
                harvest.answer(quota.id, accept=True, account_id=None, by_proxy=False)


def _finish(world: World, round_id: int, closed_at: datetime) -> None:
    """Harvest ten per cent short, divide, hand over, settle, and pay out."""
    diary = world.diary
    diary.at(closed_at + timedelta(hours=20), lambda: _split(round_id, answered=False))
    diary.at(closed_at + timedelta(days=5), lambda: _harvest(world, round_id))
    diary.at(closed_at + timedelta(days=8), lambda: _hand_over(world, round_id))
    diary.at(closed_at + timedelta(days=12), lambda: _settle(world, round_id))


def _harvest(world: World, round_id: int) -> None:
    for item in _items(round_id):
        if not item.quantity:
            continue
        grown = item.quantity * (100 - SHORT) // 100
        if item.quotas:
            shares = apportion(grown, [quota.quantity for quota in item.quotas])
            for quota, units in zip(item.quotas, shares, strict=True):
                harvested = Harvested(units, confirmed=True)
                yields.enter_yield(item.id, quota.household_id, harvested, account_id=None)
        else:
            yields.enter_yield(item.id, None, Harvested(grown), account_id=None)
        yields.allocate(item.id, "pro_rata", account_id=world.accounts["staff"])
    settle_refunds()


def _hand_over(world: World, round_id: int) -> None:
    groups = db.session.scalars(
        select(GroupOrder).where(
            GroupOrder.round_id == round_id, GroupOrder.state == GroupOrderState.CLOSED
        )
    ).all()
    sellers = sorted({item.notice.seller_id for item in _items(round_id)})
    for group in groups:
        for seller_id in sellers:
            with suppress(Conflict):  # this unit ordered nothing of this seller
                packed = handover.pack(seller_id, group.id)
                handover.send(packed.id, "自己送")
                handover.sign(packed.id, SIGNATURE, account_id=group.opened_by)


def _settle(world: World, round_id: int) -> None:
    staff, second = world.accounts["staff"], world.accounts["staff2"]
    for seller_id in sorted({item.notice.seller_id for item in _items(round_id)}):
        stated = settlement.state_settlement(seller_id, round_id, account_id=staff)
        settlement.propose_payout(
            stated.id, f"DEMO-ROUND-{stated.id}", reason="签收单齐了", account_id=staff
        )
        settlement.approve_payout(stated.id, account_id=second)
