"""What happens in the shop: listing, ordering, paying or not, cancelling, refunds."""

from __future__ import annotations

import itertools
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import select

from kernel.db import db
from kernel.ledger import seal
from livestream.actions import touch
from marketplace.checkout import purchase
from orders import books, lifecycle
from orders.model import (
    CreditSource,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentShare,
    Refund,
    RefundState,
)
from orders.payments import checkout, reconcile
from orders.payments.captures import confirm_transfer
from orders.payments.refunds import repay_debt
from orders.placing import Recipient
from sellers import actions as selling
from sellers.actions import OfferTerms
from sellers.model import Lot, LotMode, Offer, Place
from tests import builders
from tests.histories.till import Till
from tests.histories.world import Time, World, some

PICK = st.integers(0, 11)
FEW = st.integers(1, 4)
HOME = Recipient("某人", "13800000000", "重庆市", "某路 1 号")
BACK = "http://localhost/pay/back"


class ShopRules(RuleBasedStateMachine):
    """Steps of sellers, buyers, staff and the job worker."""

    world: World
    time: Time
    till: Till
    keys: itertools.count[int]
    counted: dict[str, int]

    def has(self, *things: str) -> bool:
        """Tell whether the history has come to such things, so that a step is not wasted."""
        return all(self.counted.get(thing) for thing in things)

    def rows(self, table: type, *where: object) -> list[int]:
        """The ids of a table's rows, the oldest first."""
        return list(db.session.scalars(select(table.id).where(*where).order_by(table.id)))  # type: ignore[attr-defined,arg-type]  # every table here has an id

    @initialize(orders=st.lists(st.tuples(PICK, FEW), min_size=3, max_size=5))
    def begin(self, orders: list[tuple[int, int]]) -> None:
        """A history begins in a shop that has customers already."""
        names = db.session.scalars(select(Offer.public_id).order_by(Offer.id)).all()
        for number, (buyer, units) in enumerate(orders):
            self.buy(buyer, {some(names, number): units}, PaymentMethod.STRIPE)

    @rule(
        seller=PICK,
        offered=st.integers(1, 9),
        price=st.sampled_from([400, 590, 1250]),
        quota=st.none() | st.integers(1, 6),
        limit=st.none() | FEW,
    )
    def list_offer(
        self, seller: int, offered: int, price: int, quota: int | None, limit: int | None
    ) -> None:
        lot = builders.lot(builders.product(some(self.world.sellers, seller)), offered)
        terms = OfferTerms(
            price_fen=price,
            quota=quota,
            limit_per_buyer=limit,
            broadcast_floor_fen=min(price, 450),
        )
        self.world.tried(lambda: selling.list_offer(lot.id, Place.SHOP, terms))

    @rule(lot=PICK, price=st.sampled_from([400, 990]), quota=st.none() | st.integers(1, 6))
    def list_the_same_lot_again(self, lot: int, price: int, quota: int | None) -> None:
        lots = self.rows(Lot, Lot.mode == LotMode.IN_HAND)
        if lots:
            chosen = some(lots, lot)
            terms = OfferTerms(price_fen=price, quota=quota)
            self.world.tried(lambda: selling.list_offer(chosen, Place.SHOP, terms))

    @rule(offer=PICK, price=st.sampled_from([400, 700]), quota=st.none() | st.integers(1, 6),
          limit=st.none() | FEW)  # fmt: skip
    def change_offer(self, offer: int, price: int, quota: int | None, limit: int | None) -> None:
        offers = self.rows(Offer, Offer.place == Place.SHOP)
        if offers:
            terms = OfferTerms(price_fen=price, quota=quota, limit_per_buyer=limit)
            self.world.tried(lambda: selling.change_offer(some(offers, offer), terms))

    @rule(lot=PICK, offered=st.integers(1, 12))
    def change_lot(self, lot: int, offered: int) -> None:
        lots = self.rows(Lot)
        if lots:
            self.world.tried(lambda: selling.change_lot(some(lots, lot), offered))

    @rule(
        buyer=PICK,
        wanted=st.dictionaries(PICK, FEW, min_size=1, max_size=2),
        method=st.sampled_from([PaymentMethod.STRIPE] * 3 + [PaymentMethod.TRANSFER]),
        again=st.booleans(),
    )
    def order(self, buyer: int, wanted: dict[int, int], method: PaymentMethod, again: bool) -> None:
        places = [Place.SHOP, Place.BROADCAST]
        names = db.session.scalars(
            select(Offer.public_id).where(Offer.place.in_(places)).order_by(Offer.id.desc())
        ).all()
        if not names:
            return
        lines = {some(names, pick): units for pick, units in wanted.items()}
        self.buy(buyer, lines, method, again=again)

    def buy(
        self, buyer: int, lines: dict[str, int], method: PaymentMethod, *, again: bool = False
    ) -> None:
        """Send an order, perhaps twice with one key: then its answer is the same."""
        who, key = some(self.world.buyers, buyer), f"key-{next(self.keys)}"
        db.session.rollback()
        answers = [
            self.world.tried(lambda: purchase(who, lines, HOME, method, None, key))
            for _ in range(2 if again else 1)
        ]
        assert answers[0] == answers[-1]

    @precondition(lambda self: self.has("due"))
    @rule(order=PICK, told=st.booleans())
    def pay(self, order: int, told: bool) -> None:
        """A buyer opens the page and pays; the news comes at once, or is missed."""
        waiting = db.session.scalars(
            select(Payment.public_id)
            .join(Payment.shares)
            .join(Order, Order.id == PaymentShare.order_id)
            .where(Order.state == OrderState.DUE)
            .order_by(Payment.id)
        ).all()
        db.session.rollback()
        public_id = some(waiting, order)
        if self.world.tried(lambda: checkout.open_checkout(public_id, BACK)) is None:
            return
        session_id = db.session.scalar(
            select(Payment.session_id).where(Payment.public_id == public_id)
        )
        db.session.rollback()
        self.till.pay(session_id or "")
        if told:
            self.world.tried(lambda: checkout.ask(public_id))

    @precondition(lambda self: self.till.sessions)
    @rule(session=PICK)
    def pay_late(self, session: int) -> None:
        """Somebody pays on a page that was left open."""
        if self.till.sessions:
            self.till.pay(some(sorted(self.till.sessions), session))

    @precondition(lambda self: self.has("transfers"))
    @rule(payment=PICK)
    def confirm_a_transfer(self, payment: int) -> None:
        waiting = db.session.scalars(
            select(Payment.public_id)
            .where(Payment.method == PaymentMethod.TRANSFER)
            .order_by(Payment.id)
        ).all()
        if waiting:
            staff = self.world.staff[0].id
            self.world.tried(lambda: confirm_transfer(some(waiting, payment), staff))

    @precondition(lambda self: self.has("orders"))
    @rule(order=PICK)
    def cancel(self, order: int) -> None:
        orders = self.rows(Order)
        if orders:
            chosen = db.session.get_one(Order, some(orders, -1 - order))
            self.world.tried(lambda: lifecycle.cancel(chosen))

    @rule(minutes=st.sampled_from([1, 10, 31, 31, 60 * 8, 60 * 24, 60 * 24 * 6]))
    def wait(self, minutes: int) -> None:
        self.time.move(timedelta(minutes=minutes))

    @precondition(lambda self: self.has("due"))
    @rule(wait=st.booleans())
    def lapse(self, wait: bool) -> None:
        """The job that lets orders lapse runs, perhaps when half an hour has passed."""
        if wait:
            self.time.move(timedelta(minutes=31))
        lifecycle.lapse_due(self.time.at)

    @precondition(lambda self: self.till.sessions)
    @rule()
    def ask_stripe(self) -> None:
        reconcile.ask_about_sessions(self.time.at)
        reconcile.learn_charges(self.time.at)

    @precondition(lambda self: self.has("refunds"))
    @rule()
    def send_refunds(self) -> None:
        reconcile.send_refunds(self.time.at)

    @precondition(lambda self: self.till.refunds)
    @rule(fail=st.booleans())
    def end_refunds(self, fail: bool) -> None:
        self.till.end_refunds(fail=fail)
        reconcile.send_refunds(self.time.at + timedelta(days=30))

    @precondition(lambda self: self.has("debts"))
    @rule(refund=PICK)
    def repay_a_debt(self, refund: int) -> None:
        debts = db.session.scalars(
            select(Refund.public_id).where(Refund.state == RefundState.DEBT).order_by(Refund.id)
        ).all()
        if debts:
            staff = self.world.staff[0].id
            self.world.tried(lambda: repay_debt(some(debts, refund), staff, "BANK-1"))

    @rule(buyer=PICK, source=PICK)
    def touch(self, buyer: int, source: int) -> None:
        """A buyer comes through a broadcast or a share link; later sales are credited to it."""
        sources = db.session.scalars(
            select(CreditSource)
            .where(CreditSource.kind.in_(["broadcast", "share"]))
            .order_by(CreditSource.id)
        ).all()
        who = some(self.world.buyers, buyer)
        chosen = some(sources, source)
        self.world.tried(lambda: touch(chosen, who.visitor, who.account_id))

    @rule()
    def seal(self) -> None:
        seal(books.BOOK)
