"""Goods on their way: consignments with a packing list and a hand-over signature."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey
from orders.model.order import OrderLine


class Consignment(Keyed, Base):
    """Goods of one seller for one group order, or for one order."""

    __tablename__ = "consignment"
    __table_args__ = (
        CheckConstraint("(group_order_id IS NULL) <> (order_id IS NULL)", name="for_one"),
        Index("ix_consignment_group", "group_order_id"),
        Index("ix_consignment_order", "order_id"),
    )

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    group_order_id: Mapped[int | None] = mapped_column(ForeignKey("group_order.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    carrier: Mapped[str] = mapped_column(String(40), default="")
    waybill: Mapped[str] = mapped_column(String(60), default="")
    packed_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    # The signature as drawn: an SVG path's data, digits and commands only.
    signature: Mapped[str] = mapped_column(Text, default="")

    lines: Mapped[list[ConsignmentLine]] = relationship(
        back_populates="consignment", order_by="ConsignmentLine.id"
    )


class ConsignmentLine(SmallKey, Base):
    """Units of one order line in a consignment."""

    __tablename__ = "consignment_line"
    __table_args__ = (
        UniqueConstraint("consignment_id", "line_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    consignment_id: Mapped[int] = mapped_column(ForeignKey("consignment.id"))
    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"), index=True)
    quantity: Mapped[int]

    consignment: Mapped[Consignment] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship()
