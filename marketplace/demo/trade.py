"""What was sold in the shop, by broadcasts, through share links: placed, paid, sent, settled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from kernel import clock
from kernel.access import Viewer
from kernel.db import db, transaction
from kernel.errors import Conflict
from livestream.actions import make_share_link, touch
from livestream.model import ShareLink
from marketplace.checkout import purchase
from marketplace.demo.shelves import paper
from marketplace.demo.till import INVENTED, learn
from marketplace.demo.world import World
from orders.actions import handover, settlement
from orders.lifecycle import cancel, lapse_due
from orders.model import (
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    PaymentShare,
    Refund,
    RefundState,
)
from orders.payments.captures import (
    Captured,
    confirm_transfer,
    record_capture,
    record_cash,
    submit_proof,
)
from orders.payments.refunds import record_succeeded
from orders.placing import Recipient

CITIES = ("重庆市", "韶关市", "东莞市", "广州市", "衡水市", "成都市")
IN_HAND = (
    "kz-orange-box", "xs-egg", "xs-chrysanthemum", "lc-rice", "lc-honey", "lc-sweetpotato",
    "wz-rose-orange", "wz-honey", "yb-pepper", "wy-millet",
)  # fmt: skip
IN_FIELD = ("yb-citrus", "wz-mushroom", "lc-ginger")
WEEKS = 12


def guest(name: str) -> Viewer:
    """Return a visitor without an account, known by `name`."""
    return Viewer(account_id=None, visitor=f"demo-{name}")


def recipient(world: World) -> Recipient:
    """Return somebody without a name, somewhere."""
    city = world.dice.choice(CITIES)
    return Recipient(name="收货人", phone="000-0000-0000", city=city, address="示例路 1 号")


def buy(
    world: World,
    who: Viewer,
    lines: dict[str, int],
    method: PaymentMethod = PaymentMethod.STRIPE,
) -> Order:
    """Place an order (offer public id → units) as the checkout does, and return it."""
    to = None if method is PaymentMethod.CASH else recipient(world)
    key = f"demo-{world.diary.done}-{world.dice.random()}"
    answer = purchase(who, lines, to, method, None, key)
    return db.session.scalars(select(Order).where(Order.number == answer["number"])).one()


def payment_of(order: Order) -> Payment:
    """Return the payment that an order waits for, or got."""
    return db.session.scalars(
        select(Payment).join(PaymentShare).where(PaymentShare.order_id == order.id)
    ).one()


def pay(payment: Payment) -> None:
    """Let the money come in; which wallet paid is learned later."""
    record_capture(payment.public_id, Captured(payment.amount_fen, clock.now()))


def settle_refunds() -> None:
    """The provider gave back what was asked of it."""
    waiting = db.session.scalars(
        select(Refund.public_id).where(Refund.state == RefundState.PENDING).order_by(Refund.id)
    ).all()
    for public_id in waiting:
        record_succeeded(public_id, f"{INVENTED}{public_id}")


def deliver(order_id: int) -> None:
    """Every seller of an order packs and sends; the buyer confirms that it came."""
    with transaction() as session:
        sellers = session.scalars(
            select(OrderLine.seller_id).where(OrderLine.order_id == order_id).distinct()
        ).all()
        for seller_id in sorted(sellers):
            packed = handover.pack_order(seller_id, order_id)
            handover.send(packed.id, "快递", f"DEMO{packed.id:08d}")
        handover.receive(order_id, account_id=None)


def settle_shop(world: World, *, paid_out: bool) -> None:
    """State what every seller is owed for what was delivered, and perhaps pay it out."""
    staff, second = world.accounts["staff"], world.accounts["staff2"]
    for code, seller_id in world.sellers.items():
        with suppress(Conflict):  # nothing of this seller was delivered since the last time
            stated = settlement.state_settlement(seller_id, None, account_id=staff)
            if paid_out:
                settlement.propose_payout(
                    stated.id, f"DEMO-{code}-{stated.id}", reason="买家都收到了", account_id=staff
                )
                settlement.approve_payout(stated.id, account_id=second)


def shop(world: World) -> None:
    """Write the shop's weeks, two share links and a few unusual orders into the diary."""
    diary = world.diary
    diary.at(diary.ago(91, 10), lambda: _share_links(world))
    for week in range(WEEKS, -1, -1):
        for number in range(11 + (WEEKS - week) // 3):
            day = week * 7 + world.dice.randrange(7)
            at = diary.ago(day, 8 + world.dice.randrange(13), world.dice.randrange(60))
            diary.at(at, _visit(world, guest(f"{week}-{number}"), at))
        diary.at(diary.ago(week * 7, 23), lambda: learn(world))
    for days, paid_out in ((56, True), (28, True), (3, False)):
        diary.at(diary.ago(days, 17), partial(settle_shop, world, paid_out=paid_out))
    _unusual(world)


def _share_links(world: World) -> None:
    make_share_link(world.viewer("volunteer"), "乡村志愿者推广码", "A village volunteer's link")
    make_share_link(
        world.viewer("steward"), "驻村帮扶责任人推广码", "A steward's link", world.offers["xs-egg"]
    )


def _visit(world: World, visitor: Viewer, at: datetime) -> Callable[[], None]:
    """Return what one visitor does: comes, perhaps through a link, chooses, pays, perhaps not."""
    dice = world.dice.random()
    through_link, gives_back, never_pays = dice < 0.35, dice > 0.95, 0.92 < dice <= 0.95

    def act() -> None:
        if through_link:
            links = db.session.scalars(select(ShareLink).order_by(ShareLink.id)).all()
            touch(world.dice.choice(links).credit, visitor.visitor, None)
        order = buy(world, visitor, _basket(world))
        if never_pays:
            world.diary.at(at + timedelta(minutes=31), lambda: lapse_due(clock.now()))
            return
        pay(payment_of(order))
        order_id = order.id
        if gives_back:
            later = at + timedelta(hours=3)
            world.diary.at(later, lambda: _give_back(order_id))
        elif all(line.harvest_from is None for line in order.lines):
            world.diary.at(at + timedelta(days=3), lambda: deliver(order_id))

    return act


def _basket(world: World) -> dict[str, int]:
    codes = world.dice.sample(IN_HAND, world.dice.choice((1, 1, 2)))
    if world.dice.random() < 0.15:
        codes.append(world.dice.choice(IN_FIELD))
    return {
        world.offers[code]: world.dice.choice((10, 20, 30)) if _is_small(world, code)
        else world.dice.choice((1, 1, 2, 3))
        for code in codes
    }  # fmt: skip


def _is_small(world: World, code: str) -> bool:
    return world.prices[code] < 1000


def _give_back(order_id: int) -> None:
    cancel(db.session.get_one(Order, order_id))
    settle_refunds()


def _unusual(world: World) -> None:
    """A counter's cash, transfers in every state, and orders of today that wait."""
    diary = world.diary
    for days in (40, 19):
        diary.at(diary.ago(days, 10), lambda: _at_the_counter(world))
    diary.at(diary.ago(16, 11), lambda: _by_transfer(world, confirm=True))
    diary.at(diary.ago(1, 10), lambda: _by_transfer(world, confirm=False))
    diary.at(diary.now - timedelta(minutes=12), lambda: _wait_for_payment(world))


def _at_the_counter(world: World) -> None:
    offer = world.offers["kz-orange-box"]
    order = buy(world, world.viewer("staff"), {offer: 2}, PaymentMethod.CASH)
    record_cash(payment_of(order).public_id)
    deliver(order.id)


def _by_transfer(world: World, *, confirm: bool) -> None:
    from_unit = world.viewer("coordinator-yb-hospital")
    lines = {world.offers["wz-rose-orange"]: 20, world.offers["lc-rice"]: 40}
    order = buy(world, from_unit, lines, PaymentMethod.TRANSFER)
    payment = payment_of(order)
    prove(payment, from_unit.account_id)
    if confirm:
        confirm_next_day(world, payment.public_id)
        order_id = order.id
        world.diary.at(clock.now() + timedelta(days=4), lambda: deliver(order_id))


def prove(payment: Payment, account_id: int | None) -> None:
    """Upload the picture of a made-up receipt for a transfer."""
    receipt = paper("Transfer receipt (sample)", payment.transfer_code or "")
    submit_proof(payment.public_id, receipt, "transfer.png", account_id=account_id)


def confirm_next_day(world: World, public_id: str) -> None:
    """Let staff find the transfer on the bank statement the day after."""
    staff = world.accounts["staff"]
    world.diary.at(clock.now() + timedelta(days=1), lambda: confirm_transfer(public_id, staff))


def _wait_for_payment(world: World) -> None:
    lines = {world.offers["kz-orange-box"]: 1, world.offers["xs-egg"]: 30}
    buy(world, world.viewer("buyer"), lines)
