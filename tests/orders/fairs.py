"""A round with offers, a unit with people: what tests of order-then-harvest start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kernel import clock
from kernel.db import db
from kernel.identity import Account, Role
from orders.actions.group_orders import open_group_order
from orders.actions.rounds import RoundPlan, add_offer, create_round
from orders.model import BuyingUnit, GroupOrder, PayMode, Round
from sellers.model import Category, Lot, LotMode, Offer
from tests import builders


def plan(closes_in: timedelta = timedelta(days=3), **values: object) -> RoundPlan:
    """A round that opened an hour ago and is harvested the week after it closes."""
    closes_at = clock.now() + closes_in
    day = clock.local(closes_at).date()
    facts: dict[str, object] = {
        "title_zh": "11月下旬预订期",
        "opens_at": clock.now() - timedelta(hours=1),
        "closes_at": closes_at,
        "harvest_from": day + timedelta(days=1),
        "harvest_to": day + timedelta(days=4),
        "handover_on": day + timedelta(days=5),
    }
    return RoundPlan(**{**facts, **values})  # type: ignore[arg-type]  # facts by name


@dataclass
class Fair:
    """An open round with two sellers' offers, and one unit's open group order in it."""

    round: Round
    eggs: Offer
    ginger: Offer
    unit: BuyingUnit
    coordinator: Account
    group: GroupOrder
    members: list[Account] = field(default_factory=list)

    @property
    def closes_at(self) -> datetime:
        """The round's cut-off."""
        return self.round.closes_at


def official(of: BuyingUnit) -> Account:
    """An active member of the unit."""
    return builders.account(Role.OFFICIAL, of.organisation)


def fair(
    pay_mode: PayMode = PayMode.MEMBERS,
    *,
    eggs: int = 600,
    ginger: int = 100,
    members: int = 2,
    closes_in: timedelta = timedelta(days=3),
) -> Fair:
    """Build a Fair: eggs at ¥1.50 in cases of 30, ginger at ¥9.00 in cases of 10."""
    made = create_round(plan(closes_in))
    product = builders.product(
        builders.seller(name_zh="某村养殖合作社"),
        name_zh="土鸡蛋",
        unit_name="个",
        unit_g=50,
        case_units=30,
        category=Category.EGGS,
        picture="egg.webp",
    )
    other = builders.product(
        builders.seller(name_zh="某村生姜合作社"),
        name_zh="天堂姜",
        unit_name="斤",
        unit_g=500,
        case_units=10,
        category=Category.SPICE,
        picture="ginger.webp",
    )
    egg_offer = add_offer(made.id, builders.lot(product, eggs, LotMode.IN_FIELD).id, 150)
    ginger_offer = add_offer(made.id, builders.lot(other, ginger, LotMode.IN_FIELD).id, 900)
    unit = builders.buying_unit(staff=20)
    coordinator = builders.account(Role.COORDINATOR, unit.organisation)
    group = open_group_order(coordinator.id, unit.id, made.id, pay_mode)
    people = [official(unit) for _ in range(members)]
    return Fair(made, egg_offer, ginger_offer, unit, coordinator, group, people)


def promised(offer: Offer) -> tuple[int, int]:
    """(promised on the lot, sold on the offer), as the database has them."""
    db.session.expire_all()
    kept = db.session.get_one(Offer, offer.id)
    return db.session.get_one(Lot, kept.lot_id).promised, kept.sold
