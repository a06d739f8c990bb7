"""Checkout Sessions and the payments made through them."""

from orders.payments.sandbox import events, objects
from orders.payments.sandbox.config import (
    MAXIMUM_FEN,
    MINIMUM_FEN,
    MINIMUM_HKD_CENTS,
    SESSION_LONGEST_S,
    SESSION_SHORTEST_S,
    fee_fen,
)
from orders.payments.sandbox.errors import invalid_param, missing_param, refused
from orders.payments.sandbox.outcomes import DECLINES, NORMAL, Card, authentication_failure
from orders.payments.sandbox.shapes import METHODS
from orders.payments.sandbox.state import Sandbox
from orders.payments.sandbox.store import Body, Record

WALLET_ACTIONS = {"alipay": "alipay_handle_redirect", "wechat_pay": "wechat_pay_display_qr_code"}
LINE_ITEMS_MOST = 100


def create(sandbox: Sandbox, values: Body, url_base: str) -> Record:
    """Open a session; its pages lie under `url_base`. Raises ApiError for what Stripe refuses."""
    now = int(sandbox.now())
    _check_methods(values)
    _check_expiry(values, now)
    items = _items(values, now)
    total_fen = sum(item["amount_total"] for item in items)
    _check_total(total_fen)
    body = objects.session(values, total_fen, now, url_base)
    inner = {"line_items": items, "intent": values.get("payment_intent_data", {})}
    return sandbox.store.add(body, inner, due_at=body["expires_at"])


def _check_methods(values: Body) -> None:
    if values["mode"] != "payment":
        raise invalid_param("mode", "This account takes sessions in payment mode only.")
    named = values.setdefault("payment_method_types", [])
    options = values.setdefault("payment_method_options", {})
    if not named:
        # Named by nobody, the methods are those that the account has switched on.
        named.extend(METHODS)
        options.setdefault("wechat_pay", {}).setdefault("client", "web")
    if len(set(named)) != len(named):
        raise invalid_param("payment_method_types", "Each payment method may be named once.")
    if "wechat_pay" in named:
        client = options.get("wechat_pay", {}).get("client")
        name = "payment_method_options[wechat_pay][client]"
        if client is None:
            raise missing_param(name)
        if client != "web":
            raise invalid_param(name, f"Invalid {name}: must be web for a Checkout Session.")


def _check_expiry(values: Body, now: int) -> None:
    at = values.setdefault("expires_at", now + SESSION_LONGEST_S)
    if at < now + SESSION_SHORTEST_S:
        raise invalid_param(
            "expires_at",
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
        )
    if at > now + SESSION_LONGEST_S:
        raise invalid_param(
            "expires_at",
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
        )


def _items(values: Body, now: int) -> list[Body]:
    asked = values["line_items"]
    if not asked:
        raise missing_param("line_items")
    if len(asked) > LINE_ITEMS_MOST:
        message = f"Checkout Sessions can have at most {LINE_ITEMS_MOST} line items."
        raise invalid_param("line_items", message)
    currencies = [(values.get("currency", objects.CURRENCY), "currency")]
    currencies += [
        (item["price_data"]["currency"], f"line_items[{place}][price_data][currency]")
        for place, item in enumerate(asked)
    ]
    for currency, name in currencies:
        if currency.lower() != objects.CURRENCY:
            message = f"Invalid currency: {currency}. This account takes cny only."
            raise invalid_param(name, message)
    return [objects.line_item(item, now) for item in asked]


def _check_total(total_fen: int) -> None:
    if total_fen < MINIMUM_FEN:
        hkd_cents = total_fen * MINIMUM_HKD_CENTS // MINIMUM_FEN
        raise invalid_param(
            "line_items",
            f"The Checkout Session's total amount must convert to at least {MINIMUM_HKD_CENTS} "
            f"cents. ¥{total_fen / 100:.2f} converts to approximately HK${hkd_cents / 100:.2f}.",
            "amount_too_small",
        )
    if total_fen > MAXIMUM_FEN:
        message = f"The Checkout Session's total amount must be no more than ¥{MAXIMUM_FEN / 100}."
        raise invalid_param("line_items", message, "amount_too_large")


def expire(sandbox: Sandbox, session: Record) -> None:
    """End an open session unpaid. Raises ApiError when it is not open."""
    if session.body["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session.body['status']}."
        )
    session.body.update(status="expired", url=None)
    session.due_at = None
    sandbox.store.save(session)
    if session.body["payment_intent"] is not None:
        intent = sandbox.store.get(session.body["payment_intent"])
        intent.body.update(
            status="canceled",
            canceled_at=int(sandbox.now()),
            cancellation_reason="expired",
            next_action=None,
        )
        sandbox.store.save(intent)
        events.record(sandbox, "payment_intent.canceled", intent.body)
    events.record(sandbox, "checkout.session.expired", session.body)


def require_open(session: Record, method: str) -> None:
    """Raise ApiError unless the session can be paid by this method now."""
    if session.body["status"] != "open":
        raise refused(f"This Checkout Session is {session.body['status']}.")
    if method not in session.body["payment_method_types"]:
        raise refused(f"This Checkout Session does not offer {method}.", param="method")


def pay_by_card(sandbox: Sandbox, session: Record, card: Card) -> bool:
    """Let a test card pay an open session; give whether it was paid."""
    require_open(session, "card")
    intent = _intent(sandbox, session)
    method = _method(sandbox, session, "card", card.number)
    if card.decline is None:
        _succeed(sandbox, session, intent, method, card)
        return True
    error = DECLINES[card.decline]
    charge = objects.charge(intent.body, method.body, card.number, int(sandbox.now()))
    charge.update(
        amount_captured=0,
        captured=False,
        failure_code=error["code"],
        failure_message=error["message"],
        paid=False,
        status="failed",
    )
    charge["outcome"].update(
        network_status="declined_by_network",
        reason=error["decline_code"],
        seller_message="The bank declined the payment.",
        type="issuer_declined",
    )
    sandbox.store.add(charge)
    events.record(sandbox, "charge.failed", charge)
    intent.body["latest_charge"] = charge["id"]
    _fail(sandbox, intent, {**error, "charge": charge["id"], "payment_method": method.body})
    return False


def begin_wallet(sandbox: Sandbox, session: Record, wallet: str) -> None:
    """Send the buyer to authorise an Alipay or WeChat Pay payment."""
    require_open(session, wallet)
    intent = _intent(sandbox, session)
    method = _method(sandbox, session, wallet, None)
    action = WALLET_ACTIONS[wallet]
    url = f"{session.body['url']}/authorise"
    # WeChat Pay shows a code that leads to the page, Alipay the page itself.
    details: Body = {"data": url, "hosted_instructions_url": url}
    if wallet == "alipay":
        details = {"native_data": None, "native_url": None, "return_url": url, "url": url}
    intent.body.update(
        last_payment_error=None,
        next_action={action: details, "type": action},
        payment_method=method.id,
        status="requires_action",
    )
    sandbox.store.save(intent)
    events.record(sandbox, "payment_intent.requires_action", intent.body)


def answer_wallet(sandbox: Sandbox, session: Record, *, authorised: bool) -> None:
    """End what `begin_wallet` began. Raises ApiError when nothing waits to be authorised."""
    intent = _awaiting(sandbox, session)
    if intent is None:
        raise refused("No payment of this Checkout Session waits to be authorised.")
    method = sandbox.store.get(intent.body["payment_method"])
    if authorised:
        _succeed(sandbox, session, intent, method, NORMAL)
    else:
        _fail(sandbox, intent, authentication_failure(method.body))


def awaiting_wallet(sandbox: Sandbox, session: Record) -> str | None:
    """Give the wallet whose authorisation an open session waits for, or None."""
    intent = _awaiting(sandbox, session)
    if intent is None:
        return None
    return str(sandbox.store.get(intent.body["payment_method"]).body["type"])


def last_error(sandbox: Sandbox, session: Record) -> Body | None:
    """Give why the last try to pay failed, or None."""
    if session.body["payment_intent"] is None:
        return None
    error: Body | None = sandbox.store.get(session.body["payment_intent"]).body[
        "last_payment_error"
    ]
    return error


def _awaiting(sandbox: Sandbox, session: Record) -> Record | None:
    if session.body["status"] != "open" or session.body["payment_intent"] is None:
        return None
    intent = sandbox.store.get(session.body["payment_intent"])
    return intent if intent.body["status"] == "requires_action" else None


def _intent(sandbox: Sandbox, session: Record) -> Record:
    """Give the session's intent; like Stripe's, it is made when the buyer first tries to pay."""
    if session.body["payment_intent"] is not None:
        return sandbox.store.get(session.body["payment_intent"])
    now = int(sandbox.now())
    intent = sandbox.store.add(
        objects.payment_intent(session.body, session.inner["intent"], now),
        {"session": session.id},
    )
    session.body["payment_intent"] = intent.id
    sandbox.store.save(session)
    events.record(sandbox, "payment_intent.created", intent.body)
    return intent


def _method(sandbox: Sandbox, session: Record, kind: str, number: str | None) -> Record:
    email = session.body["customer_email"]
    return sandbox.store.add(objects.payment_method(kind, number, email, int(sandbox.now())))


def _fail(sandbox: Sandbox, intent: Record, error: Body) -> None:
    intent.body.update(
        last_payment_error=error,
        next_action=None,
        payment_method=None,
        status="requires_payment_method",
    )
    sandbox.store.save(intent)
    events.record(sandbox, "payment_intent.payment_failed", intent.body)


def _succeed(sandbox: Sandbox, session: Record, intent: Record, method: Record, card: Card) -> None:
    now = int(sandbox.now())
    kind = str(method.body["type"])
    number = card.number if kind == "card" else None
    charge = objects.charge(intent.body, method.body, number, now)
    movement = objects.balance_transaction(
        "charge" if kind == "card" else "payment",
        "charge",
        charge["id"],
        charge["amount"],
        now,
        fee_fen(kind, charge["amount"]),
    )
    charge["balance_transaction"] = movement["id"]
    sandbox.store.add(movement)
    sandbox.store.add(charge, {"refunds": card.refunds if kind == "card" else "pending"})
    intent.body.update(
        amount_received=charge["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=method.id,
        status="succeeded",
    )
    sandbox.store.save(intent)
    session.body.update(payment_status="paid", status="complete", url=None)
    session.due_at = None
    sandbox.store.save(session)
    events.record(sandbox, "charge.succeeded", charge)
    events.record(sandbox, "payment_intent.succeeded", intent.body)
    events.record(sandbox, "checkout.session.completed", session.body)
