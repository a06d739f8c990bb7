"""Events of the payment sandbox and their signed delivery."""

import socket

import stripe

from tests.payment_sandbox import SandboxServer, WebhookReceiver, session_params

PAID = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
]


def _paid(sandbox: SandboxServer, method: str = "card") -> str:
    session = sandbox.client().v1.checkout.sessions.create(session_params())
    return str(sandbox.pay(session.id, method)["payment_intent"]["id"])


def test_a_payment_is_told_by_signed_events_in_their_order(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    intent = _paid(sandbox)
    sandbox.wait_for_webhooks()
    # The receiver takes nothing whose signature is wrong.
    assert receiver.types == PAID
    completed = receiver.events[-1]
    assert completed.api_version == stripe.api_version
    told = completed.data.object.to_dict()
    assert (told["payment_status"], told["payment_intent"]) == ("paid", intent)
    asked = sandbox.client().v1.events.retrieve(completed.id)
    assert asked.data.object.to_dict() == told
    assert asked.pending_webhooks == 0


def test_a_failure_is_told(sandbox: SandboxServer, receiver: WebhookReceiver) -> None:
    session = sandbox.client().v1.checkout.sessions.create(session_params())
    sandbox.pay(session.id, "card", "declined")
    event = receiver.wait_for("payment_intent.payment_failed")
    assert event.data.object.to_dict()["last_payment_error"]["code"] == "card_declined"


def test_an_expired_session_is_told_although_nobody_asks(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    session = sandbox.client().v1.checkout.sessions.create(session_params())
    sandbox.advance_clock(25 * 3_600)
    event = receiver.wait_for("checkout.session.expired")
    assert event.data.object.to_dict()["id"] == session.id


def test_refunds_are_told_from_their_creation_to_their_failure(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    refund = sandbox.client().v1.refunds.create({"payment_intent": _paid(sandbox, "alipay")})
    sandbox.settle_refund(refund.id, "failed")
    sandbox.wait_for_webhooks()
    assert receiver.types[-5:] == [
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]
    assert receiver.events[-3].data.previous_attributes is not None
    assert receiver.events[-5].data.object.to_dict()["status"] == "pending"
    assert receiver.events[-1].data.object.to_dict()["status"] == "failed"


def test_a_transfer_is_told(sandbox: SandboxServer, receiver: WebhookReceiver) -> None:
    _paid(sandbox)
    client = sandbox.client()
    account = client.v1.accounts.create({"type": "custom"})
    client.v1.transfers.create({"amount": 500, "currency": "cny", "destination": account.id})
    assert receiver.wait_for("transfer.created").data.object.to_dict()["amount"] == 500


def test_an_event_that_was_not_taken_is_sent_again(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    receiver.answers = [500, 302, 404]
    _paid(sandbox)
    sandbox.wait_for_webhooks()
    assert sorted(receiver.types) == sorted(PAID)
    assert receiver.tries == len(PAID) + 3
    assert {delivery["state"] for delivery in sandbox.webhooks()} == {"delivered"}


def test_tries_are_bounded_and_a_given_up_event_can_be_sent_by_hand(
    receiver: WebhookReceiver,
) -> None:
    with SandboxServer(receiver.url, webhook_tries=3) as sandbox:
        receiver.answers = [500] * 12
        _paid(sandbox)
        sandbox.wait_for_webhooks()
        deliveries = sandbox.webhooks()
        assert [one["state"] for one in deliveries] == ["given_up"] * 4
        assert [one["tries"] for one in deliveries] == [3] * 4
        unheard = sandbox.client().v1.events.list({"delivery_success": False}).data
        assert [event.type for event in unheard] == PAID[::-1]
        sandbox.resend(deliveries[3]["event"])
        sandbox.wait_for_webhooks()
        assert receiver.types == ["checkout.session.completed"]


def test_a_refused_connection_is_tried_again_also_after_a_restart(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    sandbox.change(webhook_url=f"http://127.0.0.1:{port}/")
    _paid(sandbox)
    sandbox.restart()
    assert not sandbox.control("GET", "/webhooks")["idle"]
    assert receiver.types == []
    sandbox.change(webhook_url=receiver.url)
    sandbox.wait_for_webhooks()
    assert sorted(receiver.types) == sorted(PAID)


def test_held_events_come_in_the_order_they_are_released(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    sandbox.hold_webhooks()
    _paid(sandbox)
    sandbox.restart()
    ids = {one["type"]: one["event"] for one in sandbox.webhooks()}
    assert receiver.types == []
    first = ["checkout.session.completed", "payment_intent.created"]
    sandbox.release_webhooks(*(ids[kind] for kind in first))
    sandbox.wait_for_webhooks()
    assert receiver.types == first
    sandbox.release_webhooks()
    sandbox.wait_for_webhooks()
    assert receiver.types == [*first, "charge.succeeded", "payment_intent.succeeded"]


def test_an_event_can_be_sent_any_number_of_times(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    _paid(sandbox)
    sandbox.wait_for_webhooks()
    (event_id,) = sandbox.event_ids("checkout.session.completed")
    for _ in range(2):
        sandbox.resend(event_id)
        sandbox.wait_for_webhooks()
    assert [event.id for event in receiver.events[-3:]] == [event_id] * 3


def test_a_slow_endpoint_keeps_no_request_waiting(
    sandbox: SandboxServer, receiver: WebhookReceiver
) -> None:
    # It connects and never answers, for longer than the calls below may take together.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sandbox.change(webhook_url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        _paid(sandbox)
        connection, _ = silent.accept()
        with connection:
            assert len(sandbox.client().v1.events.list().data) == len(PAID)
            _paid(sandbox)
            assert len(sandbox.client().v1.events.list().data) == 2 * len(PAID)
        sandbox.change(webhook_url=receiver.url)
    sandbox.wait_for_webhooks()
    assert sorted(receiver.types) == sorted(PAID * 2)


def test_events_are_listed_by_type(sandbox: SandboxServer) -> None:
    _paid(sandbox)
    events = sandbox.client().v1.events
    one = events.list({"type": "charge.succeeded"}).data
    assert [event.type for event in one] == ["charge.succeeded"]
    two = events.list({"types": ["charge.succeeded", "payment_intent.succeeded"]}).data
    assert [event.type for event in two] == ["payment_intent.succeeded", "charge.succeeded"]
