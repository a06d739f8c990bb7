"""What the ledger's movements and accounts, and the states of orders, are called on pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString

from kernel.audit import Act
from kernel.ledger import AccountKind
from orders.model import OrderState, PaymentMethod, PaymentState, RefundState

MOVEMENTS: dict[str, LazyString] = {
    "payment": lazy_pgettext("one", "付款"),
    "receivable": _l("单位应付"),
    "receivable_cut": _l("单位少付"),
    "provider_fee": _l("支付手续费"),
    "refund_owed": _l("应退款"),
    "refund_less": _l("应退款拆开"),
    "refund_paid": _l("已退款"),
    "refund_bounced": _l("退款被退回"),
    "debt_repaid": _l("转账退款"),
    "refund_twice": _l("退了两次"),
    "refund_once": _l("多退的回来了"),
    "dispute": _l("拒付"),
    "settlement": _l("结算"),
    "household_share": _l("农户份额"),
    "payout": _l("付供货方"),
    "household_payout": _l("付农户"),
    "payout_returned": _l("付供货方退票"),
    "household_payout_returned": _l("付农户退票"),
}
ACTS: dict[Act, LazyString] = {
    Act.SELLER_VERIFIED: _l("认证供货方"),
    Act.SELLER_RETURNED: _l("退回供货方"),
    Act.BANK_ACCOUNT_CHANGED: _l("改收款账号"),
    Act.BANK_ACCOUNT_CONFIRMED: _l("核对收款账号"),
    Act.SELLER_REVEALED: _l("看供货方电话和账号"),
    Act.ORDER_REVEALED: _l("看收货人"),
    Act.HOUSEHOLD_REVIEWED: _l("核对农户类别"),
    Act.HOUSEHOLD_REVEALED: _l("看农户资料"),
    Act.CERTIFICATE_ACCEPTED: _l("通过证书"),
    Act.CERTIFICATE_RETURNED: _l("退回证书"),
    Act.QUOTA_ANSWERED_BY_PROXY: _l("替农户答复"),
    Act.YIELD_ENTERED_BY_PROXY: _l("替农户填实收"),
    Act.TRANSFER_CONFIRMED: _l("确认转账到账"),
    Act.TRANSFER_CAME_AGAIN: _l("记又到的转账"),
    Act.DEBT_REPAID: _l("记转账退款"),
    Act.TAKEN_BACK: _l("收回多退的款"),
    Act.PAYOUT_PROPOSED: _l("提交打款"),
    Act.PAYOUT_APPROVED: _l("批准打款"),
    Act.PAYOUT_DECLINED: _l("退回打款"),
    Act.PAYOUT_WITHDRAWN: _l("撤回打款"),
    Act.PAYOUT_RETURN_PROPOSED: _l("提交退票"),
    Act.PAYOUT_RETURN_APPROVED: _l("批准退票"),
    Act.PAYOUT_RETURN_DECLINED: _l("退回退票"),
    Act.PAYOUT_RETURN_WITHDRAWN: _l("撤回退票"),
    Act.DEVICE_KEY_RENEWED: _l("换设备密钥"),
    Act.DIFFERENCE_EXPLAINED: _l("说明差异"),
    Act.FACTOR_ENROLLED: _l("设第二重验证"),
    Act.RECOVERY_CODE_USED: _l("用备用码"),
    Act.FACTOR_REMOVED: _l("取消第二重验证"),
    Act.ORGANISATION_ADDED: _l("添加机构"),
    Act.TARGET_SET: _l("定采购目标"),
    Act.ROLE_GRANTED: _l("给角色"),
    Act.ROLE_ENDED: _l("取消角色"),
    Act.ACCOUNT_LOCKED: _l("锁账号"),
    Act.ACCOUNT_UNLOCKED: _l("解锁账号"),
    Act.PASSWORD_RESET: _l("重置密码"),
}
"""What somebody did that leaves a trace."""
SUBJECTS: dict[str, LazyString] = {
    "seller": lazy_pgettext("one", "供货方"),
    "household": lazy_pgettext("one", "农户"),
    "certificate": _l("证书"),
    "order": lazy_pgettext("one", "订单"),
    "quota": _l("采收任务"),
    "payment": lazy_pgettext("one", "付款"),
    "payout": _l("打款"),
    "payout_return": _l("退票"),
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
    AccountKind.REFUNDED_TWICE: _l("多退给买家的"),
    AccountKind.CHARGED_BACK: _l("拒付扣走的"),
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
    RefundState.TWICE: _l("退了两次"),
    RefundState.CUT: _l("少收"),
}
