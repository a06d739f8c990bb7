"""The endpoints under /v1, as Stripe publishes them."""

from flask import Blueprint, request

from orders.payments.sandbox import checkout, lists, objects, refunds, shapes, transfers
from orders.payments.sandbox.calls import api_call, find, require_key
from orders.payments.sandbox.config import ACCOUNT_ID
from orders.payments.sandbox.connect_objects import account
from orders.payments.sandbox.errors import refused
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body

api = Blueprint("api", __name__, url_prefix="/v1")
api.before_request(require_key)


@api.post("/checkout/sessions")
@api_call(shapes.SESSION_CREATE)
def create_session(sandbox: Sandbox, values: Body) -> Body:
    """Open a session."""
    return checkout.create(sandbox, values, request.host_url.rstrip("/")).body


@api.get("/checkout/sessions")
@api_call(shapes.SESSION_LIST)
def list_sessions(sandbox: Sandbox, values: Body) -> Body:
    """List sessions."""
    filters = ["payment_intent", "status"]
    return lists.select(sandbox, "checkout.session", values, filters, request.path)


@api.get("/checkout/sessions/<session_id>")
@api_call(shapes.EXPAND)
def get_session(sandbox: Sandbox, values: Body, session_id: str) -> Body:
    """Give a session."""
    return find(sandbox, "checkout.session", session_id).body


@api.post("/checkout/sessions/<session_id>/expire")
@api_call(shapes.EXPAND)
def expire_session(sandbox: Sandbox, values: Body, session_id: str) -> Body:
    """End an open session."""
    session = find(sandbox, "checkout.session", session_id)
    checkout.expire(sandbox, session)
    return session.body


@api.get("/checkout/sessions/<session_id>/line_items")
@api_call(shapes.PLAIN_LIST)
def list_line_items(sandbox: Sandbox, values: Body, session_id: str) -> Body:
    """List what a session sells."""
    session = find(sandbox, "checkout.session", session_id)
    return lists.slice_items(session.inner["line_items"], values, request.path)


@api.get("/payment_intents")
@api_call(shapes.CREATED_LIST)
def list_intents(sandbox: Sandbox, values: Body) -> Body:
    """List payment intents."""
    return lists.select(sandbox, "payment_intent", values, [], request.path)


@api.get("/payment_intents/<intent_id>")
@api_call({**shapes.EXPAND, "client_secret": shapes.STRING})
def get_intent(sandbox: Sandbox, values: Body, intent_id: str) -> Body:
    """Give a payment intent."""
    return find(sandbox, "payment_intent", intent_id).body


@api.post("/payment_intents/<intent_id>/cancel")
@api_call(shapes.INTENT_CANCEL)
def cancel_intent(sandbox: Sandbox, values: Body, intent_id: str) -> Body:
    """Refuse, as Stripe does for every intent that a session has made."""
    find(sandbox, "payment_intent", intent_id)
    raise refused(
        "You cannot cancel a PaymentIntent that a Checkout Session created. Expire the Checkout "
        "Session instead.",
        code="payment_intent_unexpected_state",
    )


@api.post("/payment_intents/<intent_id>/confirm")
@api_call(shapes.INTENT_CONFIRM)
def confirm_intent(sandbox: Sandbox, values: Body, intent_id: str) -> Body:
    """Refuse, as Stripe does for every intent that a session has made."""
    find(sandbox, "payment_intent", intent_id)
    raise refused(
        "You cannot confirm a PaymentIntent that a Checkout Session created. Its buyer confirms "
        "it on the Checkout page.",
        code="payment_intent_unexpected_state",
    )


@api.get("/payment_methods/<method_id>")
@api_call(shapes.EXPAND)
def get_payment_method(sandbox: Sandbox, values: Body, method_id: str) -> Body:
    """Give a payment method."""
    return find(sandbox, "payment_method", method_id).body


@api.get("/charges")
@api_call(shapes.CHARGE_LIST)
def list_charges(sandbox: Sandbox, values: Body) -> Body:
    """List charges."""
    filters = ["payment_intent", "transfer_group"]
    return lists.select(sandbox, "charge", values, filters, request.path)


@api.get("/charges/<charge_id>")
@api_call(shapes.EXPAND)
def get_charge(sandbox: Sandbox, values: Body, charge_id: str) -> Body:
    """Give a charge."""
    return find(sandbox, "charge", charge_id).body


@api.get("/balance")
@api_call(shapes.EXPAND)
def get_balance(sandbox: Sandbox, values: Body) -> Body:
    """Give the account's balance; everything is available at once."""
    amount = {"amount": sandbox.store.balance_fen(), "currency": objects.CURRENCY}
    nothing = {"amount": 0, "currency": objects.CURRENCY}
    return {
        "object": "balance",
        "available": [{**amount, "source_types": {"card": amount["amount"]}}],
        "connect_reserved": [nothing],
        "livemode": False,
        "pending": [{**nothing, "source_types": {"card": 0}}],
    }


@api.get("/balance_transactions")
@api_call(shapes.BALANCE_TRANSACTION_LIST)
def list_balance_transactions(sandbox: Sandbox, values: Body) -> Body:
    """List movements of the balance."""
    filters = ["source", "type", "currency"]
    return lists.select(sandbox, "balance_transaction", values, filters, request.path)


@api.get("/balance_transactions/<movement_id>")
@api_call(shapes.EXPAND)
def get_balance_transaction(sandbox: Sandbox, values: Body, movement_id: str) -> Body:
    """Give a movement of the balance."""
    return find(sandbox, "balance_transaction", movement_id).body


@api.post("/refunds")
@api_call(shapes.REFUND_CREATE)
def create_refund(sandbox: Sandbox, values: Body) -> Body:
    """Give money back."""
    return refunds.create(sandbox, values).body


@api.get("/refunds")
@api_call(shapes.REFUND_LIST)
def list_refunds(sandbox: Sandbox, values: Body) -> Body:
    """List refunds."""
    filters = ["payment_intent", "charge"]
    return lists.select(sandbox, "refund", values, filters, request.path)


@api.get("/refunds/<refund_id>")
@api_call(shapes.EXPAND)
def get_refund(sandbox: Sandbox, values: Body, refund_id: str) -> Body:
    """Give a refund."""
    return find(sandbox, "refund", refund_id).body


@api.post("/refunds/<refund_id>")
@api_call(shapes.METADATA_UPDATE)
def update_refund(sandbox: Sandbox, values: Body, refund_id: str) -> Body:
    """Change a refund's metadata."""
    refund = find(sandbox, "refund", refund_id)
    refunds.update(sandbox, refund, values)
    return refund.body


@api.get("/disputes")
@api_call(shapes.DISPUTE_LIST)
def list_disputes(sandbox: Sandbox, values: Body) -> Body:
    """List disputes."""
    filters = ["payment_intent", "charge"]
    return lists.select(sandbox, "dispute", values, filters, request.path)


@api.get("/disputes/<dispute_id>")
@api_call(shapes.EXPAND)
def get_dispute(sandbox: Sandbox, values: Body, dispute_id: str) -> Body:
    """Give a dispute."""
    return find(sandbox, "dispute", dispute_id).body


@api.get("/account")
@api_call(shapes.EXPAND)
def get_own_account(sandbox: Sandbox, values: Body) -> Body:
    """Give the platform's own account."""
    capabilities: Body = {"alipay_payments": {}, "card_payments": {}, "wechat_pay_payments": {}}
    own = account({"capabilities": capabilities, "type": "standard"}, 0)
    return {**own, "id": ACCOUNT_ID, "charges_enabled": True}


@api.post("/accounts")
@api_call(shapes.ACCOUNT_CREATE)
def create_account(sandbox: Sandbox, values: Body) -> Body:
    """Open a connected account."""
    return transfers.create_account(sandbox, values).body


@api.get("/accounts")
@api_call(shapes.CREATED_LIST)
def list_accounts(sandbox: Sandbox, values: Body) -> Body:
    """List connected accounts."""
    return lists.select(sandbox, "account", values, [], request.path)


@api.get("/accounts/<account_id>")
@api_call(shapes.EXPAND)
def get_account(sandbox: Sandbox, values: Body, account_id: str) -> Body:
    """Give a connected account."""
    return find(sandbox, "account", account_id).body


@api.post("/transfers")
@api_call(shapes.TRANSFER_CREATE)
def create_transfer(sandbox: Sandbox, values: Body) -> Body:
    """Move money to a connected account."""
    return transfers.create(sandbox, values).body


@api.get("/transfers")
@api_call(shapes.TRANSFER_LIST)
def list_transfers(sandbox: Sandbox, values: Body) -> Body:
    """List transfers."""
    filters = ["destination", "transfer_group"]
    return lists.select(sandbox, "transfer", values, filters, request.path)


@api.get("/transfers/<transfer_id>")
@api_call(shapes.EXPAND)
def get_transfer(sandbox: Sandbox, values: Body, transfer_id: str) -> Body:
    """Give a transfer."""
    return find(sandbox, "transfer", transfer_id).body


@api.post("/transfers/<transfer_id>/reversals")
@api_call(shapes.REVERSAL_CREATE)
def create_reversal(sandbox: Sandbox, values: Body, transfer_id: str) -> Body:
    """Take a transfer back."""
    transfer = find(sandbox, "transfer", transfer_id)
    return transfers.reverse(sandbox, transfer, values).body


@api.get("/events")
@api_call(shapes.EVENT_LIST)
def list_events(sandbox: Sandbox, values: Body) -> Body:
    """List events."""
    return lists.select(sandbox, "event", values, ["type"], request.path)


@api.get("/events/<event_id>")
@api_call(shapes.EXPAND)
def get_event(sandbox: Sandbox, values: Body, event_id: str) -> Body:
    """Give an event."""
    return find(sandbox, "event", event_id).body
