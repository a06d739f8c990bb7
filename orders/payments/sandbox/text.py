"""What the hosted page says, in Chinese and English."""

from werkzeug.datastructures import LanguageAccept

TEXTS = {
    "zh": {
        "title": "收银台",
        "test": "测试收银台：不会真的扣款",
        "to_pay": "应付",
        "paid": "已付",
        "items": "明细",
        "methods": "付款方式",
        "card": "银行卡",
        "alipay": "支付宝",
        "wechat_pay": "微信支付",
        "cards": "选一张测试卡",
        "pay": "支付",
        "back": "不付了，返回商家",
        "return": "返回商家",
        "authorise_title": "授权付款",
        "authorise_lead": "这里代替真实的付款页面。要授权这笔付款吗？",
        "authorise": "授权付款",
        "fail": "付款失败",
        "complete": "这笔订单已经付款",
        "complete_lead": "不用再付，可以返回商家查看。",
        "expired": "这个付款页面已经失效",
        "expired_lead": "没有扣款。请返回商家，重新付款。",
        "gone": "找不到这个付款页面",
        "gone_lead": "请返回商家，从订单重新打开付款页面。",
        "broken": "出了问题",
        "broken_lead": "没有扣款。请稍后再试。",
        "outcomes": {
            "success": "付款成功",
            "declined": "银行拒付",
            "insufficient_funds": "余额不足",
            "refund_pending": "付款成功；退款稍后到账",
            "refund_fails": "付款成功；退款之后失败",
        },
        "problems": {
            "choose": "请先选一种付款方式。",
            "generic_decline": "银行拒绝了这笔付款，没有扣款。请换一张卡或换一种方式。",
            "insufficient_funds": "卡里余额不足，没有扣款。请换一张卡或换一种方式。",
            "payment_intent_authentication_failure": "付款没有被授权，没有扣款。"
            "请再试一次或换一种方式。",
        },
    },
    "en": {
        "title": "Checkout",
        "test": "Test checkout: no real money moves",
        "to_pay": "To pay",
        "paid": "Paid",
        "items": "Details",
        "methods": "Pay by",
        "card": "Bank card",
        "alipay": "Alipay",
        "wechat_pay": "WeChat Pay",
        "cards": "Choose a test card",
        "pay": "Pay",
        "back": "Do not pay, back to the shop",
        "return": "Back to the shop",
        "authorise_title": "Authorise the payment",
        "authorise_lead": "This stands for the real payment page. Do you authorise this payment?",
        "authorise": "Authorise the payment",
        "fail": "Fail the payment",
        "complete": "This order is already paid",
        "complete_lead": "There is nothing left to pay. You may go back to the shop.",
        "expired": "This checkout page has expired",
        "expired_lead": "Nothing was charged. Please go back to the shop and pay again.",
        "gone": "There is no such checkout page",
        "gone_lead": "Please go back to the shop and open it again from your order.",
        "broken": "Something went wrong",
        "broken_lead": "Nothing was charged. Please try again later.",
        "outcomes": {
            "success": "Payment succeeds",
            "declined": "Declined by the bank",
            "insufficient_funds": "Insufficient funds",
            "refund_pending": "Payment succeeds; refunds take a while",
            "refund_fails": "Payment succeeds; refunds fail later",
        },
        "problems": {
            "choose": "Please choose a way to pay first.",
            "generic_decline": "The bank declined the payment and nothing was charged. Please use "
            "another card or another way to pay.",
            "insufficient_funds": "The card has insufficient funds and nothing was charged. Please "
            "use another card or another way to pay.",
            "payment_intent_authentication_failure": "The payment was not authorised and nothing "
            "was charged. Please try again or pay another way.",
        },
    },
}


def language_of(locale: str | None, accepted: LanguageAccept) -> str:
    """Give zh or en: the session's locale decides, else the browser, else Chinese."""
    if locale in (None, "auto"):
        return accepted.best_match(["zh", "en"], default="zh") or "zh"
    return "zh" if str(locale).startswith("zh") else "en"
