"""Payments, their shares of orders, and refunds (law 3)."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey, choice
from orders.model.order import Order


class PaymentMethod(enum.StrEnum):
    """How a payment is made. Cash is what a cabinet or a counter took."""

    STRIPE = "stripe"
    TRANSFER = "transfer"
    CASH = "cash"


class PaymentState(enum.StrEnum):
    """Due until captured; expired when it was not paid in time, void when given up."""

    DUE = "due"
    CAPTURED = "captured"
    EXPIRED = "expired"
    VOID = "void"


class Payment(Keyed, Base):
    """One payment for one or more orders. Public id and try make Stripe's idempotency key."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("captured_fen >= 0", name="captured"),
        CheckConstraint("0 <= refunded_fen AND refunded_fen <= captured_fen", name="refunded"),
        # Sessions about which Stripe must be asked when no webhook came.
        Index("ix_payment_open", "asked_at", postgresql_where="session_url IS NOT NULL"),
        # What came in during a period. What was only ordered is not in it.
        Index("ix_payment_captured", "captured_at", postgresql_where="captured_at IS NOT NULL"),
        # Charges whose wallet and fee are not known yet.
        Index(
            "ix_payment_unlearned",
            "id",
            postgresql_where="state = 'captured' AND method = 'stripe' AND wallet = ''",
        ),
    )

    method: Mapped[PaymentMethod] = mapped_column(choice(PaymentMethod, 10))
    state: Mapped[PaymentState] = mapped_column(choice(PaymentState, 10), default=PaymentState.DUE)
    amount_fen: Mapped[int]
    captured_fen: Mapped[int] = mapped_column(default=0)
    refunded_fen: Mapped[int] = mapped_column(default=0)
    # The Checkout Session of the latest try. The page is kept while it may still take money,
    # as far as we know; `session_until` is fixed per try, so that a repeat asks for the same.
    session_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    session_url: Mapped[str | None] = mapped_column(Text)
    session_try: Mapped[int] = mapped_column(default=0)
    session_until: Mapped[datetime | None]
    intent_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    wallet: Mapped[str] = mapped_column(String(20), default="")
    fee_fen: Mapped[int] = mapped_column(default=0)
    # A corporate transfer is recognised by its code, and confirmed by staff with its proof.
    transfer_code: Mapped[str | None] = mapped_column(String(16), unique=True)
    proof_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    proof_at: Mapped[datetime | None]
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("buying_unit.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    captured_at: Mapped[datetime | None]

    shares: Mapped[list[PaymentShare]] = relationship(back_populates="payment")


class PaymentShare(SmallKey, Base):
    """The part of a payment that is for one order; shares sum to the payment's amount."""

    __tablename__ = "payment_share"
    __table_args__ = (
        UniqueConstraint("payment_id", "order_id"),
        CheckConstraint("amount_fen >= 0", name="amount"),
    )

    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    amount_fen: Mapped[int]

    payment: Mapped[Payment] = relationship(back_populates="shares")
    order: Mapped[Order] = relationship()


class RefundState(enum.StrEnum):
    """Pending until the provider says; one that failed, is lost or past its window is a debt."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    DEBT = "debt"  # owed to the buyer, to be paid by a recorded transfer
    REPAID = "repaid"  # a debt that was paid so
    TWICE = "twice"  # repaid, and then the provider gave it back after all: the buyer has it twice
    CUT = "cut"  # nothing had been paid yet: what is due was reduced instead


AGAIN = "twice:"
"""How the cause of a refund begins that gives back what came once more; the laws know it, too."""
OUTSIDE = "outside:"
"""How the cause of a refund begins that somebody made in the provider's own pages."""


class Refund(Keyed, Base):
    """Money back for one line. `cause` makes it happen once: short:<run>, cancel, late.

    Without a line it gives back what never paid for goods: a payment that came too late for
    its order, was more than was due, or came for what was paid already. Such money was never a
    sale, so it reverses no credit. Nor does what was given back in the provider's own pages, of
    which nobody said for which goods; a line takes it when there is nothing else left for it.

    One refund of the provider's may stand for several of ours, which then sum to it.
    """

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("line_id", "cause"),
        Index(
            "uq_refund_order_cause",
            "order_id",
            "cause",
            unique=True,
            postgresql_where="line_id IS NULL",
        ),
        CheckConstraint("amount_fen > 0", name="amount"),
        Index("ix_refund_open", "id", postgresql_where="state = 'pending'"),
    )

    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"))
    cause: Mapped[str] = mapped_column(String(40))
    units: Mapped[int] = mapped_column(default=0)
    amount_fen: Mapped[int]
    state: Mapped[RefundState] = mapped_column(choice(RefundState, 10), default=RefundState.PENDING)
    provider_id: Mapped[str | None] = mapped_column(String(120), index=True)
    # The chargeback by which it went back, where the buyer's bank took it.
    dispute_id: Mapped[int | None] = mapped_column(ForeignKey("dispute.id"))
    # Stripe's payment intent that it goes back to, where that is not its payment's own.
    intent_id: Mapped[str | None] = mapped_column(String(120), index=True)
    failure: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    # The bank's number of the transfer that repaid a debt.
    reference: Mapped[str] = mapped_column(String(80), default="")
    asked_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    payment: Mapped[Payment] = relationship()
    order: Mapped[Order] = relationship()

    @property
    def is_outside(self) -> bool:
        """Whether somebody made it in the provider's own pages, and no rule of ours owes it."""
        return self.cause.startswith(OUTSIDE)

    @property
    def bank_number(self) -> str:
        """The bank's number of the transfer that came once more, '' for any other refund."""
        again = self.intent_id is None and self.cause.startswith(AGAIN)
        return self.cause.removeprefix(AGAIN) if again else ""


DISPUTE_LOST = "lost"
DISPUTE_ENDS = ("won", DISPUTE_LOST, "warning_closed")
"""The provider's words for how a dispute ended; the last never became a chargeback."""


class Dispute(Keyed, Base):
    """A chargeback: the buyer's bank takes a payment, or a part of it, back for the buyer.

    `status` and `reason` are the provider's words. What the bank has taken at the moment is
    `withdrawn_fen`; it comes back when the dispute is won. `fee_fen` is what the provider keeps
    for it. What is lost has gone back to the buyer by refunds that name the dispute.
    """

    __tablename__ = "dispute"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="amount"),)

    payment_id: Mapped[int] = mapped_column(ForeignKey("payment.id"), index=True)
    provider_id: Mapped[str] = mapped_column(String(120), unique=True)
    status: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(60), default="")
    amount_fen: Mapped[int]
    withdrawn_fen: Mapped[int] = mapped_column(default=0)
    fee_fen: Mapped[int] = mapped_column(default=0)
    # Until when the provider takes our evidence.
    answer_by: Mapped[datetime | None]
    # When the provider said it so; older news change nothing but money.
    told_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    payment: Mapped[Payment] = relationship()

    @property
    def is_over(self) -> bool:
        """Whether the bank has decided, or it never became a chargeback."""
        return self.status in DISPUTE_ENDS


class WebhookEvent(SmallKey, Base):
    """A provider's event, recorded once; repeats change nothing."""

    __tablename__ = "webhook_event"

    provider_id: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(60))
    received_at: Mapped[datetime] = mapped_column(default=clock.now)


class ProviderLook(SmallKey, Base):
    """Until when the provider's own list of events was looked through: one row."""

    __tablename__ = "provider_look"

    until: Mapped[datetime]
