"""What is on sale, where and at which price, and the spreadsheets that it came in by."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel import clock
from kernel.db import Base, Keyed, choice
from kernel.money import MAX_FEN
from sellers.model.produce import Lot, Product
from sellers.model.seller import Seller, SellerState


class Place(enum.StrEnum):
    """The kind of place in which an offer stands."""

    SHOP = "shop"
    ROUND = "round"
    BROADCAST = "broadcast"
    SLOT = "slot"


class Offer(Keyed, Base):
    """A lot on sale in one place at one price. Everything sold is sold through an offer.

    `quota` is a ceiling (None: the lot alone is), `limit_per_buyer` likewise. It is on sale
    while not withdrawn, within its window, and its seller is verified. `broadcast_floor_fen`
    stands on shop offers: see `sellers.floors`.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("0 <= sold AND (quota IS NULL OR sold <= quota)", name="quota"),
        CheckConstraint(f"0 < price_fen AND price_fen <= {MAX_FEN}", name="price"),
        CheckConstraint("limit_per_buyer IS NULL OR limit_per_buyer > 0", name="limit"),
        CheckConstraint(
            "broadcast_floor_fen IS NULL OR (place = 'shop'"
            " AND 0 < broadcast_floor_fen AND broadcast_floor_fen <= price_fen)",
            name="floor",
        ),
        CheckConstraint("opens_at < closes_at", name="window"),
        # The storefront's list: newest first among what is not withdrawn.
        Index("ix_offer_shelf", "place", "id", postgresql_where="withdrawn_at IS NULL"),
    )

    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    place: Mapped[Place] = mapped_column(choice(Place, 10))
    price_fen: Mapped[int]
    quota: Mapped[int | None]
    sold: Mapped[int] = mapped_column(default=0)
    limit_per_buyer: Mapped[int | None]
    broadcast_floor_fen: Mapped[int | None]
    opens_at: Mapped[datetime] = mapped_column(default=clock.now)
    closes_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    lot: Mapped[Lot] = relationship()
    product: Mapped[Product] = relationship()
    seller: Mapped[Seller] = relationship()

    @property
    def left(self) -> int:
        """Units that can still be bought here: the lot's rest, under the quota's rest."""
        if self.quota is None:
            return self.lot.left
        return min(self.lot.left, self.quota - self.sold)

    @property
    def may_add(self) -> int:
        """By how many units its quota may rise: what the lot still has beyond the quota's rest."""
        if self.quota is None:
            return 0
        return max(0, self.lot.left - (self.quota - self.sold))

    def is_open(self, at: datetime) -> bool:
        """Tell whether it is on sale at `at`, by its window and withdrawal."""
        begun, ended = self.opens_at <= at, self.closes_at is not None and self.closes_at <= at
        return begun and not ended and self.withdrawn_at is None

    def is_on_sale(self, at: datetime) -> bool:
        """Tell whether it can be bought at `at`, stock aside."""
        harvested = self.lot.is_harvested(clock.local(at).date())
        return self.is_open(at) and self.seller.state is SellerState.VERIFIED and not harvested


class BuyerTake(Base):
    """How many units one buyer holds of an offer that has a limit per buyer."""

    __tablename__ = "buyer_take"
    __table_args__ = (CheckConstraint("units >= 0", name="units"),)

    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), primary_key=True)
    buyer: Mapped[str] = mapped_column(String(40), primary_key=True)
    units: Mapped[int]


class ImportState(enum.StrEnum):
    """A spreadsheet is read, shown as a preview, and only then loaded, whole or not at all."""

    READING = "reading"
    PREVIEW = "preview"
    LOADING = "loading"
    DONE = "done"
    FAILED = "failed"


class OfferImport(Keyed, Base):
    """One uploaded spreadsheet of stock, its rows, its faults and how far the work has come.

    `content` is the file until it has been read. A fault is a dictionary with line, column,
    value, fault (a key of `sellers.imports.words.FAULTS`) and what fills its words.
    """

    __tablename__ = "offer_import"

    seller_id: Mapped[int] = mapped_column(ForeignKey("seller.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    file_name: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes | None] = mapped_column(deferred=True)
    state: Mapped[ImportState] = mapped_column(choice(ImportState, 10), default=ImportState.READING)
    rows: Mapped[list[Any]] = mapped_column(default=list)
    faults: Mapped[list[Any]] = mapped_column(default=list)
    rows_total: Mapped[int] = mapped_column(default=0)
    rows_done: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
