"""A market day: every kind of movement of money once or more, through the real actions."""

from __future__ import annotations

from kernel import clock, ledger
from kernel.db import db
from orders import books
from orders.actions import handover, settlement, yields
from orders.actions.harvest import propose, split
from orders.actions.yields import Harvested
from orders.lifecycle import cancel
from orders.model import CreditKind, Order, PaymentMethod
from orders.payments.captures import Captured, record_capture, record_cash
from orders.placing import Buyer, Credited, Placed, place
from tests import builders
from tests.orders.harvest_builders import closed_round

SIGNATURE = "M1 1L2 2L3 3L4 4"


def pay(placed: Placed) -> None:
    """The payment of an order came in through Stripe."""
    assert placed.payment_id is not None
    record_capture(
        placed.payment_id, Captured(placed.total.fen, clock.now(), f"pi_{placed.number}")
    )


def shop_sales() -> None:
    """Three sales, one by cash, one given back, one that nobody has paid."""
    offer = builders.offer(quota=50, limit_per_buyer=9)
    credited = builders.credited_to_shop(offer)
    for units in (1, 2, 3):
        pay(place(Buyer(builders.account().id), {offer.id: units}, credited, PaymentMethod.STRIPE))
    cancelled = place(builders.buyer(), {offer.id: 4}, credited, PaymentMethod.STRIPE)
    pay(cancelled)
    cancel(db.session.get_one(Order, cancelled.order_id))
    cash = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.CASH)
    assert cash.payment_id is not None
    record_cash(cash.payment_id)
    place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE)


def round_short() -> None:
    """A round ten per cent short, handed over, settled, paid out, come back and paid again."""
    made = closed_round(50, 30, 20)
    split(made.item.id, propose(made.item, made.households))
    yields.enter_yield(made.item.id, None, Harvested(90), account_id=None)
    yields.allocate(made.item.id, "pro_rata", account_id=None)
    packed = handover.pack(made.seller.id, made.group_order.id)
    handover.send(packed.id, "自己送")
    handover.sign(packed.id, SIGNATURE, account_id=None)
    stated = settlement.state_settlement(made.seller.id, made.round.id)
    builders.pay_out(stated.id, "BANK-1")
    builders.return_payout(stated.id, "BACK-1")
    builders.pay_out(stated.id, "BANK-2")


def shared_sale() -> None:
    """One sale through a share link, assisted by a broadcast."""
    link = builders.credit_source(CreditKind.SHARE, "link")
    live = builders.credit_source(CreditKind.BROADCAST, "live")
    offer = builders.offer(price_fen=1250)
    pay(place(builders.buyer(), {offer.id: 2}, {offer.id: Credited(link.id, (live.id,))},
              PaymentMethod.STRIPE))  # fmt: skip


def trade() -> None:
    """All of it, sealed."""
    shop_sales()
    round_short()
    shared_sale()
    ledger.seal(books.BOOK)
