"""What is grown, and the quantities of it that may be sold."""

from __future__ import annotations

import enum
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, choice
from kernel.files import StoredFile
from kernel.quantity import MAX_UNITS
from sellers.model.seller import Seller


class Category(enum.StrEnum):
    """Kinds of produce; each has its own wall colour in a stall."""

    FRUIT = "fruit"
    EGGS = "eggs"
    POULTRY = "poultry"
    VEGETABLE = "vegetable"
    TEA = "tea"
    HONEY = "honey"
    GRAIN = "grain"
    MUSHROOM = "mushroom"
    DRIED = "dried"
    OIL = "oil"
    SPICE = "spice"


class Product(Keyed, Base):
    """What is grown: variety, grade, photo.

    `terms` is what search looks in, `terms_rule` the way in which they were made: 0 for not yet.
    """

    __tablename__ = "product"
    __table_args__ = (
        Index("ix_product_terms", "terms", postgresql_using="gin"),
        Index("ix_product_terms_rule", "terms_rule"),
    )

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    name_zh: Mapped[str] = mapped_column(String(60))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    category: Mapped[Category] = mapped_column(choice(Category, 12), index=True)
    variety: Mapped[str] = mapped_column(String(60), default="")
    grade: Mapped[str] = mapped_column(String(30), default="")
    keeping: Mapped[str] = mapped_column(String(120), default="")
    picture: Mapped[str] = mapped_column(String(40), default="basket.webp")
    photo_id: Mapped[int | None] = mapped_column(ForeignKey("stored_file.id"))
    unit_name: Mapped[str] = mapped_column(String(8))
    unit_g: Mapped[int]
    case_units: Mapped[int] = mapped_column(default=1)
    weighed: Mapped[bool] = mapped_column(default=False)
    terms: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    terms_rule: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    seller: Mapped[Seller] = relationship()
    photo: Mapped[StoredFile | None] = relationship()


class LotMode(enum.StrEnum):
    """In hand, or still in the field with a harvest window."""

    IN_HAND = "in_hand"
    IN_FIELD = "in_field"


class Lot(Keyed, Base):
    """A quantity of one product from one seller; offered, promised and yielded stay apart."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("0 <= promised AND promised <= offered", name="promise"),
        CheckConstraint(f"offered <= {MAX_UNITS}", name="size"),
        CheckConstraint("yielded IS NULL OR yielded >= 0", name="yield"),
        CheckConstraint("harvest_from <= harvest_to", name="window"),
    )

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    code: Mapped[str] = mapped_column(String(40), default="")
    mode: Mapped[LotMode] = mapped_column(choice(LotMode, 10))
    offered: Mapped[int]
    promised: Mapped[int] = mapped_column(default=0)
    yielded: Mapped[int | None]
    harvest_from: Mapped[date | None]
    harvest_to: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    product: Mapped[Product] = relationship()
    seller: Mapped[Seller] = relationship()

    @property
    def left(self) -> int:
        """Units that can still be promised."""
        return self.offered - self.promised

    def is_harvested(self, day: date) -> bool:
        """Tell whether nothing of it grows any more on `day`, so that it is no pre-order.

        Until its harvest ends it may be sold in one round after another, each with its yield.
        """
        ended = self.harvest_to is not None and self.harvest_to < day
        return self.mode is LotMode.IN_FIELD and ended
