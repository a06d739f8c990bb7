"""What the report keeps of days that are over. All of it can be made again from the lines."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, SmallKey


class DaySum(Base):
    """What was paid on a day, of one thing: see `marketplace.report.days` for the kinds."""

    __tablename__ = "day_sum"

    of: Mapped[str] = mapped_column(String(12), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]
    lines: Mapped[int]
    units: Mapped[int]
    paid_fen: Mapped[int]
    refunded_fen: Mapped[int]
    settled_fen: Mapped[int]
    assists: Mapped[int]


class SummedDay(Base):
    """A day whose sums are made, with what the ledger says of it."""

    __tablename__ = "summed_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    booked_paid_fen: Mapped[int]
    booked_refunded_fen: Mapped[int]
    settlements_wrong: Mapped[int]
    summed_at: Mapped[datetime] = mapped_column(default=clock.now)


class ChangedDay(SmallKey, Base):
    """A day that was summed and then changed: its sums are void. Written by triggers (0019)."""

    __tablename__ = "changed_day"

    day: Mapped[date] = mapped_column(index=True)
