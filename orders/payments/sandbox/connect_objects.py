"""New accounts, transfers and reversals with the keys and types that Stripe publishes."""

from orders.payments.sandbox.ids import new_id
from orders.payments.sandbox.objects import CURRENCY, given, page, unset
from orders.payments.sandbox.store import Body


def account(values: Body, now: int) -> Body:
    """Give a connected account that may receive transfers."""
    account_id = new_id("acct_1", 15)
    asked = values.get("capabilities")
    capabilities = dict.fromkeys(asked, "active") if isinstance(asked, dict) else {}
    nothing_due: Body = {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": [],
        "disabled_reason": None,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    }
    return {
        "id": account_id,
        "object": "account",
        "business_profile": _business_profile(values.get("business_profile")),
        "business_type": values.get("business_type"),
        "capabilities": {**capabilities, "transfers": "active"},
        "charges_enabled": False,
        "controller": {"type": "application"},
        "country": values.get("country", "HK"),
        "created": now,
        "default_currency": CURRENCY,
        "details_submitted": True,
        "email": values.get("email"),
        "external_accounts": page(f"/v1/accounts/{account_id}/external_accounts", []),
        "future_requirements": dict(nothing_due),
        "metadata": given(values.get("metadata")),
        "payouts_enabled": True,
        "requirements": dict(nothing_due),
        "settings": _settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": values.get("type", "custom"),
    }


def _business_profile(asked: object) -> Body:
    profile = unset(
        "annual_revenue estimated_worker_count mcc minority_owned_business_designation name "
        "product_description support_address support_email support_phone support_url url"
    )
    known = asked if isinstance(asked, dict) else {}
    return {**profile, **{key: value for key, value in known.items() if key in profile}}


def _settings() -> Body:
    descriptors = unset(
        "statement_descriptor statement_descriptor_kana statement_descriptor_kanji "
        "statement_descriptor_prefix_kana statement_descriptor_prefix_kanji"
    )
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": unset("icon logo primary_color secondary_color"),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Asia/Shanghai"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": descriptors,
        "payouts": {
            "debit_negative_balances": False,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


def transfer(values: Body, now: int) -> Body:
    """Give a transfer to a connected account."""
    transfer_id = new_id("tr_3")
    return {
        "id": transfer_id,
        "object": "transfer",
        "amount": values["amount"],
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": now,
        "currency": CURRENCY,
        "description": values.get("description"),
        "destination": values["destination"],
        "destination_payment": new_id("py_1"),
        "livemode": False,
        "metadata": given(values.get("metadata")),
        "reversals": page(f"/v1/transfers/{transfer_id}/reversals", []),
        "reversed": False,
        "source_transaction": values.get("source_transaction"),
        "source_type": "card",
        "transfer_group": values.get("transfer_group"),
    }


def reversal(of_transfer: Body, amount_fen: int, values: Body, now: int) -> Body:
    """Give a reversal of a transfer."""
    return {
        "id": new_id("trr_1"),
        "object": "transfer_reversal",
        "amount": amount_fen,
        "balance_transaction": None,
        "created": now,
        "currency": CURRENCY,
        "destination_payment_refund": None,
        "metadata": given(values.get("metadata")),
        "source_refund": None,
        "transfer": of_transfer["id"],
    }
