"""How the payment sandbox takes calls: keys, ids, idempotency and faults on demand."""

import threading
from base64 import b64encode

import pytest
import requests
import stripe

from tests.payment_sandbox import SandboxServer, session_params

KEY: stripe.RequestOptions = {"idempotency_key": "P-1"}


def test_a_wrong_key_is_refused(sandbox: SandboxServer) -> None:
    stranger = stripe.StripeClient("sk_test_wrong_key", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError, match=r"sk_test_\*+_key") as refusal:
        stranger.v1.checkout.sessions.create(session_params())
    assert refusal.value.http_status == 401
    assert sandbox.client().v1.checkout.sessions.list().data == []


def test_no_key_is_refused_and_a_key_as_user_name_is_taken(sandbox: SandboxServer) -> None:
    url = f"{sandbox.url}/v1/refunds"
    refusal = requests.get(url, timeout=5)
    assert refusal.status_code == 401
    assert refusal.json()["error"]["type"] == "invalid_request_error"
    basic = b64encode(f"{sandbox.key}:".encode()).decode()
    taken = requests.get(url, headers={"Authorization": f"Basic {basic}"}, timeout=5)
    assert taken.status_code == 200


def test_control_calls_need_the_key_too(sandbox: SandboxServer) -> None:
    assert requests.post(f"{sandbox.url}/sandbox/webhooks/hold", timeout=5).status_code == 401
    assert sandbox.control("GET", "/webhooks")["held"] is False


def test_health_needs_no_key(sandbox: SandboxServer) -> None:
    assert requests.get(f"{sandbox.url}/healthz", timeout=5).status_code == 200


def test_an_unknown_id_is_not_found(client: stripe.StripeClient) -> None:
    for find in (
        client.v1.checkout.sessions.retrieve,
        client.v1.payment_intents.retrieve,
        client.v1.charges.retrieve,
        client.v1.refunds.retrieve,
        client.v1.transfers.retrieve,
        client.v1.events.retrieve,
        client.v1.balance_transactions.retrieve,
    ):
        with pytest.raises(stripe.InvalidRequestError, match="No such") as refusal:
            find("xx_nothing")
        assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_an_id_of_another_kind_is_not_found(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.payment_intents.retrieve(session.id)


def test_an_unknown_path_is_refused_in_stripes_shape(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refusal:
        client.v1.customers.create({"name": "x"})
    assert refusal.value.http_status == 404


def test_every_answer_names_its_request(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    assert session.last_response is not None
    assert str(session.last_response.request_id).startswith("req_")


def test_only_what_is_a_link_can_be_expanded(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.checkout.sessions.retrieve(session.id, {"expand": ["metadata"]})


def test_the_same_key_and_body_give_the_same_answer(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    first = client.v1.checkout.sessions.create(session_params(), KEY)
    sandbox.restart()
    again = client.v1.checkout.sessions.create(session_params(), KEY)
    assert again.to_dict() == first.to_dict()
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(client.v1.checkout.sessions.list().data) == 1


def test_the_same_key_with_another_body_is_refused(client: stripe.StripeClient) -> None:
    client.v1.checkout.sessions.create(session_params(), KEY)
    with pytest.raises(stripe.IdempotencyError) as refusal:
        client.v1.checkout.sessions.create(session_params(9_900), KEY)
    assert refusal.value.http_status == 400
    assert len(client.v1.checkout.sessions.list().data) == 1


def test_a_refusal_of_parameters_is_not_kept_under_the_key(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.create(session_params(1), KEY)
    session = client.v1.checkout.sessions.create(session_params(), KEY)
    assert session.status == "open"


def test_a_refusal_of_what_was_carried_out_is_kept_under_the_key(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    session = client.v1.checkout.sessions.create(session_params(10_000))
    intent = sandbox.pay(session.id)["payment_intent"]["id"]
    replayed: list[str | None] = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="greater than") as refusal:
            client.v1.refunds.create({"payment_intent": intent, "amount": 10_001}, KEY)
        replayed.append((refusal.value.headers or {}).get("Idempotent-Replayed"))
    assert replayed == [None, "true"]


def test_a_key_is_forgotten_after_a_day(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    first = client.v1.checkout.sessions.create(session_params(), KEY)
    sandbox.advance_clock(25 * 3_600)
    later = client.v1.checkout.sessions.create(session_params(), KEY)
    assert later.id != first.id


def test_of_two_calls_at_once_with_one_key_the_second_is_told_to_wait(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    # Whichever comes first holds the key for as long as this.
    sandbox.fail_next(delay_s=1.0)
    together = threading.Barrier(2)
    made: list[str] = []
    refused: list[stripe.APIError] = []

    def create() -> None:
        own = sandbox.client()
        together.wait(timeout=10)
        try:
            made.append(own.v1.checkout.sessions.create(session_params(), KEY).id)
        except stripe.APIError as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [refusal.http_status for refusal in refused] == [409]
    assert "idempotency_key_in_use" in str(refused[0].http_body)
    assert [one.id for one in client.v1.checkout.sessions.list().data] == made


def test_calls_can_be_made_to_fail_with_any_status_and_body(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    sandbox.fail_next(status=502, body="<html>no gateway</html>", path="/v1/checkout")
    assert client.v1.refunds.list().data == []
    with pytest.raises(stripe.APIError):
        client.v1.checkout.sessions.create(session_params())
    assert client.v1.checkout.sessions.list().data == []
    sandbox.fail_next(status=200, body="{rubbish", method="POST")
    with pytest.raises(stripe.APIError, match="Invalid response body"):
        client.v1.checkout.sessions.create(session_params())
    sandbox.fail_next(status=500, times=3)
    sandbox.clear_faults()
    assert client.v1.checkout.sessions.create(session_params()).status == "open"


def test_an_answer_that_was_lost_is_found_again_by_its_key(sandbox: SandboxServer) -> None:
    sandbox.fail_next(status=503, executed=True, method="POST")
    patient = sandbox.client(retries=2)
    session = patient.v1.checkout.sessions.create(session_params(), KEY)
    assert session.last_response is not None
    assert session.last_response.headers["Idempotent-Replayed"] == "true"
    assert [one.id for one in patient.v1.checkout.sessions.list().data] == [session.id]
