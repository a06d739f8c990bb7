"""New objects with the keys and types that Stripe publishes."""

from typing import Any

from orders.payments.sandbox.ids import new_id
from orders.payments.sandbox.store import Body

CURRENCY = "cny"


def unset(names: str) -> Body:
    """Give keys that Stripe always shows and that are null here."""
    return dict.fromkeys(names.split())


def given(metadata: dict[str, str] | None, old: dict[str, str] | None = None) -> dict[str, str]:
    """Merge metadata into the old; an empty value removes its key."""
    merged = {**(old or {}), **(metadata or {})}
    return {key: value for key, value in merged.items() if value != ""}


def page(url: str, data: list[Body], *, has_more: bool = False) -> Body:
    """Give a list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def line_item(values: Body, now: int) -> Body:
    """Give a session's line item from its checked parameters."""
    price = values["price_data"]
    total = price["unit_amount"] * values["quantity"]
    return {
        "id": new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": CURRENCY,
        "description": price["product_data"]["name"],
        "metadata": given(values.get("metadata")),
        "price": {
            "id": new_id("price_1"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": now,
            "currency": CURRENCY,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": new_id("prod_", 14),
            "recurring": None,
            "tax_behavior": price.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": values["quantity"],
    }


_SESSION_UNUSED = unset(
    "after_expiration allow_promotion_codes billing_address_collection client_secret consent "
    "consent_collection currency_conversion customer customer_account discounts "
    "integration_identifier invoice origin_context payment_link "
    "payment_method_configuration_details permissions recovered_from "
    "saved_payment_method_options setup_intent shipping_address_collection shipping_cost "
    "subscription wallet_options"
)


def session(values: Body, total_fen: int, now: int, url_base: str) -> Body:
    """Give an open Checkout Session from its checked parameters."""
    session_id = new_id("cs_test_a1", 58)
    email = values.get("customer_email")
    return {
        **_SESSION_UNUSED,
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": total_fen,
        "amount_total": total_fen,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": values.get("cancel_url"),
        "client_reference_id": values.get("client_reference_id"),
        "collected_information": unset("business_name individual_name shipping_details"),
        "created": now,
        "currency": CURRENCY,
        "custom_fields": [],
        "custom_text": unset("after_submit shipping_address submit terms_of_service_acceptance"),
        "customer_creation": "if_required",
        "customer_details": None if email is None else _customer_details(email),
        "customer_email": email,
        "expires_at": values["expires_at"],
        "invoice_creation": {"enabled": False, "invoice_data": _no_invoice()},
        "livemode": False,
        "locale": values.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": given(values.get("metadata")),
        "mode": "payment",
        "payment_intent": None,
        "payment_method_collection": "if_required",
        "payment_method_options": values["payment_method_options"],
        "payment_method_types": values["payment_method_types"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "submit_type": values.get("submit_type"),
        "success_url": values["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{url_base}/c/pay/{session_id}",
    }


def _customer_details(email: str) -> Body:
    unknown = unset("address business_name individual_name name phone")
    return {**unknown, "email": email, "tax_exempt": "none", "tax_ids": []}


def _no_invoice() -> Body:
    nothing = unset("account_tax_ids custom_fields description footer issuer rendering_options")
    return {**nothing, "metadata": {}}


_INTENT_UNUSED = unset(
    "application application_fee_amount automatic_payment_methods canceled_at "
    "cancellation_reason customer customer_account excluded_payment_method_types "
    "last_payment_error latest_charge next_action on_behalf_of payment_method "
    "payment_method_configuration_details processing review setup_future_usage shipping source "
    "statement_descriptor statement_descriptor_suffix transfer_data"
)


def payment_intent(of_session: Body, data: Body, now: int) -> Body:
    """Give the intent of a session whose buyer begins to pay."""
    intent_id = new_id("pi_3")
    return {
        **_INTENT_UNUSED,
        "id": intent_id,
        "object": "payment_intent",
        "amount": of_session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic",
        "client_secret": f"{intent_id}_secret_{new_id('', 25)}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": CURRENCY,
        "description": data.get("description"),
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": given(data.get("metadata")),
        "payment_method_options": of_session["payment_method_options"],
        "payment_method_types": of_session["payment_method_types"],
        "receipt_email": data.get("receipt_email"),
        "status": "requires_payment_method",
        "transfer_group": data.get("transfer_group"),
    }


def _card(number: str) -> Body:
    return {
        "brand": "visa",
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"sandbox{number[-4:]}card",
        "funding": "credit",
        "last4": number[-4:],
        "regulated_status": "unregulated",
    }


def _billing_details(email: str | None) -> Body:
    unknown = unset("name phone tax_id")
    return {
        **unknown,
        "address": unset("city country line1 line2 postal_code state"),
        "email": email,
    }


def payment_method(method: str, number: str | None, email: str | None, now: int) -> Body:
    """Give what a buyer pays with; `number` is a card's, None for a wallet."""
    details: Body = {}
    if number is not None:
        details = {
            **_card(number),
            "display_brand": "visa",
            "generated_from": None,
            "networks": {"available": ["visa"], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        }
    return {
        "id": new_id("pm_1"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": _billing_details(email),
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": method,
        method: details,
    }


def _method_details(method: str, number: str | None, amount_fen: int) -> Body:
    if number is None:
        return {method: {"fingerprint": None, "transaction_id": new_id("", 28)}, "type": method}
    unavailable = {"status": "unavailable"}
    details = {
        **_card(number),
        "amount_authorized": amount_fen,
        "authorization_code": new_id("", 6),
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": unavailable,
        "installments": None,
        "mandate": None,
        "multicapture": unavailable,
        "network": "visa",
        "network_token": {"used": False},
        "network_transaction_id": new_id("", 15),
        "overcapture": {**unavailable, "maximum_amount_capturable": amount_fen},
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }
    return {"card": details, "type": "card"}


_CHARGE_UNUSED = unset(
    "application application_fee application_fee_amount balance_transaction customer "
    "failure_balance_transaction failure_code failure_message on_behalf_of receipt_number "
    "receipt_url review shipping source source_transfer statement_descriptor "
    "statement_descriptor_suffix transfer_data"
)


def charge(intent: Body, method: Body, number: str | None, now: int) -> Body:
    """Give a succeeded charge; its balance transaction is set by whoever keeps it."""
    kind = str(method["type"])
    return {
        **_CHARGE_UNUSED,
        "id": new_id("ch_3" if kind == "card" else "py_3"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "XIANGJI" if kind == "card" else None,
        "captured": True,
        "created": now,
        "currency": CURRENCY,
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(kind, number, intent["amount"]),
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded",
        "transfer_group": intent["transfer_group"],
    }


def balance_transaction(
    kind: str, category: str, source: str, amount_fen: int, now: int, fee: int = 0
) -> Body:
    """Give a movement of the account's balance, less its fee; both in fen."""
    detail: dict[str, Any] = {
        "amount": fee,
        "application": None,
        "currency": CURRENCY,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount_fen,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": CURRENCY,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount_fen - fee,
        "reporting_category": category,
        "source": source,
        "status": "available",
        "type": kind,
    }


def refund(of_charge: Body, amount_fen: int, values: Body, status: str, now: int) -> Body:
    """Give a refund of a charge."""
    method = str(of_charge["payment_method_details"]["type"])
    unused = unset(
        "balance_transaction customer customer_account receipt_number source_transfer_reversal "
        "transfer_reversal"
    )
    details = {"type": "refund"} if method == "card" else {}
    return {
        **unused,
        "id": new_id("re_3" if method == "card" else "pyr_1"),
        "object": "refund",
        "amount": amount_fen,
        "charge": of_charge["id"],
        "created": now,
        "currency": CURRENCY,
        "destination_details": {method: details, "type": method},
        "metadata": given(values.get("metadata")),
        "payment_intent": of_charge["payment_intent"],
        "payment_method": of_charge["payment_method"],
        "reason": values.get("reason"),
        "status": status,
    }
