"""Connected accounts, transfers to them, and reversals."""

from orders.payments.sandbox import connect_objects, events, objects
from orders.payments.sandbox.errors import invalid_param, no_such, refused
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body, Record


def create_account(sandbox: Sandbox, values: Body) -> Record:
    """Open a connected account."""
    return sandbox.store.add(connect_objects.account(values, int(sandbox.now())))


def create(sandbox: Sandbox, values: Body) -> Record:
    """Move money from the account's balance to a connected account.

    Raises ApiError for an unknown destination or charge, and when the balance (or the charge
    that the money is said to come from) does not cover it.
    """
    if values["currency"].lower() != objects.CURRENCY:
        raise invalid_param("currency", f"Invalid currency: {values['currency']}")
    if sandbox.store.find("account", values["destination"]) is None:
        raise no_such("destination", values["destination"], param="destination", status=400)
    if "source_transaction" in values:
        _check_source(sandbox, values)
    if values["amount"] > sandbox.store.balance_fen():
        raise refused(
            "You have insufficient available funds in your Stripe account.",
            code="balance_insufficient",
        )
    now = int(sandbox.now())
    transfer = sandbox.store.add(connect_objects.transfer(values, now))
    transfer.body["balance_transaction"] = sandbox.store.add(
        objects.balance_transaction("transfer", "transfer", transfer.id, -values["amount"], now)
    ).id
    sandbox.store.save(transfer)
    events.record(sandbox, "transfer.created", transfer.body)
    return transfer


def _check_source(sandbox: Sandbox, values: Body) -> None:
    charge = sandbox.store.find("charge", values["source_transaction"])
    if charge is None:
        raise no_such("charge", values["source_transaction"], param="source_transaction")
    earlier = sandbox.store.select("transfer", [("source_transaction", "=", charge.id)])
    moved_fen = sum(one.body["amount"] - one.body["amount_reversed"] for one in earlier)
    if moved_fen + values["amount"] > charge.body["amount_captured"]:
        raise refused(
            f"The transfers from charge {charge.id} would exceed its amount.", param="amount"
        )


def reverse(sandbox: Sandbox, transfer: Record, values: Body) -> Record:
    """Take a transfer or a part of it back. Raises ApiError for more than is left of it."""
    left_fen = transfer.body["amount"] - transfer.body["amount_reversed"]
    amount_fen = values.get("amount", left_fen)
    if left_fen == 0 or amount_fen > left_fen:
        raise refused(
            f"Reversal amount (¥{amount_fen / 100:.2f}) is greater than unreversed amount on "
            f"transfer (¥{left_fen / 100:.2f})",
            param="amount",
        )
    now = int(sandbox.now())
    body = connect_objects.reversal(transfer.body, amount_fen, values, now)
    movement = objects.balance_transaction(
        "transfer_refund", "transfer_reversal", body["id"], amount_fen, now
    )
    body["balance_transaction"] = sandbox.store.add(movement).id
    reversal = sandbox.store.add(body)
    transfer.body["amount_reversed"] += amount_fen
    transfer.body["reversed"] = transfer.body["amount_reversed"] == transfer.body["amount"]
    transfer.body["reversals"]["data"].insert(0, body)
    sandbox.store.save(transfer)
    events.record(sandbox, "transfer.reversed", transfer.body)
    return reversal
