"""Broadcasts, share links, touches and the windows within which they count."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, SmallKey, choice
from orders.model import CreditKind, CreditSource
from sellers.model import Offer


class BroadcastKind(enum.StrEnum):
    """A livestream, or an online fair that lasts for days."""

    LIVESTREAM = "livestream"
    ONLINE_FAIR = "online_fair"


class Broadcast(Keyed, Base):
    """One livestream or online fair. Live when its host started it and has not ended it."""

    __tablename__ = "broadcast"
    __table_args__ = (
        CheckConstraint("planned_from < planned_to", name="plan"),
        CheckConstraint("started_at <= ended_at", name="actual"),
        Index("ix_broadcast_live", "started_at", postgresql_where="ended_at IS NULL"),
    )

    code: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[BroadcastKind] = mapped_column(choice(BroadcastKind, 12))
    title_zh: Mapped[str] = mapped_column(String(80))
    title_en: Mapped[str] = mapped_column(String(120), default="")
    platform: Mapped[str] = mapped_column(String(40), default="")
    place_zh: Mapped[str] = mapped_column(String(80), default="")
    host_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    organiser_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"), unique=True)
    planned_from: Mapped[datetime]
    planned_to: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    credit: Mapped[CreditSource] = relationship()
    pins: Mapped[list[BroadcastOffer]] = relationship(
        back_populates="broadcast", order_by="BroadcastOffer.position"
    )
    outside_rooms: Mapped[list[OutsideRoom]] = relationship(order_by="OutsideRoom.id")

    @property
    def is_live(self) -> bool:
        """Tell whether it is on now: what its host did decides, never the plan."""
        return self.started_at is not None and self.ended_at is None


class BroadcastOffer(SmallKey, Base):
    """An offer pinned in a broadcast. `shown_at` is when the host last put it before viewers."""

    __tablename__ = "broadcast_offer"
    __table_args__ = (Index("ix_broadcast_offer_broadcast", "broadcast_id"),)

    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcast.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), unique=True)
    position: Mapped[int]
    shown_at: Mapped[datetime | None]

    broadcast: Mapped[Broadcast] = relationship(back_populates="pins")
    offer: Mapped[Offer] = relationship()


class OutsideRoom(SmallKey, Base):
    """An id that an outside platform has for the broadcast; a room may have several."""

    __tablename__ = "outside_room"
    __table_args__ = (UniqueConstraint("platform", "room"),)

    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcast.id"), index=True)
    platform: Mapped[str] = mapped_column(String(40))
    room: Mapped[str] = mapped_column(String(120))


class ReportedFigure(SmallKey, Base):
    """A figure that somebody reported (views), with reporter's role and time; never measured."""

    __tablename__ = "reported_figure"
    __table_args__ = (CheckConstraint("value >= 0", name="value"),)

    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcast.id"), index=True)
    name: Mapped[str] = mapped_column(String(20))
    value: Mapped[int]
    reporter_zh: Mapped[str] = mapped_column(String(40))
    reporter_en: Mapped[str] = mapped_column(String(60), default="")
    reported_at: Mapped[datetime] = mapped_column(default=clock.now)


class ShareLink(Keyed, Base):
    """A cadre's or volunteer's link: counts influence, pays no commission."""

    __tablename__ = "share_link"

    code: Mapped[str] = mapped_column(String(40), unique=True)
    title_zh: Mapped[str] = mapped_column(String(80))
    title_en: Mapped[str] = mapped_column(String(120), default="")
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"))
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    # Visits whose touches are gone.
    past_visits: Mapped[int] = mapped_column(default=0)

    credit: Mapped[CreditSource] = relationship()
    offer: Mapped[Offer | None] = relationship()


class Touch(SmallKey, Base):
    """A visit through a broadcast or a share link, by one visitor."""

    __tablename__ = "touch"
    __table_args__ = (
        Index("ix_touch_visitor", "visitor", "at"),
        Index("ix_touch_account", "account_id", "at"),
    )

    visitor: Mapped[str] = mapped_column(String(24))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[CreditKind] = mapped_column(choice(CreditKind, 12))
    code: Mapped[str] = mapped_column(String(40))
    credit_source_id: Mapped[int] = mapped_column(ForeignKey("credit_source.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class CreditWindow(SmallKey, Base):
    """How long a touch of a kind counts, from a day on: versioned data, never edited."""

    __tablename__ = "credit_window"
    __table_args__ = (
        UniqueConstraint("kind", "valid_from"),
        CheckConstraint("days BETWEEN 0 AND 365", name="days"),
    )

    kind: Mapped[CreditKind] = mapped_column(choice(CreditKind, 12))
    days: Mapped[int]
    valid_from: Mapped[datetime] = mapped_column(default=clock.now)
