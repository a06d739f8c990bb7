"""The payment sandbox's objects have the keys and types that Stripe publishes.

`stripe_shapes.json` says for each object which keys it has and of which JSON types, as read off
Stripe's published sample objects. STRIPE_FIXTURES may name a file of those (`fixtures3.json` of
stripe/openapi), and then the table itself is held against it.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.payment_sandbox import SandboxServer, session_params

SHAPES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("stripe_shapes.json").read_text(encoding="utf-8")
)
FIXTURES = os.environ.get("STRIPE_FIXTURES")

CLASSES: dict[str, type] = {
    "account": stripe.Account,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "transfer": stripe.Transfer,
    "transfer_reversal": stripe.TransferReversal,
}


@pytest.fixture(scope="module")
def made() -> dict[str, list[dict[str, Any]]]:
    """Objects of every kind, in the states that a payment passes through, as the API shows them."""
    with SandboxServer() as sandbox:
        return _make(sandbox)


def _make(sandbox: SandboxServer) -> dict[str, list[dict[str, Any]]]:
    v1 = sandbox.client().v1
    objects: list[Any] = [v1.checkout.sessions.create(session_params())]
    for method in ("card", "alipay", "wechat_pay"):
        session = v1.checkout.sessions.create(session_params(customer_email="a@example.org"))
        objects.append(v1.checkout.sessions.expire(session.id))
        session = v1.checkout.sessions.create(session_params())
        sandbox.pay(session.id, method, "declined")
        paid = sandbox.pay(session.id, method)
        objects.append(v1.payment_intents.retrieve(paid["payment_intent"]["id"]))
        objects.append(v1.payment_methods.retrieve(objects[-1].payment_method))
        refund = v1.refunds.create({"payment_intent": paid["payment_intent"]["id"]})
        objects.append(v1.refunds.retrieve(refund.id))
    expand = ["data.refunds"]
    objects += v1.charges.list({"expand": expand}).data + v1.balance_transactions.list().data
    account = v1.accounts.create({"type": "custom"})
    sandbox.pay(v1.checkout.sessions.create(session_params()).id)
    transfer = v1.transfers.create({"amount": 100, "currency": "cny", "destination": account.id})
    objects += [account, v1.transfers.reversals.create(transfer.id)]
    objects += [v1.transfers.retrieve(transfer.id), v1.balance.retrieve()]
    for intent in [one for one in objects if one.object == "payment_intent"]:
        disputed = sandbox.dispute(intent.id)
        objects.append(v1.disputes.retrieve(disputed["id"]))
        sandbox.close_dispute(disputed["id"], "won")
    objects += v1.events.list().data + v1.disputes.list().data
    objects += v1.charges.list({"expand": expand}).data
    objects += v1.balance_transactions.list({"type": "adjustment"}).data
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in CLASSES}
    for one in objects:
        kinds[one.object].append(json.loads(str(one)))
    return kinds


@pytest.mark.parametrize("kind", CLASSES)
def test_no_key_is_invented(made: dict[str, list[dict[str, Any]]], kind: str) -> None:
    declared = set(CLASSES[kind].__annotations__)
    assert made[kind]
    for one in made[kind]:
        assert one.keys() <= declared


def _shape(value: Any) -> Any:
    """Give JSON's name of a value's type; of an object, its keys with theirs."""
    if isinstance(value, dict):
        return {key: "object" if key == "metadata" else _shape(of) for key, of in value.items()}
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "null")


def _differences(shape: dict[str, Any], ours: dict[str, Any], path: str) -> list[str]:
    """List keys that are missing or of another type; null fits all, metadata is anybody's."""
    found: list[str] = []
    for key, expected in shape.items():
        at = f"{path}.{key}"
        if key not in ours:
            found.append(f"{at} is missing")
        elif expected != "null" and ours[key] is not None:
            wanted = "object" if isinstance(expected, dict) else expected
            given = "object" if isinstance(ours[key], dict) else _shape(ours[key])
            if wanted != given:
                found.append(f"{at} is {given}, not {wanted}")
            elif isinstance(expected, dict):
                found += _differences(expected, ours[key], at)
    return found


# What belongs to the one way of paying, the one subject or the one capability of the sample.
VARIANTS = {
    "account": {"capabilities"},
    "charge": {"payment_method_details"},
    "dispute": {"payment_method_details"},
    "event": {"data"},
    "payment_method": {"card"},
    "refund": {"destination_details"},
}


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind != "event"])
def test_keys_and_types_are_those_of_stripes_own_samples(
    made: dict[str, list[dict[str, Any]]], kind: str
) -> None:
    for one in made[kind]:
        method = one.get("type") or (one.get("payment_method_details") or {}).get("type")
        left_out = VARIANTS.get(kind, set()) if method != "card" else set()
        wanted = {key: value for key, value in SHAPES[kind].items() if key not in left_out}
        assert _differences(wanted, one, kind) == []


@pytest.mark.skipif(FIXTURES is None, reason="STRIPE_FIXTURES names no file of Stripe's samples")
def test_the_table_is_what_stripes_own_samples_have() -> None:
    samples = json.loads(Path(FIXTURES or "").read_text(encoding="utf-8"))["resources"]
    assert {kind: _shape(samples[kind]) for kind in SHAPES} == SHAPES


def test_the_comparison_finds_a_missing_key_and_another_type() -> None:
    shape = {"id": "string", "amount": "number", "card": {"brand": "string"}, "on": "boolean"}
    ours: dict[str, Any] = {"amount": "1", "card": {}, "on": None}
    assert _differences(shape, ours, "charge") == [
        "charge.id is missing",
        "charge.amount is string, not number",
        "charge.card.brand is missing",
    ]
