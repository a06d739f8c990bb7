"""What happens in rounds: needs, closing, yields, allocation, hand-over, settlement, payout."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import select

from kernel import clock
from kernel.db import db
from orders.actions import handover, settlement, yields
from orders.actions.closing import close_due_rounds, close_group_order
from orders.actions.group_orders import open_group_order, set_needs
from orders.actions.rounds import RoundPlan, add_offer, create_round
from orders.actions.yields import Harvested
from orders.allocation import POLICIES
from orders.model import (
    Consignment,
    GroupOrder,
    NoticeItem,
    Order,
    PayMode,
    Round,
    RoundOffer,
    Settlement,
)
from sellers.model import LotMode
from tests import builders
from tests.histories.shop_rules import FEW, PICK, ShopRules
from tests.histories.world import some

SIGNATURE = "M1 1L2 2L3 3L4 4"


class RoadRules(ShopRules):
    """Steps of a round, from its plan to the households' money."""

    @precondition(lambda self: not self.has("open_groups"))
    @rule(hours=st.integers(2, 30), mode=st.sampled_from(list(PayMode)), offered=FEW)
    def open_a_round(self, hours: int, mode: PayMode, offered: int) -> None:
        """A round with an offer of each cooperative, and the unit's group order in it."""
        closes_at = self.time.at + timedelta(hours=hours)
        day = clock.local(closes_at).date()
        plan = RoundPlan(
            title_zh="预订期",
            opens_at=self.time.at - timedelta(hours=1),
            closes_at=closes_at,
            harvest_from=day + timedelta(days=1),
            harvest_to=day + timedelta(days=4),
            handover_on=day + timedelta(days=5),
        )
        made = self.world.tried(lambda: create_round(plan))
        if made is None:
            return
        for seller in self.world.sellers:
            lot = builders.lot(builders.product(seller), offered * 3, LotMode.IN_FIELD)
            self.world.tried(lambda lot=lot: add_offer(made.id, lot.id, 900))  # type: ignore[misc]
        leader, unit = self.world.coordinator.id, self.world.unit.id
        self.world.tried(lambda: open_group_order(leader, unit, made.id, mode))

    @precondition(lambda self: self.has("open_groups"))
    @rule(group=PICK, member=PICK, units=st.lists(st.integers(0, 6), min_size=2, max_size=2))
    def need(self, group: int, member: int, units: list[int]) -> None:
        groups = self.rows(GroupOrder)
        if not groups:
            return
        chosen, account = some(groups, -1 - group), some(self.world.members, member)
        offers = db.session.scalars(
            select(RoundOffer.offer_id)
            .join(GroupOrder, GroupOrder.round_id == RoundOffer.round_id)
            .where(GroupOrder.id == chosen)
            .order_by(RoundOffer.offer_id)
        ).all()
        wanted = dict(zip(offers, units, strict=False))
        self.world.tried(lambda: set_needs(chosen, account.id, wanted))

    @precondition(lambda self: self.has("open_groups", "needs"))
    @rule(group=PICK)
    def close_a_group_order(self, group: int) -> None:
        groups = self.rows(GroupOrder)
        if groups:
            self.world.tried(lambda: close_group_order(some(groups, group)))

    @precondition(lambda self: self.has("open_rounds"))
    @rule(wait=st.booleans())
    def close_rounds(self, wait: bool) -> None:
        """The job that closes rounds runs, perhaps just when the next one is due."""
        due = db.session.scalar(
            select(Round.closes_at).where(Round.processed_at.is_(None)).order_by(Round.closes_at)
        )
        db.session.rollback()
        if wait and due is not None and due > self.time.at:
            self.time.move(due - self.time.at)
        close_due_rounds(self.time.at)

    @precondition(lambda self: self.has("items"))
    @rule(item=PICK, share=st.integers(0, 12))
    def bring_in(self, item: int, share: int) -> None:
        """Some tenths of what was ordered were harvested."""
        items = db.session.scalars(select(NoticeItem).order_by(NoticeItem.id)).all()
        if items:
            chosen = some(items, -1 - item)
            told, units = chosen.id, chosen.quantity * share // 10
            harvested = Harvested(units, None, True)
            self.world.tried(lambda: yields.enter_yield(told, None, harvested, account_id=None))

    @precondition(lambda self: self.has("yields"))
    @rule(item=PICK)
    def withdraw_a_yield(self, item: int) -> None:
        items = self.rows(NoticeItem)
        if items:
            self.world.tried(lambda: yields.withdraw_yield(some(items, -1 - item), None))

    @precondition(lambda self: self.has("yields"))
    @rule(item=PICK, policy=st.sampled_from(sorted(POLICIES)))
    def allocate(self, item: int, policy: str) -> None:
        items = self.rows(NoticeItem)
        if items:
            chosen = some(items, -1 - item)
            self.world.tried(lambda: yields.allocate(chosen, policy, account_id=None))

    @precondition(lambda self: self.has("allocations"))
    @rule(seller=PICK, group=PICK)
    def pack_for_a_group(self, seller: int, group: int) -> None:
        groups = self.rows(GroupOrder)
        if groups:
            of, to = some(self.world.sellers, seller).id, some(groups, -1 - group)
            self.world.tried(lambda: handover.pack(of, to))

    @precondition(lambda self: self.has("confirmed"))
    @rule(order=PICK)
    def pack_an_order(self, order: int) -> None:
        orders = self.rows(Order)
        if orders:
            chosen = db.session.get_one(Order, some(orders, -1 - order))
            of, to = chosen.lines[0].seller_id, chosen.id
            self.world.tried(lambda: handover.pack_order(of, to))

    @precondition(lambda self: self.has("consignments"))
    @rule(consignment=PICK)
    def send_and_sign(self, consignment: int) -> None:
        made = self.rows(Consignment)
        if made:
            chosen = some(made, -1 - consignment)
            self.world.tried(lambda: handover.send(chosen, "自己送"))
            self.world.tried(lambda: handover.sign(chosen, SIGNATURE, account_id=None))

    @precondition(lambda self: self.has("handed"))
    @rule(seller=PICK, round_=PICK, shop=st.booleans())
    def settle(self, seller: int, round_: int, shop: bool) -> None:
        rounds = self.rows(Round)
        of = some(self.world.sellers, seller).id
        about = None if shop or not rounds else some(rounds, -1 - round_)
        self.world.tried(lambda: settlement.state_settlement(of, about))

    @precondition(lambda self: self.has("settlements"))
    @rule(settled=PICK, approver=PICK, comes_back=st.booleans())
    def pay_out(self, settled: int, approver: int, comes_back: bool) -> None:
        """One of the staff proposes, one of them (perhaps the same) approves; it may come back."""
        made = self.rows(Settlement)
        if made:
            chosen, first = some(made, settled), self.world.staff[0].id
            second = some(self.world.staff, approver).id
            self.world.tried(
                lambda: settlement.propose_payout(
                    chosen, "BANK-2", reason="已经转账", account_id=first
                )
            )
            self.world.tried(lambda: settlement.approve_payout(chosen, account_id=second))
            if comes_back:
                self.world.tried(
                    lambda: settlement.propose_return(
                        chosen, "BACK-2", reason="账号已销户", account_id=first
                    )
                )
                self.world.tried(lambda: settlement.approve_return(chosen, account_id=second))
