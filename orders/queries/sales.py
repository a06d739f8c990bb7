"""What counts as a sale, said once: every report and board reads lines through this.

Three figures side by side, always in fen: paid (by payment time; what was cut before it was
paid never counts), refunded (owed or paid back, on the same line and so on the same credit),
settled (stated to the seller). Net is paid minus refunded.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select, true

from orders.model import Order, OrderLine, Refund, RefundState, SettlementLine


def paid_lines() -> Select[Any]:
    """Select every paid line with its figures; filter and group it further.

    Columns: line_id, order_id, credit_source_id, seller_id, offer_id, product_id, quantity,
    account_id, visitor, city, paid_at, paid_fen, refunded_fen, settled_fen.
    """
    back = (
        select(
            func.coalesce(
                func.sum(Refund.amount_fen).filter(Refund.state == RefundState.CUT), 0
            ).label("cut_fen"),
            func.coalesce(
                func.sum(Refund.amount_fen).filter(Refund.state != RefundState.CUT), 0
            ).label("refunded_fen"),
        )
        .where(Refund.line_id == OrderLine.id)
        .correlate(OrderLine)
        .lateral("back")
    )
    query: Any = (
        select(
            OrderLine.id.label("line_id"),
            OrderLine.order_id,
            OrderLine.credit_source_id,
            OrderLine.seller_id,
            OrderLine.offer_id,
            OrderLine.product_id,
            OrderLine.quantity,
            Order.account_id,
            Order.visitor,
            Order.city,
            Order.paid_at,
            (OrderLine.amount_fen - back.c.cut_fen).label("paid_fen"),
            back.c.refunded_fen,
            func.coalesce(SettlementLine.amount_fen, 0).label("settled_fen"),
        )
        .join(Order, OrderLine.order_id == Order.id)
        .join(back, true())
        .outerjoin(SettlementLine, SettlementLine.line_id == OrderLine.id)
        .where(Order.paid_at.is_not(None))
    )
    lines: Select[Any] = query
    return lines
