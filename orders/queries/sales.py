"""What counts as a sale, said once: every report and board reads lines through this.

Three figures side by side, always in fen: paid (by payment time; what was cut before it was
paid never counts), refunded (owed or paid back, on the same line and so on the same credit),
settled (stated to the seller). Net is paid minus refunded.

The same lines can be asked for in two ways, which differ only in how refunds are found: few of
them, each with its own; or a whole period, for which all refunds are summed once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, cast, func, select, true

from orders.model import Order, OrderLine, Refund, RefundState, SettlementLine


def _sum_of(refunds: ColumnElement[bool]) -> ColumnElement[int]:
    # As a whole number: PostgreSQL's own type of such a sum is slow to add up again.
    return cast(func.sum(Refund.amount_fen).filter(refunds), BigInteger)


_BACK = (
    _sum_of(Refund.state == RefundState.CUT).label("cut_fen"),
    _sum_of(Refund.state != RefundState.CUT).label("refunded_fen"),
)


def paid_lines() -> Select[Any]:
    """Select every paid line with its figures; filter and group it further.

    Columns: line_id, order_id, credit_source_id, seller_id, offer_id, product_id, quantity,
    account_id, visitor, city, paid_at, paid_fen, refunded_fen, settled_fen.
    """
    back = select(*_BACK).where(Refund.line_id == OrderLine.id).correlate(OrderLine)
    return _lines(back.lateral("back"), true())


def paid_lines_between(begins: datetime, ends: datetime) -> Select[Any]:
    """Select what `paid_lines` does, paid from `begins` until before `ends`.

    For thousands of lines, not for few. Refunds of other periods are summed with the others:
    they are few beside lines, and telling them apart would read all orders once more.
    """
    back = (
        select(Refund.line_id, *_BACK)
        .where(Refund.line_id.is_not(None))
        .group_by(Refund.line_id)
        .subquery("back")
    )
    of_period = _lines(back, back.c.line_id == OrderLine.id)
    return of_period.where(Order.paid_at >= begins, Order.paid_at < ends)


def _lines(back: FromClause, of_the_line: ColumnElement[bool]) -> Select[Any]:
    """Select paid lines, each with what went back, which `back` tells."""
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
            (OrderLine.amount_fen - func.coalesce(back.c.cut_fen, 0)).label("paid_fen"),
            func.coalesce(back.c.refunded_fen, 0).label("refunded_fen"),
            func.coalesce(SettlementLine.amount_fen, 0).label("settled_fen"),
        )
        .join(Order, OrderLine.order_id == Order.id)
        .outerjoin(back, of_the_line)
        .outerjoin(SettlementLine, SettlementLine.line_id == OrderLine.id)
        .where(Order.paid_at.is_not(None))
    )
    lines: Select[Any] = query
    return lines
