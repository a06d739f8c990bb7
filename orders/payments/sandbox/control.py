"""Control calls under /sandbox, for tests and demos: what Stripe itself does not offer.

They take the same key and JSON bodies, and answer JSON.
"""

import time
from typing import Any

from flask import Blueprint, request

from orders.payments.sandbox import checkout, disputes, events, refunds
from orders.payments.sandbox.calls import find, require_key, the_sandbox
from orders.payments.sandbox.errors import ApiError, invalid_param
from orders.payments.sandbox.outcomes import CARDS
from orders.payments.sandbox.params import is_url
from orders.payments.sandbox.state import Fault
from orders.payments.sandbox.store import Body
from orders.payments.sandbox.sweep import sweep

control = Blueprint("control", __name__, url_prefix="/sandbox")
control.before_request(require_key)

WAIT_MOST_S = 60.0
MISSING = object()


def _asked(name: str, types: type | tuple[type, ...], default: Any = MISSING) -> Any:
    """Give one value of the JSON body. Raises ApiError when it is missing or of another type."""
    body = request.get_json(silent=True)
    value = body.get(name, default) if isinstance(body, dict) else default
    if value is MISSING:
        raise invalid_param(name, f"Missing required param: {name}.", "parameter_missing")
    if value is not default and (
        not isinstance(value, types) or (isinstance(value, bool) and types is not bool)
    ):
        raise invalid_param(name, f"Invalid {name}")
    return value


@control.post("/sessions/<session_id>/pay")
def pay(session_id: str) -> Body:
    """Pay an open session without a browser.

    `method` is card, alipay or wechat_pay. `outcome` is success or declined; for a card also
    insufficient_funds, refund_pending or refund_fails (paid, and its refunds go that way).
    """
    sandbox = the_sandbox()
    method = _asked("method", str, "card")
    outcome = _asked("outcome", str, "success")
    if outcome not in (CARDS if method == "card" else ("success", "declined")):
        raise invalid_param("outcome", f"Invalid outcome: {outcome}")
    with sandbox.transaction():
        sweep(sandbox)
        session = find(sandbox, "checkout.session", session_id)
        if method == "card":
            checkout.pay_by_card(sandbox, session, CARDS[outcome])
        else:
            checkout.begin_wallet(sandbox, session, method)
            checkout.answer_wallet(sandbox, session, authorised=outcome == "success")
        session = sandbox.store.get(session_id)
        intent = sandbox.store.get(session.body["payment_intent"])
        return {"session": session.body, "payment_intent": intent.body}


@control.post("/refunds/settle")
def settle_refunds() -> Body:
    """End every refund that has not ended yet, as it was planned."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        sweep(sandbox)
        waiting = refunds.unsettled(sandbox)
        for refund in waiting:
            refunds.settle(sandbox, refund)
    return {"refunds": [refund.body for refund in waiting]}


@control.post("/refunds/<refund_id>/settle")
def settle_refund(refund_id: str) -> Body:
    """End one refund as `status` says: succeeded or failed."""
    sandbox = the_sandbox()
    status = _asked("status", str)
    if status not in ("succeeded", "failed"):
        raise invalid_param("status", f"Invalid status: {status}")
    with sandbox.transaction():
        sweep(sandbox)
        refund = find(sandbox, "refund", refund_id)
        refunds.settle(sandbox, refund, status)
    return refund.body


@control.post("/payment_intents/<intent_id>/dispute")
def begin_dispute(intent_id: str) -> Body:
    """Let the buyer's bank dispute what an intent took, or `amount` of it; `inquiry`: only ask."""
    sandbox = the_sandbox()
    amount = _asked("amount", int, None)
    inquiry: bool = _asked("inquiry", bool, False)
    with sandbox.transaction():
        sweep(sandbox)
        intent = find(sandbox, "payment_intent", intent_id)
        charge = find(sandbox, "charge", str(intent.body["latest_charge"]))
        return disputes.begin(sandbox, charge, amount, inquiry=inquiry).body


@control.post("/disputes/<dispute_id>/close")
def close_dispute(dispute_id: str) -> Body:
    """Let the bank decide as `status` says: won, lost, or warning_closed for an inquiry."""
    sandbox = the_sandbox()
    status = _asked("status", str)
    if status not in disputes.ENDS:
        raise invalid_param("status", f"Invalid status: {status}")
    with sandbox.transaction():
        sweep(sandbox)
        dispute = find(sandbox, "dispute", dispute_id)
        disputes.close(sandbox, dispute, status)
    return dispute.body


@control.get("/webhooks")
def list_webhooks() -> Body:
    """Give how deliveries stand.

    With `wait_s`, first wait up to so many seconds until none is due or on its way; events that
    are held do not count.
    """
    sandbox = the_sandbox()
    until = time.monotonic() + min(request.args.get("wait_s", 0.0, float), WAIT_MOST_S)
    with sandbox.lock:
        while events.waiting(sandbox) and not sandbox.stopping.is_set():
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            sandbox.changed.wait(left_s)
        return {
            "held": sandbox.webhooks_held(),
            "idle": not events.waiting(sandbox),
            "deliveries": events.deliveries(sandbox),
        }


@control.post("/webhooks/hold")
def hold_webhooks() -> Body:
    """Keep events back from now on."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        events.hold(sandbox)
    return {"held": True}


@control.post("/webhooks/release")
def release_webhooks() -> Body:
    """Deliver the named `events`, in the order named, and go on holding; or all, and stop it."""
    sandbox = the_sandbox()
    named: list[Any] | None = _asked("events", list, None)
    with sandbox.transaction():
        if named is None:
            events.release_all(sandbox)
        for event_id in named or []:
            events.queue(sandbox, find(sandbox, "event", str(event_id)).id)
    return {"held": named is not None and sandbox.webhooks_held()}


@control.post("/events/<event_id>/resend")
def resend_event(event_id: str) -> Body:
    """Deliver an event again, even one that has arrived."""
    sandbox = the_sandbox()
    with sandbox.transaction():
        event = find(sandbox, "event", event_id)
        events.queue(sandbox, event.id)
    return event.body


@control.post("/faults")
def set_fault() -> Body:
    """Let the next `times` API calls go wrong.

    Only those by `method` and under `path`, if given. A call waits `delay_s`; with `status` it is
    then answered so, with `body` as it is; `executed` says whether it is carried out before.
    """
    status = _asked("status", int, None)
    if status is not None and not 100 <= status <= 599:
        raise invalid_param("status", f"Invalid status: {status}")
    fault = Fault(
        times=_asked("times", int, 1),
        method=_asked("method", str, None),
        path=_asked("path", str, "/v1/"),
        delay_s=float(_asked("delay_s", (int, float), 0.0)),
        status=status,
        body=_asked("body", str, ""),
        executed=_asked("executed", bool, False),
    )
    sandbox = the_sandbox()
    with sandbox.lock:
        sandbox.faults.append(fault)
        return {"faults": len(sandbox.faults)}


@control.delete("/faults")
def clear_faults() -> Body:
    """Let no further call go wrong."""
    sandbox = the_sandbox()
    with sandbox.lock:
        sandbox.faults.clear()
    return {"faults": 0}


@control.post("/clock")
def move_clock() -> Body:
    """Move the sandbox's clock by `advance_s` seconds."""
    sandbox = the_sandbox()
    by: float = _asked("advance_s", (int, float))
    with sandbox.transaction():
        sandbox.store.set("clock_offset_s", sandbox.now() - time.time() + by)
        sweep(sandbox)
        return {"now": int(sandbox.now())}


@control.post("/settings")
def change_settings() -> Body:
    """Change `webhook_url` (empty: nowhere) or `refund_delay_s` (null: settled by hand)."""
    sandbox = the_sandbox()
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not body.keys() <= {"webhook_url", "refund_delay_s"}:
        raise ApiError(400, "Give webhook_url or refund_delay_s.", code="parameter_unknown")
    with sandbox.transaction():
        if "webhook_url" in body:
            url = _asked("webhook_url", str)
            if url and not is_url(url):
                raise invalid_param("webhook_url", "Not a valid URL", "url_invalid")
            sandbox.store.set("webhook_url", url)
        if "refund_delay_s" in body:
            sandbox.store.set("refund_delay_s", _asked("refund_delay_s", (int, float), None))
    return {"webhook_url": sandbox.webhook_url(), "refund_delay_s": sandbox.refund_delay_s()}
