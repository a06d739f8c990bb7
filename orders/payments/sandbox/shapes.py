"""The parameters that each endpoint takes."""

from orders.payments.sandbox.params import Param, Shape

METHODS = ("card", "alipay", "wechat_pay")
_LOCALES = (
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hi-IN hr hu id it ja ko lt lv ms mt "
    "nb nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
)
LOCALES = tuple(_LOCALES.split())

STRING = Param()
INTEGER = Param("integer")
BOOLEAN = Param("boolean")
METADATA = Param("metadata")
ANY = Param("any")
EXPAND = {"expand": Param("list", each=STRING)}

_PAGING: Shape = {
    **EXPAND,
    "limit": Param("integer", least=1),
    "starting_after": STRING,
    "ending_before": STRING,
}
_LIST: Shape = {**_PAGING, "created": ANY}

_PRODUCT_DATA: Shape = {
    "name": Param(required=True),
    "description": STRING,
    "images": Param("list", each=Param("url")),
    "metadata": METADATA,
    "tax_code": STRING,
    "unit_label": STRING,
}
_PRICE_DATA: Shape = {
    "currency": Param(required=True),
    "unit_amount": Param("integer", required=True, least=0),
    "product_data": Param("hash", required=True, of=_PRODUCT_DATA),
    "tax_behavior": Param(choices=("exclusive", "inclusive", "unspecified")),
}
_LINE_ITEM: Shape = {
    "price_data": Param("hash", required=True, of=_PRICE_DATA),
    "quantity": Param("integer", required=True, least=1),
    "metadata": METADATA,
}
_METHOD_OPTIONS: Shape = {
    "card": Param(
        "hash", of={"request_three_d_secure": Param(choices=("any", "automatic", "challenge"))}
    ),
    "alipay": Param("hash", of={"setup_future_usage": Param(choices=("none",))}),
    "wechat_pay": Param(
        "hash",
        of={
            "client": Param(choices=("android", "ios", "web")),
            "app_id": STRING,
            "setup_future_usage": Param(choices=("none",)),
        },
    ),
}

SESSION_CREATE: Shape = {
    **EXPAND,
    "mode": Param(required=True, choices=("payment", "setup", "subscription")),
    "line_items": Param("list", required=True, of=_LINE_ITEM),
    "success_url": Param("url", required=True),
    "cancel_url": Param("url"),
    "payment_method_types": Param("list", each=Param(choices=METHODS)),
    "payment_method_options": Param("hash", of=_METHOD_OPTIONS),
    "payment_intent_data": Param(
        "hash",
        of={
            "metadata": METADATA,
            "description": STRING,
            "receipt_email": STRING,
            "transfer_group": STRING,
        },
    ),
    "client_reference_id": Param(longest=200),
    "currency": STRING,
    "customer_email": Param(longest=512),
    "expires_at": INTEGER,
    "locale": Param(choices=LOCALES),
    "metadata": METADATA,
    "submit_type": Param(choices=("auto", "book", "donate", "pay", "subscribe")),
    "ui_mode": Param(choices=("hosted_page",)),
}
SESSION_LIST: Shape = {
    **_LIST,
    "payment_intent": STRING,
    "status": Param(choices=("complete", "expired", "open")),
}
PLAIN_LIST = _PAGING
CREATED_LIST = _LIST
CHARGE_LIST: Shape = {**_LIST, "payment_intent": STRING, "transfer_group": STRING}
REFUND_LIST: Shape = {**_LIST, "payment_intent": STRING, "charge": STRING}
DISPUTE_LIST: Shape = {**_LIST, "payment_intent": STRING, "charge": STRING}
TRANSFER_LIST: Shape = {**_LIST, "destination": STRING, "transfer_group": STRING}
BALANCE_TRANSACTION_LIST: Shape = {**_LIST, "source": STRING, "type": STRING, "currency": STRING}
EVENT_LIST: Shape = {
    **_LIST,
    "type": STRING,
    "types": Param("list", each=STRING),
    "delivery_success": BOOLEAN,
}

INTENT_CANCEL: Shape = {
    **EXPAND,
    "cancellation_reason": Param(
        choices=("abandoned", "duplicate", "fraudulent", "requested_by_customer")
    ),
}
INTENT_CONFIRM: Shape = {**EXPAND, "payment_method": STRING, "return_url": Param("url")}

REFUND_CREATE: Shape = {
    **EXPAND,
    "payment_intent": STRING,
    "charge": STRING,
    "amount": Param("integer", least=1),
    "reason": Param(choices=("duplicate", "fraudulent", "requested_by_customer")),
    "metadata": METADATA,
}
METADATA_UPDATE: Shape = {**EXPAND, "metadata": METADATA}

ACCOUNT_CREATE: Shape = {
    **EXPAND,
    "type": Param(choices=("custom", "express", "standard")),
    "country": Param(longest=2),
    "email": STRING,
    "business_type": STRING,
    "business_profile": ANY,
    "capabilities": ANY,
    "controller": ANY,
    "metadata": METADATA,
}
TRANSFER_CREATE: Shape = {
    **EXPAND,
    "amount": Param("integer", required=True, least=1),
    "currency": Param(required=True),
    "destination": Param(required=True),
    "description": STRING,
    "metadata": METADATA,
    "source_transaction": STRING,
    "transfer_group": STRING,
}
REVERSAL_CREATE: Shape = {
    **EXPAND,
    "amount": Param("integer", least=1),
    "description": STRING,
    "metadata": METADATA,
}
