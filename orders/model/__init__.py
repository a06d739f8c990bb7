"""Tables of the buyers' side, one module per use case."""

from orders.model.buying import (
    BuyingUnit,
    CreditKind,
    CreditSource,
    PurchaseTarget,
    StaffListEntry,
)
from orders.model.delivery import Consignment, ConsignmentLine
from orders.model.order import ORDER_MOVES, LineAssist, Order, OrderEvent, OrderLine, OrderState
from orders.model.payment import (
    Payment,
    PaymentMethod,
    PaymentShare,
    PaymentState,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.model.rounds import (
    AllocationRun,
    GroupOrder,
    GroupOrderState,
    HarvestNotice,
    HouseholdQuota,
    NoticeItem,
    PayMode,
    QuotaState,
    Round,
    RoundLeg,
    RoundOffer,
    YieldEntry,
)
from orders.model.settlement import HouseholdShare, Settlement, SettlementLine, SettlementState

__all__ = [
    "ORDER_MOVES",
    "AllocationRun",
    "BuyingUnit",
    "Consignment",
    "ConsignmentLine",
    "CreditKind",
    "CreditSource",
    "GroupOrder",
    "GroupOrderState",
    "HarvestNotice",
    "HouseholdQuota",
    "HouseholdShare",
    "LineAssist",
    "NoticeItem",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderState",
    "PayMode",
    "Payment",
    "PaymentMethod",
    "PaymentShare",
    "PaymentState",
    "PurchaseTarget",
    "QuotaState",
    "Refund",
    "RefundState",
    "Round",
    "RoundLeg",
    "RoundOffer",
    "Settlement",
    "SettlementLine",
    "SettlementState",
    "StaffListEntry",
    "WebhookEvent",
    "YieldEntry",
]
