"""Chargebacks: the buyer's bank takes a payment back, and later decides who keeps the money."""

from orders.payments.sandbox import events
from orders.payments.sandbox.config import DISPUTE_FEE_FEN
from orders.payments.sandbox.dispute_objects import dispute as dispute_object
from orders.payments.sandbox.errors import refused
from orders.payments.sandbox.objects import balance_transaction
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Record

DAY_S = 24 * 60 * 60
ANSWER_DAYS = 9
ENDS = ("won", "lost", "warning_closed")


def begin(sandbox: Sandbox, charge: Record, amount_fen: int | None, *, inquiry: bool) -> Record:
    """Let a bank dispute a charge, or a part of it; an inquiry takes no money.

    Raises ApiError for a charge that was not paid, or is disputed already.
    """
    if not charge.body["paid"] or charge.body["disputed"]:
        raise refused(f"Charge {charge.id} cannot be disputed.")
    now = int(sandbox.now())
    amount = amount_fen or charge.body["amount_captured"]
    body = dispute_object(charge.body, amount, now + ANSWER_DAYS * DAY_S, now, inquiry=inquiry)
    dispute = sandbox.store.add(body)
    charge.body["disputed"] = True
    sandbox.store.save(charge)
    if not inquiry:
        _move(sandbox, dispute, "dispute", -amount, DISPUTE_FEE_FEN)
    events.record(sandbox, "charge.dispute.created", dispute.body)
    if not inquiry:
        events.record(sandbox, "charge.dispute.funds_withdrawn", dispute.body)
    return dispute


def close(sandbox: Sandbox, dispute: Record, status: str) -> None:
    """Let the bank decide: won, lost, or warning_closed. Raises ApiError for what has ended."""
    before = dispute.body["status"]
    if before in ENDS:
        raise refused(f"Dispute {dispute.id} has already ended: {before}.")
    dispute.body["status"] = status
    dispute.body["is_charge_refundable"] = False
    if status == "won":
        _move(sandbox, dispute, "dispute_reversal", dispute.body["amount"], 0)
        events.record(sandbox, "charge.dispute.funds_reinstated", dispute.body)
    sandbox.store.save(dispute)
    events.record(sandbox, "charge.dispute.closed", dispute.body, {"status": before})


def forbids_refunds(sandbox: Sandbox, charge: Record) -> bool:
    """Say whether a charge has been charged back, so that it cannot be refunded."""
    found = sandbox.store.select("dispute", [("charge", "=", charge.id)])
    return any(
        one.body["status"] != "won" and not one.body["is_charge_refundable"] for one in found
    )


def _move(sandbox: Sandbox, dispute: Record, category: str, amount_fen: int, fee: int) -> None:
    now = int(sandbox.now())
    moved = balance_transaction("adjustment", category, dispute.id, amount_fen, now, fee)
    sandbox.store.add(moved)
    dispute.body["balance_transactions"].append(moved)
    sandbox.store.save(dispute)
