"""Refunds: at once for a card, later for a wallet, and sometimes never."""

from orders.payments.sandbox import disputes, events, objects
from orders.payments.sandbox.config import REFUND_WINDOW_DAYS
from orders.payments.sandbox.errors import ApiError, missing_param, no_such, refused
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body, Record

DAY_S = 24 * 60 * 60

# A refund with this metadata fails when it is settled: a wallet has no card number to choose by.
OUTCOME_KEY = "sandbox_outcome"


def create(sandbox: Sandbox, values: Body) -> Record:
    """Give back a charge or a part of it.

    Raises ApiError for a charge that is unknown, unpaid, refunded, past its method's window, or
    smaller than what is asked.
    """
    charge = _charge(sandbox, values)
    _check_refundable(sandbox, charge)
    left_fen = charge.body["amount_captured"] - charge.body["amount_refunded"]
    amount_fen = values.get("amount", left_fen)
    if amount_fen > left_fen:
        raise refused(
            f"Refund amount (¥{amount_fen / 100:.2f}) is greater than unrefunded amount on charge "
            f"(¥{left_fen / 100:.2f})",
            param="amount",
        )
    plan = charge.inner["refunds"]
    status = "pending" if plan == "pending" else "succeeded"
    body = objects.refund(charge.body, amount_fen, values, status, int(sandbox.now()))
    fails = plan == "failing" or body["metadata"].get(OUTCOME_KEY) == "failed"
    due_at = None
    if status == "pending" or fails:
        delay_s = sandbox.refund_delay_s()
        due_at = None if delay_s is None else sandbox.now() + delay_s
    body["balance_transaction"] = _move(sandbox, charge, "refund", body["id"], -amount_fen)
    outcome = "failed" if fails else "succeeded"
    refund = sandbox.store.add(body, {"outcome": outcome}, due_at)
    _count(sandbox, charge, amount_fen)
    events.record(sandbox, "refund.created", refund.body)
    events.record(sandbox, "charge.refunded", charge.body)
    return refund


def update(sandbox: Sandbox, refund: Record, values: Body) -> None:
    """Change a refund's metadata."""
    before = refund.body["metadata"]
    refund.body["metadata"] = objects.given(values.get("metadata"), before)
    sandbox.store.save(refund)
    events.record(sandbox, "refund.updated", refund.body, {"metadata": before})


def settle(sandbox: Sandbox, refund: Record, status: str | None = None) -> None:
    """Let a refund end as planned, or as `status` (succeeded or failed) says.

    Raises ApiError for one that has ended so. One that has failed may succeed after all, as
    when a bank that sent the money back takes it at last.
    """
    before = refund.body["status"]
    status = status or refund.inner["outcome"]
    if before == status:
        raise refused(f"Refund {refund.id} has already {before}.")
    refund.body["status"] = status
    refund.due_at = None
    charge = sandbox.store.get(refund.body["charge"])
    amount_fen = refund.body["amount"]
    if status == "failed":
        refund.body["failure_reason"] = "unknown"
        refund.body["failure_balance_transaction"] = _move(
            sandbox, charge, "refund_failure", refund.id, amount_fen
        )
        _count(sandbox, charge, -amount_fen)
    elif before == "failed":
        for name in ("failure_reason", "failure_balance_transaction"):
            del refund.body[name]
        _move(sandbox, charge, "refund", refund.id, -amount_fen)
        _count(sandbox, charge, amount_fen)
    sandbox.store.save(refund)
    previous = {"status": before}
    events.record(sandbox, "refund.updated", refund.body, previous)
    events.record(sandbox, "charge.refund.updated", refund.body, previous)
    if status == "failed":
        events.record(sandbox, "refund.failed", refund.body)


def unsettled(sandbox: Sandbox) -> list[Record]:
    """Give the refunds that have not ended yet, the oldest first."""
    pending = sandbox.store.select("refund", [("status", "=", "pending")])
    succeeded = sandbox.store.select("refund", [("status", "=", "succeeded")])
    failing = [refund for refund in succeeded if refund.inner["outcome"] == "failed"]
    return sorted(pending + failing, key=lambda refund: refund.seq)


def _charge(sandbox: Sandbox, values: Body) -> Record:
    if "payment_intent" not in values and "charge" not in values:
        raise missing_param("payment_intent")
    charge_id: str = values.get("charge", "")
    if "payment_intent" in values:
        intent_id: str = values["payment_intent"]
        intent = sandbox.store.find("payment_intent", intent_id)
        if intent is None:
            raise no_such("payment_intent", intent_id, param="payment_intent")
        latest = intent.body["latest_charge"]
        if latest is None or charge_id not in ("", latest):
            raise refused(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge_id = latest
    charge = sandbox.store.find("charge", charge_id)
    if charge is None:
        raise no_such("charge", charge_id, param="charge")
    return charge


def _check_refundable(sandbox: Sandbox, charge: Record) -> None:
    if not charge.body["paid"]:
        raise _not_refundable(f"Charge {charge.id} was not paid and cannot be refunded.")
    if charge.body["refunded"]:
        raise refused(
            f"Charge {charge.id} has already been refunded.", code="charge_already_refunded"
        )
    if disputes.forbids_refunds(sandbox, charge):
        raise refused(f"Charge {charge.id} has been charged back.", code="charge_disputed")
    method = charge.body["payment_method_details"]["type"]
    window_days = REFUND_WINDOW_DAYS.get(method)
    if window_days is not None:
        age_s = sandbox.now() - charge.body["created"]
        if age_s > window_days * DAY_S:
            raise _not_refundable(
                f"Charge {charge.id} is older than {window_days} days and can no longer be "
                f"refunded to {method}."
            )


def _not_refundable(message: str) -> ApiError:
    return refused(message, code="charge_not_refundable")


def _move(sandbox: Sandbox, charge: Record, kind: str, source: str, amount_fen: int) -> str:
    card = charge.body["payment_method_details"]["type"] == "card"
    name = kind if card else f"payment_{kind}"
    movement = objects.balance_transaction(name, kind, source, amount_fen, int(sandbox.now()))
    return sandbox.store.add(movement).id


def _count(sandbox: Sandbox, charge: Record, amount_fen: int) -> None:
    refunded_fen = charge.body["amount_refunded"] + amount_fen
    charge.body["amount_refunded"] = refunded_fen
    charge.body["refunded"] = refunded_fen == charge.body["amount_captured"]
    sandbox.store.save(charge)
