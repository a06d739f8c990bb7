"""Tables of the supply side, with the rules of one object."""

from sellers.model.household import BenefitPlan, Household, HouseholdStatus
from sellers.model.offer import BuyerTake, ImportState, Offer, OfferImport, Place
from sellers.model.produce import Category, Lot, LotMode, Product
from sellers.model.seller import Certificate, CertificateState, Seller, SellerKind, SellerState

__all__ = [
    "BenefitPlan",
    "BuyerTake",
    "Category",
    "Certificate",
    "CertificateState",
    "Household",
    "HouseholdStatus",
    "ImportState",
    "Lot",
    "LotMode",
    "Offer",
    "OfferImport",
    "Place",
    "Product",
    "Seller",
    "SellerKind",
    "SellerState",
]
