"""Refunds and transfers of the payment sandbox, through the real SDK."""

import pytest
import stripe

from tests.payment_sandbox import SandboxServer, session_params

DAY_S = 24 * 3_600


def _paid(
    sandbox: SandboxServer, method: str = "card", outcome: str = "success", amount_fen: int = 10_000
) -> str:
    """Give the intent of a session that was paid so."""
    session = sandbox.client().v1.checkout.sessions.create(session_params(amount_fen))
    return str(sandbox.pay(session.id, method, outcome)["payment_intent"]["id"])


def _charge(client: stripe.StripeClient, intent: str) -> stripe.Charge:
    return client.v1.charges.list({"payment_intent": intent}).data[0]


def test_a_card_refund_succeeds_at_once(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox)
    refund = client.v1.refunds.create(
        {
            "payment_intent": intent,
            "reason": "requested_by_customer",
            "metadata": {"refund": "R-1"},
            "expand": ["balance_transaction"],
        }
    )
    assert (refund.status, refund.amount) == ("succeeded", 10_000)
    assert refund.metadata is not None
    assert refund.metadata.to_dict() == {"refund": "R-1"}
    assert isinstance(refund.balance_transaction, stripe.BalanceTransaction)
    assert (refund.balance_transaction.net, refund.balance_transaction.fee) == (-10_000, 0)
    assert _charge(client, intent).refunded


def test_refunds_in_parts_never_exceed_the_charge(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox)
    charge = _charge(client, intent)
    first = client.v1.refunds.create({"charge": charge.id, "amount": 3_000})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as refusal:
        client.v1.refunds.create({"charge": charge.id, "amount": 7_001})
    assert (refusal.value.http_status, refusal.value.param) == (400, "amount")
    assert _charge(client, intent).amount_refunded == 3_000
    rest = client.v1.refunds.create({"payment_intent": intent})
    assert rest.amount == 7_000
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent, "amount": 1})
    assert refusal.value.code == "charge_already_refunded"
    listed = client.v1.refunds.list({"payment_intent": intent}).data
    assert [refund.id for refund in listed] == [rest.id, first.id]
    whole = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert whole.refunds is not None
    assert [refund.id for refund in whole.refunds.data] == [rest.id, first.id]


def test_what_was_never_paid_is_not_refunded(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox, outcome="declined")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"amount": 100})
    assert refusal.value.code == "parameter_missing"
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.v1.refunds.create({"payment_intent": "pi_nothing"})
    assert client.v1.refunds.list().data == []


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_a_wallets_refund_is_pending_and_then_succeeds(
    client: stripe.StripeClient, sandbox: SandboxServer, method: str
) -> None:
    intent = _paid(sandbox, method)
    refund = client.v1.refunds.create({"payment_intent": intent, "amount": 4_000})
    assert refund.status == "pending"
    assert _charge(client, intent).amount_refunded == 4_000
    assert [one["id"] for one in sandbox.settle_refunds()] == [refund.id]
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert sandbox.settle_refunds() == []


def test_a_pending_refund_settles_by_itself_after_the_delay(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    sandbox.change(refund_delay_s=3_600)
    intent = _paid(sandbox, "alipay")
    refund = client.v1.refunds.create({"payment_intent": intent})
    sandbox.advance_clock(3_500)
    assert client.v1.refunds.retrieve(refund.id).status == "pending"
    sandbox.advance_clock(200)
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_refund_that_fails_gives_its_amount_back_to_the_charge(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox, "alipay")
    before_fen = client.v1.balance.retrieve().available[0].amount
    refund = client.v1.refunds.create({"payment_intent": intent})
    sandbox.settle_refund(refund.id, "failed")
    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "unknown")
    assert isinstance(failed.failure_balance_transaction, stripe.BalanceTransaction)
    assert failed.failure_balance_transaction.net == 10_000
    charge = _charge(client, intent)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert client.v1.balance.retrieve().available[0].amount == before_fen
    assert client.v1.refunds.create({"payment_intent": intent}).status == "pending"


@pytest.mark.parametrize(
    ("outcome", "first", "last"),
    [("refund_pending", "pending", "succeeded"), ("refund_fails", "succeeded", "failed")],
)
def test_stripes_test_cards_choose_how_their_refunds_go(
    client: stripe.StripeClient, sandbox: SandboxServer, outcome: str, first: str, last: str
) -> None:
    intent = _paid(sandbox, "card", outcome)
    refund = client.v1.refunds.create({"payment_intent": intent})
    assert refund.status == first
    sandbox.settle_refunds()
    assert client.v1.refunds.retrieve(refund.id).status == last


def test_a_refund_can_be_asked_to_fail_by_its_metadata(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox, "wechat_pay")
    body: stripe.params.RefundCreateParams = {
        "payment_intent": intent,
        "metadata": {"sandbox_outcome": "failed"},
    }
    refund = client.v1.refunds.create(body)
    assert refund.status == "pending"
    sandbox.settle_refunds()
    assert client.v1.refunds.retrieve(refund.id).status == "failed"


@pytest.mark.parametrize(("method", "days"), [("alipay", 90), ("wechat_pay", 180)])
def test_a_wallet_takes_no_refund_past_its_window(
    client: stripe.StripeClient, sandbox: SandboxServer, method: str, days: int
) -> None:
    intent = _paid(sandbox, method)
    sandbox.advance_clock(days * DAY_S - 60)
    assert client.v1.refunds.create({"payment_intent": intent, "amount": 1}).status == "pending"
    sandbox.advance_clock(120)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent, "amount": 1})
    assert refusal.value.code == "charge_not_refundable"
    assert _charge(client, intent).amount_refunded == 1


def test_a_transfer_moves_the_balance_to_a_connected_account(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    _paid(sandbox)
    account = client.v1.accounts.create({"type": "custom", "country": "HK"})
    before_fen = client.v1.balance.retrieve().available[0].amount
    transfer = client.v1.transfers.create(
        {
            "amount": 6_000,
            "currency": "cny",
            "destination": account.id,
            "metadata": {"settlement": "S-1"},
        }
    )
    assert client.v1.transfers.retrieve(transfer.id).destination == account.id
    assert client.v1.balance.retrieve().available[0].amount == before_fen - 6_000
    client.v1.transfers.reversals.create(transfer.id, {"amount": 1_000})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unreversed"):
        client.v1.transfers.reversals.create(transfer.id, {"amount": 5_001})
    assert client.v1.transfers.retrieve(transfer.id).amount_reversed == 1_000
    assert client.v1.balance.retrieve().available[0].amount == before_fen - 5_000


def test_a_transfer_needs_a_known_account_and_enough_balance(
    client: stripe.StripeClient, sandbox: SandboxServer
) -> None:
    intent = _paid(sandbox)
    account = client.v1.accounts.create({"type": "custom"})
    with pytest.raises(stripe.InvalidRequestError, match="No such destination"):
        client.v1.transfers.create({"amount": 1, "currency": "cny", "destination": "acct_none"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.transfers.create({"amount": 10_000, "currency": "cny", "destination": account.id})
    assert refusal.value.code == "balance_insufficient"
    _paid(sandbox)
    with pytest.raises(stripe.InvalidRequestError, match="would exceed"):
        client.v1.transfers.create(
            {
                "amount": 10_001,
                "currency": "cny",
                "destination": account.id,
                "source_transaction": _charge(client, intent).id,
            }
        )
    assert client.v1.transfers.list().data == []
