"""Orders and their lines. A line freezes the offer as it was (law 9)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.crypt import EncryptedText
from kernel.db import Base, SmallKey, choice
from kernel.files import StoredFile
from kernel.money import Money
from orders.allocation import Needed
from orders.model.buying import CreditSource
from sellers.model import Product


class OrderState(enum.StrEnum):
    """How far an order is; ORDER_MOVES lists what may follow what."""

    REGISTERED = "registered"  # a member's need in an open group order: promised, not charged
    DUE = "due"  # placed, its payment is waited for
    CONFIRMED = "confirmed"  # paid, or owed by a unit that pays by transfer
    HANDED = "handed"  # goods handed over and signed for
    LAPSED = "lapsed"  # never paid in time, its promise was released
    CANCELLED = "cancelled"  # given back, what was paid is refunded


ORDER_MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.REGISTERED: frozenset({OrderState.DUE, OrderState.CONFIRMED, OrderState.CANCELLED}),
    OrderState.DUE: frozenset({OrderState.CONFIRMED, OrderState.LAPSED, OrderState.CANCELLED}),
    OrderState.CONFIRMED: frozenset({OrderState.HANDED, OrderState.CANCELLED}),
    # A payment that comes late is honoured if stock still allows it.
    OrderState.LAPSED: frozenset({OrderState.CONFIRMED}),
    OrderState.HANDED: frozenset(),
    OrderState.CANCELLED: frozenset(),
}


class Order(SmallKey, Base):
    """One buyer's purchase. Known outside by `number`, which cannot be guessed."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_fen >= 0", name="total"),
        Index("ix_orders_account", "account_id", "id"),
        Index("ix_orders_visitor", "visitor"),
        Index("ix_orders_expiring", "expires_at", postgresql_where="state = 'due'"),
        Index("ix_orders_paid", "paid_at"),
        # Staff's list: how many are in a state, and the newest of them.
        Index("ix_orders_state", "state", "id"),
        # Of what was ever sold, that whose sellers are still owed something.
        Index(
            "ix_orders_unsettled",
            "id",
            postgresql_where="settled_at IS NULL AND state IN ('confirmed', 'handed')",
        ),
        Index("ix_orders_group", "group_order_id"),
        # A member has one set of needs in a group order, whatever runs at the same time.
        Index(
            "uq_orders_need",
            "group_order_id",
            "account_id",
            unique=True,
            postgresql_where="state = 'registered'",
        ),
        # A sale that happened elsewhere is recorded once; other orders have no reference.
        Index(
            "uq_orders_reference",
            "reference",
            unique=True,
            postgresql_where="reference IS NOT NULL",
        ),
    )

    number: Mapped[str] = mapped_column(String(20), unique=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    visitor: Mapped[str] = mapped_column(String(24), default="")
    group_order_id: Mapped[int | None] = mapped_column(ForeignKey("group_order.id"))
    state: Mapped[OrderState] = mapped_column(choice(OrderState, 12))
    total_fen: Mapped[int]
    # Read, and so decrypted, only by what shows it.
    recipient: Mapped[str | None] = mapped_column(EncryptedText, deferred=True)
    city: Mapped[str] = mapped_column(String(40), default="")
    placed_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    handed_at: Mapped[datetime | None]
    # When the last of its lines was stated to a seller: nobody looks there for more.
    settled_at: Mapped[datetime | None]
    reference: Mapped[str | None] = mapped_column(String(80))

    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", order_by="OrderLine.id")
    events: Mapped[list[OrderEvent]] = relationship(order_by="OrderEvent.id")

    @property
    def total(self) -> Money:
        """What the buyer owes or paid for the lines as they were ordered."""
        return Money(self.total_fen)

    @property
    def due(self) -> Money:
        """What the lines come to with what was allocated, before that what was ordered."""
        return Money(sum(line.price_fen * line.due_units for line in self.lines))


class OrderLine(SmallKey, Base):
    """One offer in one order, frozen: price, unit, certificate, seller and credit.

    `quantity` is what was ordered, `allocated` what the yield gave (None until allocated),
    `weight_g` the actual weight at hand-over; none overwrites another.
    """

    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("allocated IS NULL OR allocated BETWEEN 0 AND quantity", name="allocated"),
        CheckConstraint("price_fen > 0", name="price"),
        CheckConstraint("amount_fen = price_fen * quantity", name="amount"),
        Index("ix_order_line_order", "order_id"),
        Index("ix_order_line_offer", "offer_id"),
        Index("ix_order_line_lot", "lot_id"),
        Index("ix_order_line_credit", "credit_source_id", "id"),
        Index("ix_order_line_seller", "seller_id", "id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"))
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(120))
    seller_name_zh: Mapped[str] = mapped_column(String(120))
    seller_name_en: Mapped[str] = mapped_column(String(160))
    unit_name: Mapped[str] = mapped_column(String(8))
    unit_g: Mapped[int]
    picture: Mapped[str] = mapped_column(String(40), default="basket.webp")
    category: Mapped[str] = mapped_column(String(12))
    certificate_number: Mapped[str] = mapped_column(String(60), default="")
    harvest_from: Mapped[date | None]
    harvest_to: Mapped[date | None]
    price_fen: Mapped[int]
    quantity: Mapped[int]
    amount_fen: Mapped[int]
    # What a lot promised; a slot's sale takes units that were promised when it was restocked.
    from_slot: Mapped[bool] = mapped_column(default=False)
    # Set when the promise was given back (lapsed, cancelled, or short of the yield).
    released: Mapped[int] = mapped_column(default=0)
    allocated: Mapped[int | None]
    weight_g: Mapped[int | None]
    # Since when how many units are needed, where some are older than the order: [[time, units]].
    since: Mapped[list[Any] | None]

    order: Mapped[Order] = relationship(back_populates="lines")
    credit: Mapped[CreditSource] = relationship()
    # The product's photograph as it is now, for those who ask for it along with the line.
    photo: Mapped[StoredFile | None] = relationship(
        secondary=Product.__table__, viewonly=True, lazy="raise"
    )

    @property
    def amount(self) -> Money:
        """Price times quantity ordered."""
        return Money(self.amount_fen)

    @property
    def needed(self) -> list[Needed]:
        """Since when its units are needed, the oldest first."""
        if self.since is None:
            return [Needed(self.order.placed_at, self.quantity)]
        return [Needed(datetime.fromisoformat(at), units) for at, units in self.since]

    @needed.setter
    def needed(self, needed: Sequence[Needed]) -> None:
        self.since = [[one.since.isoformat(), one.units] for one in needed]

    @property
    def allocation_facts(self) -> str:
        """What the order's history keeps of its allocation; whoever reads it finds the line so."""
        return f"{self.name_zh} {self.allocated}/{self.quantity} {self.unit_name}"

    @property
    def due_units(self) -> int:
        """Units that the buyer gets: what was allocated, before that what was ordered."""
        return self.quantity if self.allocated is None else self.allocated


class LineAssist(SmallKey, Base):
    """A channel that was visited but did not close the sale. Never added to totals."""

    __tablename__ = "line_assist"
    __table_args__ = (Index("ix_line_assist_line", "line_id"),)

    line_id: Mapped[int] = mapped_column(ForeignKey("order_line.id"))
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"), index=True)


class OrderEvent(SmallKey, Base):
    """What happened to an order, and when. Never by whom: the audit log knows."""

    __tablename__ = "order_event"
    __table_args__ = (Index("ix_order_event_order", "order_id"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    kind: Mapped[str] = mapped_column(String(24))
    facts: Mapped[str] = mapped_column(String(200), default="")
