"""Sites, cabinets, slots and the events from which a slot's expected stock is derived."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.crypt import EncryptedText
from kernel.db import Base, Keyed, SmallKey, choice
from kernel.identity import Organisation
from orders.model import CreditSource
from sellers.model import Lot, Offer


class Site(Keyed, Base):
    """A place where cabinets stand."""

    __tablename__ = "site"

    code: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    city: Mapped[str] = mapped_column(String(20))
    operator_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)

    operator: Mapped[Organisation] = relationship()
    cabinets: Mapped[list[Cabinet]] = relationship(back_populates="site", order_by="Cabinet.code")


class Cabinet(Keyed, Base):
    """A cabinet with slots. Its key signs what it reports and opens nothing else."""

    __tablename__ = "cabinet"
    __table_args__ = (
        CheckConstraint("0 <= counted_from AND counted_from <= last_sequence", name="count"),
    )

    code: Mapped[str] = mapped_column(String(40), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    device_key: Mapped[str] = mapped_column(EncryptedText)
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"), unique=True)
    last_seen_at: Mapped[datetime | None]
    temperature_tenths: Mapped[int | None]
    # The highest sequence number that came; those below it that did not are its gaps.
    last_sequence: Mapped[int] = mapped_column(default=0)
    # A device counts from one with each new key. Its numbers are kept on top of this one, so that
    # whatever a cabinet was told under all of its keys stands in one row of numbers.
    counted_from: Mapped[int] = mapped_column(default=0)

    site: Mapped[Site] = relationship(back_populates="cabinets")
    credit: Mapped[CreditSource] = relationship()
    slots: Mapped[list[Slot]] = relationship(back_populates="cabinet", order_by="Slot.number")


class Slot(SmallKey, Base):
    """One shelf or lane of a cabinet, and the offer that stands in it now."""

    __tablename__ = "slot"
    __table_args__ = (
        UniqueConstraint("cabinet_id", "number"),
        CheckConstraint("capacity > 0", name="capacity"),
    )

    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    number: Mapped[int]
    capacity: Mapped[int]
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"), index=True)

    cabinet: Mapped[Cabinet] = relationship(back_populates="slots")
    offer: Mapped[Offer | None] = relationship()


class SlotEventKind(enum.StrEnum):
    """What changes a slot's stock."""

    RESTOCK = "restock"
    SALE = "sale"
    COUNT = "count"  # a stock-take: the difference found, with its reason
    RETURN = "return"


class SlotEvent(SmallKey, Base):
    """One change of a slot's stock; expected stock is the sum of `units` (sales negative)."""

    __tablename__ = "slot_event"
    __table_args__ = (
        Index("ix_slot_event_slot", "slot_id", "id"),
        # All that ever happened to a slot is summed for its stock, from here alone.
        Index("ix_slot_event_units", "slot_id", postgresql_include=["units"]),
        CheckConstraint("units <> 0 OR kind = 'count'", name="units"),
    )

    slot_id: Mapped[int] = mapped_column(ForeignKey("slot.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[SlotEventKind] = mapped_column(choice(SlotEventKind, 10))
    units: Mapped[int]
    reason: Mapped[str] = mapped_column(String(40), default="")
    report_id: Mapped[int | None] = mapped_column(ForeignKey("device_report.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)

    slot: Mapped[Slot] = relationship()
    lot: Mapped[Lot] = relationship()


class SlotFill(SmallKey, Base):
    """One filling of a slot: with what, and under which number of its device it was seen.

    `since` is empty until the device says that it saw it. `units` is zero as long as the offer
    was only chosen.
    """

    __tablename__ = "slot_fill"
    __table_args__ = (
        Index("ix_slot_fill_slot", "slot_id", "id"),
        CheckConstraint("units >= 0", name="units"),
    )

    slot_id: Mapped[int] = mapped_column(ForeignKey("slot.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), index=True)
    units: Mapped[int]
    since: Mapped[int | None]

    offer: Mapped[Offer] = relationship()


class DeviceReport(SmallKey, Base):
    """One event that a device reported, known by its sequence number; repeats change nothing.

    A report that comes under a known number with other content is kept beside the first one
    as `conflicting` and has no effect of its own until somebody looks at it.
    """

    __tablename__ = "device_report"
    __table_args__ = (
        UniqueConstraint("cabinet_id", "sequence", "body_hash"),
        Index(
            "uq_device_report_sequence",
            "cabinet_id",
            "sequence",
            unique=True,
            postgresql_where="NOT conflicting",
        ),
        Index("ix_device_report_conflicts", "cabinet_id", postgresql_where="conflicting"),
    )

    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    sequence: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    body: Mapped[dict[str, Any]]
    body_hash: Mapped[str] = mapped_column(String(64))
    device_time: Mapped[str] = mapped_column(String(40), default="")
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    conflicting: Mapped[bool] = mapped_column(default=False)


class ReportGap(Base):
    """Sequence numbers from `first` to `last` that a device has not reported yet.

    Kept as reports come in, so that nobody has to read them all to see what is missing.
    Two gaps of a cabinet never touch.
    """

    __tablename__ = "report_gap"
    __table_args__ = (CheckConstraint("0 < first AND first <= last", name="span"),)

    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class StockDifference(Keyed, Base):
    """A difference with a name: what a slot should hold and what a fact says it does not.

    It has no slot when a device reported a sale from one that the cabinet does not have.
    """

    __tablename__ = "stock_difference"
    __table_args__ = (
        CheckConstraint("units <> 0", name="units"),
        Index("ix_stock_difference_cabinet", "cabinet_id", "id"),
    )

    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    slot_id: Mapped[int | None] = mapped_column(ForeignKey("slot.id"), index=True)
    report_id: Mapped[int | None] = mapped_column(ForeignKey("device_report.id"))
    name: Mapped[str] = mapped_column(String(24))
    units: Mapped[int]
    found_at: Mapped[datetime] = mapped_column(default=clock.now)
    explained_at: Mapped[datetime | None]
    explanation: Mapped[str] = mapped_column(String(200), default="")

    slot: Mapped[Slot | None] = relationship()
    report: Mapped[DeviceReport | None] = relationship()
