"""Checkout Sessions of the payment sandbox, through the real SDK."""

import time
from typing import Any

import pytest
import stripe

from orders.payments.sandbox.config import MINIMUM_FEN, fee_fen
from tests.payment_sandbox import SandboxServer, session_params


def _refusal(client: stripe.StripeClient, **changes: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.checkout.sessions.create(session_params(**changes))
    assert refusal.value.http_status == 400
    assert client.v1.checkout.sessions.list().data == []
    return refusal.value


def test_a_new_session_is_open_and_unpaid_and_has_no_intent_yet(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    session = client.v1.checkout.sessions.create(session_params(customer_email="a@example.org"))
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.amount_total == 12_800
    assert session.payment_intent is None
    assert session.url == f"{sandbox.url}/c/pay/{session.id}"
    assert session.client_reference_id == "P-1001"
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"payment": "P-1001"}
    assert session.customer_details is not None
    assert session.customer_details.email == "a@example.org"
    assert client.v1.checkout.sessions.retrieve(session.id).to_dict() == session.to_dict()


@pytest.mark.parametrize("method", ["card", "alipay", "wechat_pay"])
def test_a_paid_session_has_an_intent_a_charge_and_a_fee(
    client: stripe.StripeClient, sandbox: SandboxServer, method: str
) -> None:
    session = client.v1.checkout.sessions.create(session_params(10_000))
    sandbox.pay(session.id, method)
    expand = ["payment_intent.latest_charge.balance_transaction"]
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": expand})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    intent = paid.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.status, intent.amount_received) == ("succeeded", 10_000)
    assert intent.metadata.to_dict() == {"payment": "P-1001"}
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.type == method
    movement = charge.balance_transaction
    assert isinstance(movement, stripe.BalanceTransaction)
    assert movement.fee == fee_fen(method, 10_000)
    assert movement.net == 10_000 - movement.fee
    charges = client.v1.charges.list({"payment_intent": intent.id})
    assert [one.id for one in charges.data] == [charge.id]


def test_a_fee_is_a_share_rounded_half_up_and_a_fixed_part() -> None:
    assert fee_fen("card", 10_000) == 340 + 200
    assert fee_fen("alipay", 10_000) == 220 + 200
    assert fee_fen("card", 1_015) == 35 + 200  # 34.51
    assert fee_fen("card", 1_250) == 43 + 200  # 42.50
    assert fee_fen("card", 1_249) == 42 + 200  # 42.466


def test_a_declined_card_leaves_the_session_open_for_another_try(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    first = sandbox.pay(session.id, "card", "declined")["payment_intent"]
    assert first["status"] == "requires_payment_method"
    assert first["last_payment_error"]["code"] == "card_declined"
    assert first["last_payment_error"]["decline_code"] == "generic_decline"
    second = sandbox.pay(session.id, "card", "insufficient_funds")["payment_intent"]
    assert second["id"] == first["id"]
    assert second["last_payment_error"]["decline_code"] == "insufficient_funds"
    third = sandbox.pay(session.id, "alipay", "declined")["payment_intent"]
    code = third["last_payment_error"]["code"]
    assert code == "payment_intent_authentication_failure"
    unpaid = client.v1.checkout.sessions.retrieve(session.id)
    assert (unpaid.status, unpaid.payment_status) == ("open", "unpaid")
    sandbox.pay(session.id)
    charges = client.v1.charges.list({"payment_intent": first["id"]}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed", "failed"]
    assert client.v1.payment_intents.retrieve(first["id"]).last_payment_error is None


def test_a_session_is_paid_once(client: stripe.StripeClient, sandbox: SandboxServer) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    sandbox.pay(session.id)
    with pytest.raises(OSError, match="400"):
        sandbox.pay(session.id)
    assert len(client.v1.charges.list().data) == 1


def test_line_items_are_listed_in_their_order_and_by_page(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    items = [
        {
            "price_data": {
                "currency": "cny",
                "unit_amount": 500 + place,
                "product_data": {"name": f"产品 {place}"},
            },
            "quantity": place + 1,
        }
        for place in range(5)
    ]
    session = client.v1.checkout.sessions.create(session_params(line_items=items))
    assert session.amount_total == sum((500 + n) * (n + 1) for n in range(5))
    page = client.v1.checkout.sessions.line_items.list(session.id, {"limit": 2})
    assert [item.description for item in page.auto_paging_iter()] == [f"产品 {n}" for n in range(5)]
    assert page.has_more
    last = client.v1.checkout.sessions.line_items.list(
        session.id, {"limit": 2, "ending_before": page.data[1].id}
    )
    assert [item.description for item in last.data] == ["产品 0"]
    whole = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert whole.line_items is not None
    assert len(whole.line_items.data) == 5


def test_sessions_are_listed_newest_first_by_page_and_by_status(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    ids = [client.v1.checkout.sessions.create(session_params()).id for _ in range(5)]
    sandbox.pay(ids[2])
    page = client.v1.checkout.sessions.list({"limit": 2})
    assert [one.id for one in page.auto_paging_iter()] == ids[::-1]
    newer = client.v1.checkout.sessions.list({"limit": 2, "ending_before": ids[1]})
    assert [one.id for one in newer.data] == [ids[3], ids[2]]
    assert newer.has_more
    complete = client.v1.checkout.sessions.list({"status": "complete"})
    assert [one.id for one in complete.data] == [ids[2]]
    before = client.v1.checkout.sessions.list({"created": {"lt": int(time.time()) - 60}})
    assert before.data == []


def test_an_open_session_can_be_expired_and_then_not_paid(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    sandbox.pay(session.id, "card", "declined")
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert isinstance(expired.payment_intent, str)
    intent = client.v1.payment_intents.retrieve(expired.payment_intent)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "expired")
    with pytest.raises(OSError, match="400"):
        sandbox.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="expired"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_by_the_clock(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    at = int(time.time()) + 1_900
    session = client.v1.checkout.sessions.create(session_params(expires_at=at))
    sandbox.advance_clock(1_700)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    sandbox.advance_clock(300)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert len(sandbox.event_ids("checkout.session.expired")) == 1


def test_a_session_lives_between_30_minutes_and_24_hours(client: stripe.StripeClient) -> None:
    now = int(time.time())
    assert _refusal(client, expires_at=now + 29 * 60).param == "expires_at"
    assert _refusal(client, expires_at=now + 25 * 3_600).param == "expires_at"
    longest = client.v1.checkout.sessions.create(session_params())
    assert longest.expires_at == longest.created + 24 * 3_600


def test_an_amount_below_the_minimum_is_refused(client: stripe.StripeClient) -> None:
    refusal = _refusal(client, amount_fen=MINIMUM_FEN - 1)
    assert refusal.code == "amount_too_small"
    assert "at least 400 cents" in str(refusal)
    smallest = client.v1.checkout.sessions.create(session_params(MINIMUM_FEN))
    assert smallest.amount_total == MINIMUM_FEN == 368


def test_wechat_pay_needs_to_be_told_that_it_runs_on_the_web(client: stripe.StripeClient) -> None:
    refusal = _refusal(client, payment_method_options=None)
    assert refusal.code == "parameter_missing"
    assert refusal.param == "payment_method_options[wechat_pay][client]"
    options = {"wechat_pay": {"client": "ios"}}
    assert _refusal(client, payment_method_options=options).param == refusal.param


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"mode": None}, "parameter_missing", "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"success_url": "paid"}, "url_invalid", "success_url"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        ({"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price_data]"),
        ({"mode": "subscription"}, None, "mode"),
        ({"payment_method_types": ["paypal"]}, None, "payment_method_types[0]"),
        ({"payment_method_types": ["card", "card"]}, None, "payment_method_types"),
        ({"locale": "tlh"}, None, "locale"),
        ({"submit_type": "beg"}, None, "submit_type"),
        ({"currency": "usd"}, None, "currency"),
        ({"customer_email": ""}, "parameter_invalid_empty", "customer_email"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
    ],
)
def test_what_stripe_refuses_is_refused_by_name(
    client: stripe.StripeClient, changes: dict[str, Any], code: str | None, param: str
) -> None:
    refusal = _refusal(client, **changes)
    assert (refusal.code, refusal.param) == (code, param)


def test_an_intent_of_a_session_is_neither_cancelled_nor_confirmed(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    intent = sandbox.pay(session.id, "card", "declined")["payment_intent"]
    for refused in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            refused(intent["id"])
        assert refusal.value.code == "payment_intent_unexpected_state"
    assert [one.id for one in client.v1.payment_intents.list().data] == [intent["id"]]
    unchanged = client.v1.payment_intents.retrieve(intent["id"])
    assert unchanged.status == "requires_payment_method"
