"""What the ledger's movements and accounts, and the states of orders, are called on pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from kernel.ledger import AccountKind
from orders.model import OrderState, PaymentMethod, PaymentState, RefundState

MOVEMENTS: dict[str, LazyString] = {
    "payment": lazy_pgettext("one", "付款"),
    "receivable": _l("单位应付"),
    "receivable_cut": _l("单位少付"),
    "provider_fee": _l("支付手续费"),
    "refund_owed": _l("应退款"),
    "refund_paid": _l("已退款"),
    "refund_bounced": _l("退款被退回"),
    "debt_repaid": _l("转账退款"),
    "settlement": _l("结算"),
    "household_share": _l("农户份额"),
    "payout": _l("付供货方"),
    "household_payout": _l("付农户"),
}
ACTS: dict[str, LazyString] = {
    "seller.verify": _l("认证供货方"),
    "seller.return": _l("退回供货方"),
    "seller.bank_change": _l("改收款账号"),
    "seller.bank_confirm": _l("核对收款账号"),
    "seller.reveal": _l("看供货方电话和账号"),
    "order.reveal": _l("看收货人"),
    "household.reveal": _l("看农户资料"),
    "certificate.accepted": _l("通过证书"),
    "certificate.returned": _l("退回证书"),
    "quota_answered_by_proxy": _l("替农户答复"),
    "yield_by_proxy": _l("替农户填实收"),
    "confirm_transfer": _l("确认转账到账"),
    "transfer_again": _l("记又到的转账"),
    "repay_debt": _l("记转账退款"),
    "payout_proposed": _l("提交打款"),
    "payout_approved": _l("批准打款"),
    "payout_declined": _l("退回打款"),
    "payout_withdrawn": _l("撤回打款"),
    "new_device_key": _l("换设备密钥"),
    "explain_difference": _l("说明差异"),
    "organisation_added": _l("添加单位"),
    "target_set": _l("定年度目标"),
    "role_granted": _l("给角色"),
    "role_ended": _l("收回角色"),
    "factor_enrolled": _l("设第二重验证"),
    "recovery_code": _l("用备用码"),
    "factor_taken_away": _l("取消第二重验证"),
}
"""What somebody did that has to leave a trace; kernel.audit keeps these words."""
SUBJECTS: dict[str, LazyString] = {
    "seller": lazy_pgettext("one", "供货方"),
    "household": lazy_pgettext("one", "农户"),
    "certificate": _l("证书"),
    "order": lazy_pgettext("one", "订单"),
    "quota": _l("采收任务"),
    "payment": lazy_pgettext("one", "付款"),
    "payout": _l("打款"),
    "refund": _l("退款"),
    "cabinet": lazy_pgettext("one", "柜子"),
    "difference": _l("差异"),
    "account": _l("账号"),
    "organisation": _l("机构"),
}
"""To what it was done, by the word before the colon."""
ACCOUNTS: dict[AccountKind, LazyString] = {
    AccountKind.PROVIDER_CLEARING: _l("在线收款"),
    AccountKind.PROVIDER_FEES: _l("支付手续费"),
    AccountKind.TRANSFER_CLEARING: _l("银行转账"),
    AccountKind.CASH_CLEARING: _l("现金"),
    AccountKind.BUYER_PREPAID: _l("买家预付"),
    AccountKind.RECEIVABLE: _l("应收单位"),
    AccountKind.REFUNDS_OWED: _l("应退买家"),
    AccountKind.SELLER_PAYABLE: _l("应付供货方"),
    AccountKind.HOUSEHOLD_PAYABLE: _l("应付农户"),
    AccountKind.PLATFORM_FEE: _l("平台服务费"),
    AccountKind.DELIVERY: _l("运费"),
}
ORDER_STATES: dict[OrderState, LazyString] = {
    OrderState.REGISTERED: _l("已登记"),
    OrderState.DUE: _l("待付款"),
    OrderState.CONFIRMED: _l("待交货"),
    OrderState.HANDED: _l("已交货"),
    OrderState.LAPSED: _l("逾期未付"),
    OrderState.CANCELLED: _l("已取消"),
}
METHODS: dict[PaymentMethod, LazyString] = {
    PaymentMethod.STRIPE: _l("在线支付"),
    PaymentMethod.TRANSFER: _l("对公转账"),
    PaymentMethod.CASH: _l("现金"),
}
PAYMENT_STATES: dict[PaymentState, LazyString] = {
    PaymentState.DUE: _l("待付款"),
    PaymentState.CAPTURED: _l("已付款"),
    PaymentState.EXPIRED: _l("逾期未付"),
    PaymentState.VOID: _l("已作废"),
}
REFUND_STATES: dict[RefundState, LazyString] = {
    RefundState.PENDING: _l("退款中"),
    RefundState.SUCCEEDED: _l("已退款"),
    RefundState.DEBT: _l("待转账退款"),
    RefundState.REPAID: _l("已转账退款"),
    RefundState.CUT: _l("少收"),
}
