"""A dispute with the keys and types that Stripe publishes."""

from orders.payments.sandbox.ids import new_id
from orders.payments.sandbox.objects import CURRENCY, unset
from orders.payments.sandbox.store import Body

_EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure "
    "cancellation_rebuttal customer_communication customer_email_address customer_name "
    "customer_purchase_ip customer_signature duplicate_charge_documentation "
    "duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy "
    "refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation "
    "shipping_tracking_number uncategorized_file uncategorized_text"
)


def dispute(of_charge: Body, amount_fen: int, due_by: int, now: int, *, inquiry: bool) -> Body:
    """Give a dispute of a charge that waits for evidence."""
    method = str(of_charge["payment_method_details"]["type"])
    details: Body = {}
    if method == "card":
        case = "inquiry" if inquiry else "chargeback"
        card = {"brand": "visa", "network": "visa", "network_reason_code": "10.4"}
        details = {**card, "case_type": case}
    return {
        "id": new_id("du_1"),
        "object": "dispute",
        "amount": amount_fen,
        "balance_transactions": [],
        "charge": of_charge["id"],
        "created": now,
        "currency": CURRENCY,
        "enhanced_eligibility_types": [],
        "evidence": {**unset(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": of_charge["payment_intent"],
        "payment_method_details": {method: details, "type": method},
        "reason": "general" if inquiry else "product_not_received",
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
