"""Verbs of the supply side. Each is one transaction and takes plain values.

Keys of sellers, products, lots and offers that come in here were read through a query that is
scoped to the viewer (`sellers.queries.workspace.own_…`), or are the caller's own.
"""

from sellers.actions.households import (
    HouseholdFacts,
    Revealed,
    add_household,
    change_household,
    plan_benefits,
    reveal_household,
    steward_called,
)
from sellers.actions.registration import (
    LICENCE,
    SellerFacts,
    Upload,
    accept_certificate,
    add_certificate,
    register_seller,
    return_certificate,
    return_to_seller,
    submit,
    update_seller,
    verify,
)
from sellers.actions.stock import (
    LotFacts,
    OfferTerms,
    ProductFacts,
    add_lot,
    add_product,
    change_lot,
    change_offer,
    change_product,
    close_lot,
    list_offer,
    list_stock,
    remove_photo,
    set_photo,
    withdraw_offer,
)

__all__ = [
    "LICENCE",
    "HouseholdFacts",
    "LotFacts",
    "OfferTerms",
    "ProductFacts",
    "Revealed",
    "SellerFacts",
    "Upload",
    "accept_certificate",
    "add_certificate",
    "add_household",
    "add_lot",
    "add_product",
    "change_household",
    "change_lot",
    "change_offer",
    "change_product",
    "close_lot",
    "list_offer",
    "list_stock",
    "plan_benefits",
    "register_seller",
    "remove_photo",
    "return_certificate",
    "return_to_seller",
    "reveal_household",
    "set_photo",
    "steward_called",
    "submit",
    "update_seller",
    "verify",
    "withdraw_offer",
]
