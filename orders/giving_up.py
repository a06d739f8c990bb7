"""Who may cancel an order: its buyer; where cash was taken for it, a second person."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from kernel.access import Viewer, ask_factor, found
from kernel.errors import SecondPersonNeeded
from kernel.identity import Role
from orders.model import Order, Payment, PaymentMethod
from orders.queries.mine import is_own, order_for, payment_of


def may_give_up(order: Order, payment: Payment | None, who: Viewer) -> bool:
    """Tell whether an order with its newest payment is for `who` to cancel.

    A member's need is changed where it was registered. Cash was seen by nobody but whoever
    took it, and cancelling makes it a debt of the platform: that takes another one of staff.
    """
    if order.group_order_id is not None:
        return False
    if _is_cash(payment):
        return who.has(Role.STAFF) and not is_own(order, who)
    return is_own(order, who)


def order_to_give_up(number: str, who: Viewer) -> Order:
    """Return an order that `who` may cancel.

    Raises NotFound, SecondPersonNeeded for whoever took cash for it, and FactorNeeded for
    staff who cancel such an order without having shown their second factor.
    """
    order = order_for(number, who)
    payment = payment_of(order.id)
    if _is_cash(payment) and is_own(order, who):
        raise SecondPersonNeeded(
            _l("收了现金的订单，要由另一位工作人员取消。请同事登录后打开这张订单。")
        )
    found(order if may_give_up(order, payment, who) else None)
    if _is_cash(payment):
        ask_factor(who)
    return order


def _is_cash(payment: Payment | None) -> bool:
    return payment is not None and payment.method is PaymentMethod.CASH
