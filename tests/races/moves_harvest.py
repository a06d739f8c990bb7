"""Moves from the yield to the payout."""

from __future__ import annotations

from kernel import clock
from kernel.db import db
from kernel.identity import Account
from orders.actions import handover, harvest, settlement, yields
from orders.actions.yields import Harvested
from orders.model import Consignment, HouseholdQuota, PaymentMethod, Settlement
from orders.payments.captures import Captured, record_capture
from orders.placing import Buyer, Placed, place
from orders.queries.harvest import preview
from orders.queries.notices import item_view
from orders.queries.tasks import token_of
from tests import builders
from tests.orders.harvest_builders import Closed, closed_round
from tests.races.moves import Move, move, staff

SIGNATURE = "M1 1L2 2L3 3L4 4"
OTHER_SIGNATURE = "M1 1L2 2L3 3L4 5"


def item_path(at: Closed) -> str:
    """Where the one item of a notice is in JSON."""
    return f"/api/v1/notice-items/{at.item.public_id}"


def task() -> tuple[Closed, HouseholdQuota]:
    """A closed round whose item is split, and its first household's accepted task."""
    at = closed_round(30, 20)
    harvest.split(at.item.id, {at.households[0].public_id: 50})
    quota = db.session.query(HouseholdQuota).filter_by(item_id=at.item.id).one()
    harvest.answer(quota.id, accept=True, account_id=at.clerk.id, by_proxy=False)
    return at, quota


@move("harvest_api.put_yield")
def put_yield() -> Move:
    """A seller says how much came in."""
    at = closed_round(30, 20)
    body, other = {"quantity": 45}, {"quantity": 44}
    return Move(at.clerk, f"{item_path(at)}/yields", body, other, "PUT")


@move("harvest.enter")
def enter_on_the_page() -> Move:
    """The same on the page."""
    at = closed_round(30, 20)
    path = f"/seller/harvest/items/{at.item.public_id}/yield"
    return Move(at.clerk, path, {"quantity": "45"}, {"quantity": "44"})


@move("household.enter")
def enter_in_the_field() -> Move:
    """A household, or its steward, says it with the number pad."""
    at, quota = task()
    path = f"/field/{token_of(quota)}/yield"
    return Move(at.steward, path, {"figure": "45"}, {"figure": "44"})


def harvested() -> Closed:
    """A closed round with a yield that falls short."""
    at = closed_round(30, 20)
    yields.enter_yield(at.item.id, None, Harvested(45), account_id=None)
    return at


@move("harvest_api.withdraw")
def withdraw_yield() -> Move:
    """An entry is taken back."""
    at = harvested()
    return Move(at.clerk, f"{item_path(at)}/yields/withdraw", {})


@move("harvest_api.put_allocation")
def allocate() -> Move:
    """The yield is divided; what falls short is refunded."""
    at = harvested()
    path = f"{item_path(at)}/allocation"
    return Move(at.clerk, path, {"policy": "pro_rata"}, {"policy": "equal"})


@move("harvest.allocation")
def allocate_on_the_page() -> Move:
    """The same on the page."""
    at = harvested()
    path = f"/seller/harvest/items/{at.item.public_id}/allocation"
    return Move(at.clerk, path, {"shown": preview(item_view(at.item)).code})


def allocated() -> Closed:
    """A closed round whose goods can be packed."""
    at = harvested()
    yields.allocate(at.item.id, "pro_rata", account_id=None)
    return at


@move("delivery_api.pack")
def pack() -> Move:
    """Everything for one group order goes into boxes."""
    at = allocated()
    body = {"group_order_id": at.group_order.public_id}
    return Move(at.clerk, "/api/v1/consignments", body, {"group_order_id": "other"})


@move("handover.pack")
def pack_on_the_page() -> Move:
    """The same on the page."""
    at = allocated()
    return Move(at.clerk, "/seller/consignments", {"group_order": at.group_order.public_id})


def packed() -> tuple[Closed, Consignment]:
    """Goods in boxes."""
    at = allocated()
    return at, handover.pack(at.seller.id, at.group_order.id)


@move("delivery_api.send")
def send() -> Move:
    """The boxes leave."""
    at, made = packed()
    path = f"/api/v1/consignments/{made.public_id}/sending"
    return Move(at.clerk, path, {"carrier": "自己送"}, {"carrier": "邮政"})


@move("handover.send")
def send_on_the_page() -> Move:
    """The same on the page."""
    at, made = packed()
    path = f"/seller/consignments/{made.public_id}/sent"
    return Move(at.clerk, path, {"carrier": "自己送"}, {"carrier": "邮政"})


def sent() -> tuple[Closed, Consignment]:
    """Boxes on their way."""
    at, made = packed()
    handover.send(made.id, "自己送")
    return at, made


@move("delivery_api.sign")
def sign() -> Move:
    """The unit's coordinator signs."""
    at, made = sent()
    path = f"/api/v1/consignments/{made.public_id}/signature"
    return Move(at.coordinator, path, {"signature": SIGNATURE}, {"signature": OTHER_SIGNATURE})


@move("handover.sign")
def sign_on_the_page() -> Move:
    """The same on the page."""
    at, made = sent()
    body, other = {"signature": SIGNATURE}, {"signature": OTHER_SIGNATURE}
    return Move(at.coordinator, f"/handover/{made.public_id}", body, other)


def shop_parcel() -> tuple[Account, Placed]:
    """One buyer's paid order, on its way."""
    account, offer = builders.account(), builders.offer()
    credited = builders.credited_to_shop(offer)
    placed = place(Buyer(account.id), {offer.id: 2}, credited, PaymentMethod.STRIPE)
    arrived = Captured(placed.total.fen, clock.now(), f"pi_{placed.number}")
    record_capture(placed.payment_id or "", arrived)
    made = handover.pack_order(offer.seller_id, placed.order_id)
    handover.send(made.id, "自己送")
    return account, placed


@move("delivery_api.receive")
def receive() -> Move:
    """The buyer has it."""
    account, placed = shop_parcel()
    return Move(account, f"/api/v1/orders/{placed.number}/receipt")


@move("handover.receive")
def receive_on_the_page() -> Move:
    """The same on the page."""
    account, placed = shop_parcel()
    return Move(account, f"/handover/orders/{placed.number}/received", {})


def delivered() -> Closed:
    """A round that was handed over and signed for."""
    at, made = sent()
    handover.sign(made.id, SIGNATURE, account_id=None)
    return at


@move("settlements_api.state")
def state() -> Move:
    """Staff state what a seller is owed for a round."""
    at = delivered()
    body = {"seller_id": at.seller.organisation.public_id, "round_id": at.round.public_id}
    return Move(staff(), "/api/v1/settlements", body, {**body, "round_id": None})


@move("settlements.state")
def state_on_the_page() -> Move:
    """The same on the page."""
    at = delivered()
    body = {"seller": at.seller.organisation.public_id, "round": at.round.public_id}
    return Move(staff(), "/staff/settlements", body, {**body, "round": ""})


def stated() -> Settlement:
    """A settlement whose transfer is still to be made."""
    at = delivered()
    return settlement.state_settlement(at.seller.id, at.round.id)


PROPOSAL = {"reference": "BANK-7", "reason": "已经转账，请核对。"}


@move("settlements_api.propose_payout")
def propose_payout() -> Move:
    """One of the staff says that it was transferred."""
    path = f"/api/v1/settlements/{stated().public_id}/payout"
    return Move(staff(), path, PROPOSAL, {**PROPOSAL, "reference": "BANK-8"})


@move("settlements.propose_payout")
def propose_on_the_page() -> Move:
    """The same on the page."""
    path = f"/staff/settlements/{stated().public_id}/payout"
    return Move(staff(), path, PROPOSAL, {**PROPOSAL, "reference": "BANK-8"})


def proposed() -> Settlement:
    """A settlement whose payout waits for a second person."""
    made = stated()
    return settlement.propose_payout(made.id, **PROPOSAL, account_id=staff().id)


@move("settlements_api.approve_payout")
def approve_payout() -> Move:
    """Another one of them approves it."""
    return Move(staff(), f"/api/v1/settlements/{proposed().public_id}/payout/approval")


@move("settlements.approve_payout")
def approve_on_the_page() -> Move:
    """The same on the page."""
    return Move(staff(), f"/staff/settlements/{proposed().public_id}/payout/approve", {})


@move("settlements_api.turn_down_payout")
def turn_down_payout() -> Move:
    """Or declines it."""
    path = f"/api/v1/settlements/{proposed().public_id}/payout/refusal"
    return Move(staff(), path, {"answer": "没有到账"}, {"answer": "金额不对"})


@move("settlements.turn_down_payout")
def turn_down_on_the_page() -> Move:
    """The same on the page."""
    path = f"/staff/settlements/{proposed().public_id}/payout/decline"
    return Move(staff(), path, {"answer": "没有到账"}, {"answer": "金额不对"})


def paid() -> Settlement:
    """A settlement that was paid out."""
    made = stated()
    builders.pay_out(made.id, "BANK-7")
    return made


RETURN = {"reference": "BACK-7", "reason": "账号已销户"}


@move("settlements_api.propose_return")
def propose_return() -> Move:
    """One of the staff says that the bank returned it."""
    path = f"/api/v1/settlements/{paid().public_id}/return"
    return Move(staff(), path, RETURN, {**RETURN, "reference": "BACK-8"})


@move("settlements.propose_return")
def propose_return_on_the_page() -> Move:
    """The same on the page."""
    path = f"/staff/settlements/{paid().public_id}/return"
    return Move(staff(), path, RETURN, {**RETURN, "reference": "BACK-8"})


def come_back() -> Settlement:
    """A settlement whose return waits for a second person."""
    made = paid()
    return settlement.propose_return(made.id, **RETURN, account_id=staff().id)


@move("settlements_api.approve_return")
def approve_return() -> Move:
    """Another one of them approves it."""
    return Move(staff(), f"/api/v1/settlements/{come_back().public_id}/return/approval")


@move("settlements.approve_return")
def approve_return_on_the_page() -> Move:
    """The same on the page."""
    return Move(staff(), f"/staff/settlements/{come_back().public_id}/return/approve", {})


@move("settlements_api.turn_down_return")
def turn_down_return() -> Move:
    """Or declines it."""
    path = f"/api/v1/settlements/{come_back().public_id}/return/refusal"
    return Move(staff(), path, {"answer": "没有退回来"}, {"answer": "不是这一笔"})


@move("settlements.turn_down_return")
def turn_down_return_on_the_page() -> Move:
    """The same on the page."""
    path = f"/staff/settlements/{come_back().public_id}/return/decline"
    return Move(staff(), path, {"answer": "没有退回来"}, {"answer": "不是这一笔"})


@move("field_api.enter")
def enter_for_a_household() -> Move:
    """A household, or its steward, says by a program how much came in."""
    at, quota = task()
    path = f"/api/v1/field/{token_of(quota)}/yield"
    return Move(at.steward, path, {"quantity": 45}, {"quantity": 44}, "PUT")
