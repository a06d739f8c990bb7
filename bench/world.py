"""What the bench sells: offers on the shelf and past sales behind them, written with COPY.

All of it obeys the laws (`make check` finds nothing), so that figures are taken from a
database as it could be. Nobody and nothing in it exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from bench.copying import Copier, Say
from sellers.search import RULE, terms

SOLD_AT_ONCE = 20
"""Orders that one past transfer paid for."""
PINNED = 8
BOARD_LINES = 400
SPREAD_OFFERS = 1000
PLENTY = 10_000_000
BUYERS = 2000
OFFERS_PER_SELLER = 100
SOURCES_FOR_LINES = 500
BOARD_CODE = "bench-broadcast"
KINDS = (
    ("春橙", "fruit", "箱", 5000, "orange.webp"),
    ("土鸡蛋", "eggs", "枚", 50, "egg.webp"),
    ("绿茶", "tea", "罐", 250, "tea.webp"),
    ("生姜", "spice", "斤", 500, "ginger.webp"),
    ("蜂蜜", "honey", "瓶", 500, "honey.webp"),
    ("香菇", "dried", "袋", 250, "mushroom.webp"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: offers in the shop, and lines that were sold before."""

    offers: int
    past_lines: int


@dataclass(frozen=True, slots=True)
class World:
    """What the load needs to know of it: bearer tokens and public ids."""

    tokens: list[str]
    host_token: str
    hot_offer: str
    spread_offers: list[str]
    shown_offers: list[str]
    board: str
    pinned_offer: str


def token_of(number: int) -> str:
    """Return the bearer token of the bench's account with that number."""
    return f"xj_bench_{number:08d}"


def code_of(kind: str, number: int) -> str:
    """Return a public id: as long as real ones, and as little in order as they are."""
    return kind + hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest()[:11]


class Loader:
    """Writes the world, table by table."""

    def __init__(self, connection: psycopg.Connection, size: Size, key: str, say: Say) -> None:
        self._copier = Copier(connection, say)
        self._copy = self._copier.copy
        self._size = size
        self._now = datetime.now(UTC)
        self._recipient = Fernet(key).encrypt(b'{"name": "-", "phone": "-"}').decode()
        self._promised = [0] * (size.offers + 1)
        self._accounts = max(BUYERS, size.past_lines // 20) + 1
        self._sellers = max(1, size.offers // OFFERS_PER_SELLER)
        self._broadcasts = max(2, size.past_lines // SOURCES_FOR_LINES)
        self._shop = self._copier.one("SELECT id FROM credit_source WHERE kind = 'shop'")
        self._first_source = self._copier.one("SELECT max(id) FROM credit_source") + 1

    def load(self) -> World:
        """Write everything; return what the load needs to know."""
        offers = self._size.offers
        for number in range(1, self._size.past_lines + 1):
            self._promised[self._offer_of(number)] += self._units_of(number)
        self._people()
        self._producers()
        self._goods()
        self._channels()
        self._past()
        self._books(self._payments())
        self._copier.finish()
        first_spread = offers - SPREAD_OFFERS
        return World(
            tokens=[token_of(n) for n in range(1, BUYERS + 1)],
            host_token=token_of(self._accounts),
            hot_offer=code_of("o", first_spread - 1),
            spread_offers=[code_of("o", n) for n in range(first_spread, offers)],
            shown_offers=[code_of("o", n) for n in range(PINNED + 1, offers, offers // 200 + 1)],
            board=BOARD_CODE,
            pinned_offer=code_of("o", 1),
        )

    def _offer_of(self, line: int) -> int:
        if line <= BOARD_LINES:
            return line % PINNED + 1
        return line * 7919 % (self._size.offers - PINNED) + PINNED + 1

    @staticmethod
    def _units_of(line: int) -> int:
        return line % 3 + 1

    @staticmethod
    def _price_of(offer: int) -> int:
        return 1000 + offer * 37 % 9000

    def _source_of(self, line: int) -> int:
        """A third was sold by broadcasts, the rest by the shop; the pinned by their own."""
        if line <= BOARD_LINES:
            return self._first_source
        if line % 3:
            return self._shop
        return self._first_source + 1 + line % (self._broadcasts - 1)

    def _people(self) -> None:
        count = self._accounts
        hashed = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
        self._copy(
            "account",
            "id public_id login password_hash name_zh",
            ((n, code_of("a", n), f"bench-{n}", hashed, "某买家") for n in range(1, count + 1)),
        )
        roles = [(n, "consumer") for n in range(1, count + 1)] + [(count, "host")]
        self._copy(
            "membership",
            "account_id role",
            roles,
        )
        later = self._now + timedelta(days=30)
        self._copy(
            "api_token",
            "account_id token_hash session_epoch expires_at",
            (
                (n, hashlib.sha256(token_of(n).encode()).hexdigest(), 0, later)
                for n in (*range(1, BUYERS + 1), count)
            ),
        )

    def _producers(self) -> None:
        sellers = self._sellers
        self._copy(
            "organisation",
            "id public_id kind code name_zh",
            (
                (n, code_of("s", n), "seller", f"bench-{n}", f"第{n}合作社")
                for n in range(1, sellers + 1)
            ),
        )
        self._copy(
            "seller",
            "id kind province city county township village households_count registered_count state",
            (
                (
                    *(n, "cooperative", "重庆市", "重庆市", f"第{n % 30}县"),
                    *("某镇", "某村", 40, 12, "verified"),
                )
                for n in range(1, sellers + 1)
            ),
        )
        self._copy(
            "certificate",
            "public_id seller_id kind number state",
            (
                (code_of("z", n), n, "绿色食品", f"LB-{n}", "accepted")
                for n in range(1, sellers + 1)
            ),
        )
        self._copy(
            "benefit_plan",
            "seller_id kind basis_points",
            ((n, "delivery", 7000) for n in range(1, sellers + 1)),
        )

    def _goods(self) -> None:
        offers, sellers = self._size.offers, self._sellers
        self._copy(
            "product",
            "id public_id seller_id name_zh name_en category grade keeping picture unit_name unit_g"
            " case_units terms terms_rule",
            (self._product(n) for n in range(1, offers + 1)),
        )
        self._copy(
            "lot",
            "id public_id seller_id product_id mode offered promised",
            (
                (n, code_of("l", n), n % sellers + 1, n, "in_hand", PLENTY, promised)
                for n, promised in enumerate(self._promised[1:], 1)
            ),
        )
        self._copy(
            "offer",
            "id public_id lot_id seller_id product_id place price_fen quota sold limit_per_buyer"
            " opens_at",
            (self._offer(n) for n in range(1, offers + 1)),
        )

    def _product(self, n: int) -> Sequence[Any]:
        name, category, unit, grams, picture = KINDS[n % len(KINDS)]
        name = f"{name}{n}号"
        return (
            *(n, code_of("p", n), n % self._sellers + 1, name, f"Produce no. {n}", category),
            *("一级", "阴凉处", picture, unit, grams, 10, terms(name), RULE),
        )

    def _offer(self, n: int) -> Sequence[Any]:
        place = "broadcast" if n <= PINNED else "shop"
        # What sells in a flash has a ceiling and a limit for each buyer.
        is_hot = n == self._size.offers - SPREAD_OFFERS - 1
        quota, limit = (PLENTY, PLENTY) if is_hot else (None, None)
        return (
            *(n, code_of("o", n), n, n % self._sellers + 1, n, place, self._price_of(n), quota),
            *(self._promised[n], limit, self._now - timedelta(days=300)),
        )

    def _channels(self) -> None:
        now, host = self._now, self._accounts
        started = now - timedelta(hours=1)
        codes = [BOARD_CODE, *(f"bench-{n}" for n in range(1, self._broadcasts))]
        sources = [(self._first_source + n, code) for n, code in enumerate(codes)]
        self._copy(
            "credit_source",
            "id kind code title_zh",
            ((source, "broadcast", code, "某场直播") for source, code in sources),
        )
        self._copy(
            "broadcast",
            "id public_id code kind title_zh host_id credit_source_id planned_from planned_to"
            " started_at ended_at",
            (
                (
                    *(n, code_of("b", n), code, "livestream", "某场直播", host, source),
                    *(started, now, started, None if n == 1 else now),
                )
                for n, (source, code) in enumerate(sources, 1)
            ),
        )
        self._copy(
            "broadcast_offer",
            "broadcast_id offer_id position shown_at",
            ((1, n, n, now if n == 1 else None) for n in range(1, PINNED + 1)),
        )
        # Each buyer came through two broadcasts: one closes the sale, the other assisted.
        touches = (
            (n, 1 + (n + k) % (self._broadcasts - 1)) for n in range(1, host) for k in (0, 1)
        )
        self._copy(
            "touch",
            "visitor account_id kind code credit_source_id at",
            (
                (code_of("v", n), n, "broadcast", codes[b], self._first_source + b, started)
                for n, b in touches
            ),
        )

    def _past(self) -> None:
        orders = self._size.past_lines // 2
        self._copy(
            "orders",
            "id number account_id state total_fen recipient city placed_at expires_at paid_at",
            (self._order(n) for n in range(1, orders + 1)),
            orders,
        )
        self._copy(
            "order_line",
            "order_id offer_id lot_id seller_id product_id credit_source_id name_zh name_en"
            " seller_name_zh seller_name_en unit_name unit_g picture category certificate_number"
            " price_fen quantity amount_fen",
            (self._line(n) for n in range(1, orders * 2 + 1)),
            orders * 2,
        )
        self._copy(
            "order_event",
            "order_id at kind",
            ((n, self._placed_at(n), "placed") for n in range(1, orders + 1)),
            orders,
        )
        self._copy(
            "idempotency_key",
            "actor endpoint key body_hash answer created_at",
            (
                (f"a:{n}", "orders", f"{n:032x}", "0" * 64, "{}", self._placed_at(n))
                for n in range(1, orders + 1)
            ),
            orders,
        )

    def _placed_at(self, order: int) -> datetime:
        # The lines of the board are of this hour, the others of the last months.
        if order * 2 <= BOARD_LINES:
            return self._now - timedelta(seconds=order * 10)
        return self._now - timedelta(days=300) + timedelta(seconds=order * 40)

    def _amount(self, order: int) -> int:
        return sum(
            self._price_of(self._offer_of(line)) * self._units_of(line)
            for line in (order * 2 - 1, order * 2)
        )

    def _order(self, n: int) -> Sequence[Any]:
        at = self._placed_at(n)
        account = n % (self._accounts - 1) + 1
        return (
            *(n, f"XB{n:09d}", account, "confirmed", self._amount(n), self._recipient),
            *("某市", at, at, at),
        )

    def _line(self, n: int) -> Sequence[Any]:
        offer = self._offer_of(n)
        name, category, unit, grams, picture = KINDS[offer % len(KINDS)]
        seller = offer % self._sellers + 1
        price, units = self._price_of(offer), self._units_of(n)
        return (
            *((n + 1) // 2, offer, offer, seller, offer, self._source_of(n), f"{name}{offer}号"),
            *(f"Produce no. {offer}", f"第{seller}合作社", "", unit, grams, picture, category),
            *(f"LB-{seller}", price, units, price * units),
        )

    def _payments(self) -> list[int]:
        """Past orders were paid by transfers, each for several of them; return what each paid."""
        orders = self._size.past_lines // 2
        batches = [
            range(first, min(first + SOLD_AT_ONCE, orders + 1))
            for first in range(1, orders + 1, SOLD_AT_ONCE)
        ]
        paid = [sum(map(self._amount, batch)) for batch in batches]
        self._copy(
            "payment",
            "id public_id method state amount_fen captured_fen captured_at",
            (
                (n, code_of("m", n), "transfer", "captured", fen, fen, self._placed_at(batch[-1]))
                for n, (fen, batch) in enumerate(zip(paid, batches, strict=True), 1)
            ),
        )
        self._copy(
            "payment_share",
            "payment_id order_id amount_fen",
            (
                (n, order, self._amount(order))
                for n, batch in enumerate(batches, 1)
                for order in batch
            ),
            orders,
        )
        return paid

    def _books(self, paid: Sequence[int]) -> None:
        """Post the transfers of `paid` fen to the ledger."""
        at = self._now
        book = self._copier.one("INSERT INTO ledger_book (code) VALUES ('xiangji') RETURNING id")
        opened = (
            "INSERT INTO ledger_account (book_id, kind, owner) VALUES (%s, %s, '') RETURNING id"
        )
        accounts = [
            self._copier.one(opened, book, kind) for kind in ("transfer_clearing", "buyer_prepaid")
        ]
        self._copy(
            "ledger_transaction",
            "id book_id kind reference facts posted_at",
            (
                (n, book, "payment", code_of("m", n), '{"method": "transfer"}', at)
                for n in range(1, len(paid) + 1)
            ),
        )
        sides = tuple(zip(accounts, (1, -1), strict=True))
        self._copy(
            "posting",
            "transaction_id account_id amount_fen",
            ((n, who, fen * side) for n, fen in enumerate(paid, 1) for who, side in sides),
        )
