"""Moves of buyers, members and coordinators, and of the staff who confirm their money."""

from __future__ import annotations

from sqlalchemy import select

from kernel import clock
from kernel.db import db
from kernel.identity import Account, Membership, Role
from orders.actions.group_orders import set_needs
from orders.actions.members import approve, join
from orders.actions.rounds import create_round
from orders.lifecycle import cancel
from orders.model import Order, PaymentMethod, Refund
from orders.payments.actions import Captured, confirm_transfer, record_capture, repay_debt
from orders.payments.refunds import LOST, record_failed, record_succeeded
from orders.placing import Buyer, Placed, place
from sellers.model import LotMode
from tests import builders
from tests.orders.fairs import Fair, fair, plan
from tests.races.moves import Move, move, staff

ADDRESS = {"name": "某人", "phone": "13800000000", "city": "韶关市", "address": "某路 1 号"}


def placed(account: Account, method: PaymentMethod) -> Placed:
    """An order of two units, waiting for its payment."""
    offer = builders.offer()
    return place(Buyer(account.id), {offer.id: 2}, builders.credited_to_shop(offer), method)


@move("orders_api.place_order")
def place_order() -> Move:
    """Two units of one offer."""

    def body(quantity: int) -> dict[str, object]:
        lines = [{"offer_id": offer.public_id, "quantity": quantity}]
        return {"lines": lines, "recipient": ADDRESS, "payment": "stripe"}

    offer = builders.offer(limit_per_buyer=50)
    return Move(builders.account(), "/api/v1/orders", body(2), body(3))


@move("checkout.show_checkout")
def check_out() -> Move:
    """The checkout page's form, with what it showed."""

    def body(quantity: int) -> dict[str, object]:
        shown = {"lines-0": f"{offer.public_id}:{quantity}", "total_fen": quantity * 5900}
        return {**ADDRESS, **shown, "payment": "stripe"}

    offer = builders.offer()
    return Move(builders.account(), "/checkout", body(2), body(3))


@move("orders.give_up")
def give_up() -> Move:
    """Cancel an order that is not paid yet."""
    account = builders.account()
    return Move(account, f"/orders/{placed(account, PaymentMethod.STRIPE).number}/cancel", {})


@move("payments_api.confirm_payment")
def confirm() -> Move:
    """A transfer that is on the bank statement."""
    due = placed(builders.account(), PaymentMethod.TRANSFER)
    path = f"/api/v1/payments/{due.payment_id}/confirm"
    return Move(staff(), path, {"received_fen": 11800}, {"received_fen": 11700})


@move("transfers.confirm")
def confirm_on_the_page() -> Move:
    """The same, after the second look."""
    due = placed(builders.account(), PaymentMethod.TRANSFER)
    seen = {"received": "118.00", "seen": "yes"}
    return Move(staff(), f"/staff/transfers/{due.payment_id}", seen, {**seen, "received": "118"})


def paid_by_transfer() -> Placed:
    """An order whose transfer arrived."""
    paid = placed(builders.account(), PaymentMethod.TRANSFER)
    confirm_transfer(paid.payment_id or "", staff().id, paid.total.fen)
    return paid


@move("payments_api.record_again")
def record_again() -> Move:
    """One more transfer for what was paid already."""
    path = f"/api/v1/payments/{paid_by_transfer().payment_id}/again"
    body = {"received_fen": 11800, "reference": "BANK-8"}
    return Move(staff(), path, body, {**body, "reference": "BANK-9"})


@move("transfers.again")
def record_again_on_the_page() -> Move:
    """The same on the page."""
    body = {"received": "118.00", "reference": "BANK-8"}
    path = f"/staff/transfers/{paid_by_transfer().payment_id}/again"
    return Move(staff(), path, body, {**body, "reference": "BANK-9"})


def owed() -> str:
    """A refund that is a debt: its order was paid by transfer."""
    paid = paid_by_transfer()
    cancel(db.session.get_one(Order, paid.order_id))
    refund = db.session.query(Refund).filter_by(order_id=paid.order_id).one()
    return refund.public_id


@move("payments_api.repay_refund")
def repay() -> Move:
    """What is owed was transferred to the buyer."""
    path = f"/api/v1/refunds/{owed()}/repay"
    return Move(staff(), path, {"reference": "BANK-7"}, {"reference": "BANK-8"})


@move("transfers.repay")
def repay_on_the_page() -> Move:
    """The same on the page."""
    body, other = {"reference": "BANK-7"}, {"reference": "BANK-8"}
    return Move(staff(), f"/staff/refunds/{owed()}", body, other)


def given_twice() -> str:
    """A refund that Stripe lost, that was repaid, and that Stripe then gave back."""
    paid = placed(builders.account(), PaymentMethod.STRIPE)
    captured = Captured(paid.total.fen, clock.now(), f"pi_{paid.number}")
    record_capture(paid.payment_id or "", captured)
    cancel(db.session.get_one(Order, paid.order_id))
    public_id = db.session.query(Refund).filter_by(order_id=paid.order_id).one().public_id
    record_failed(public_id, None, LOST)
    repay_debt(public_id, staff().id, "BANK-7")
    record_succeeded(public_id, f"re_{public_id}")
    return public_id


@move("payments_api.take_refund_back")
def take_back() -> Move:
    """The buyer sent back what was given twice."""
    path = f"/api/v1/refunds/{given_twice()}/taken-back"
    return Move(staff(), path, {"reference": "BANK-8"}, {"reference": "BANK-9"})


@move("transfers.taken_back")
def take_back_on_the_page() -> Move:
    """The same on the page."""
    path = f"/staff/refunds/{given_twice()}/taken-back"
    return Move(staff(), path, {"reference": "BANK-8"}, {"reference": "BANK-9"})


def member_of(at: Fair) -> Account:
    """Somebody who was let in by the coordinator."""
    member = builders.account()
    joined = join(
        member.id, at.group.join_code, staff_number=f"{member.id:04d}", department="办公室"
    )
    approve(at.group.unit_id, joined.id)
    return member


@move("rounds_api.put_needs")
def put_needs() -> Move:
    """A member needs thirty eggs."""
    at = fair(members=0)

    def body(units: int) -> dict[str, object]:
        return {"needs": [{"offer_id": at.eggs.public_id, "quantity": units}]}

    path = f"/api/v1/group-orders/{at.group.public_id}/needs"
    return Move(member_of(at), path, body(30), body(60), "PUT")


@move("groups.save_needs")
def save_needs() -> Move:
    """The same on the page."""
    at = fair(members=0)
    name = f"n-{at.eggs.public_id}"
    return Move(member_of(at), f"/needs/{at.group.public_id}", {name: "30"}, {name: "60"})


@move("rounds_api.open_")
def open_group_order() -> Move:
    """A coordinator opens the unit's group order."""
    opened = create_round(plan())
    leader = builders.account(Role.COORDINATOR, builders.buying_unit().organisation)
    path = f"/api/v1/rounds/{opened.public_id}/group-orders"
    return Move(leader, path, {"pay_mode": "members"}, {"pay_mode": "unit"})


@move("units.open_")
def open_on_the_page() -> Move:
    """The same on the page."""
    opened = create_round(plan())
    leader = builders.account(Role.COORDINATOR, builders.buying_unit().organisation)
    body = {"round": opened.public_id, "pay_mode": "members"}
    return Move(leader, "/unit/open", body, {**body, "pay_mode": "unit"})


def needed() -> Fair:
    """A group order in which somebody needs sixty eggs."""
    at = fair(members=0)
    set_needs(at.group.id, member_of(at).id, {at.eggs.id: 60})
    return at


@move("rounds_api.close")
def close_group_order() -> Move:
    """A coordinator closes before the round does."""
    at = needed()
    return Move(at.coordinator, f"/api/v1/group-orders/{at.group.public_id}/close")


def leaving() -> tuple[Fair, Membership]:
    """Somebody who needs sixty eggs and leaves the unit."""
    at = fair(members=0)
    member = member_of(at)
    set_needs(at.group.id, member.id, {at.eggs.id: 60})
    return at, db.session.scalars(
        select(Membership).where(
            Membership.account_id == member.id, Membership.role == Role.OFFICIAL
        )
    ).one()


@move("rounds_api.end")
def end_member() -> Move:
    """A colleague has left: its needs are withdrawn."""
    at, one = leaving()
    return Move(at.coordinator, f"/api/v1/group-orders/{at.group.public_id}/members/{one.id}/end")


@move("units.end")
def end_member_on_the_page() -> Move:
    """The same on the page."""
    at, one = leaving()
    return Move(at.coordinator, f"/unit/members/{one.id}/end", {})


@move("units.close")
def close_on_the_page() -> Move:
    """The same on the page."""
    at = needed()
    return Move(at.coordinator, f"/unit/orders/{at.group.public_id}/close", {})


@move("buyers_api.give_up")
def give_up_by_a_program() -> Move:
    """Cancel an order that is not paid yet."""
    account = builders.account()
    number = placed(account, PaymentMethod.STRIPE).number
    return Move(account, f"/api/v1/orders/{number}/cancel")


def round_plan(title: str) -> dict[str, object]:
    """A round, as a program plans it."""
    planned = plan()
    return {
        "title_zh": title,
        "opens_at": planned.opens_at.isoformat(),
        "closes_at": planned.closes_at.isoformat(),
        "harvest_from": planned.harvest_from.isoformat(),
        "harvest_to": planned.harvest_to.isoformat(),
        "handover_on": planned.handover_on.isoformat(),
    }


@move("planning_api.create")
def create_a_round() -> Move:
    """Staff plan a round."""
    return Move(staff(), "/api/v1/staff/rounds", round_plan("春橙"), round_plan("生姜"))


@move("planning_api.add_offer")
def offer_in_a_round() -> Move:
    """A lot goes on sale in a round."""
    lot = builders.lot(builders.product(builders.seller()), mode=LotMode.IN_FIELD)
    body = {"lot_id": lot.public_id, "price_fen": 900, "quota": 40}
    path = f"/api/v1/staff/rounds/{create_round(plan()).public_id}/offers"
    return Move(staff(), path, body, {**body, "quota": 50})


@move("planning_api.remove_offer")
def take_out_of_a_round() -> Move:
    """What nobody ordered is no longer on sale in a round."""
    at = fair(members=0)
    offers = f"/api/v1/staff/rounds/{at.round.public_id}/offers"
    return Move(staff(), f"{offers}/{at.eggs.public_id}/withdraw")
