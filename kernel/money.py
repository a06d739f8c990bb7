"""Money in whole fen. Never a float; a split loses nothing."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering

from kernel.text import plain

MAX_FEN = 10**13
"""The largest amount that any single field may hold: 100 thousand million yuan."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount of renminbi in whole fen; may be negative (a refund, a correction)."""

    fen: int

    def __post_init__(self) -> None:
        if type(self.fen) is not int:
            raise TypeError(f"money is whole fen, not {type(self.fen).__name__}")

    def __add__(self, other: Money) -> Money:
        return Money(self.fen + other.fen)

    def __sub__(self, other: Money) -> Money:
        return Money(self.fen - other.fen)

    def __mul__(self, units: int) -> Money:
        if type(units) is not int:
            raise TypeError("money is multiplied by whole units only")
        return Money(self.fen * units)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.fen)

    def __lt__(self, other: Money) -> bool:
        return self.fen < other.fen

    def __bool__(self) -> bool:
        return self.fen != 0

    def split(self, weights: Sequence[int]) -> list[Money]:
        """Divide by `weights` (not negative, not all zero) so that the parts sum to the whole.

        Largest remainder; ties go to the earlier part.
        """
        return [Money(part) for part in apportion(self.fen, weights)]

    def percent(self, basis_points: int) -> Money:
        """Return `basis_points` / 10,000 of this amount, halves rounded away from zero."""
        product = abs(self.fen) * basis_points
        part = (product + 5_000) // 10_000
        return Money(part if self.fen >= 0 else -part)

    def __str__(self) -> str:
        """Return ¥1,234.50, with a true minus sign before a negative amount."""
        sign = "−" if self.fen < 0 else ""
        yuan, fen = divmod(abs(self.fen), 100)
        return f"{sign}¥{yuan:,}.{fen:02d}"


def total(amounts: Iterable[Money]) -> Money:
    """Return the sum of `amounts`; zero of none."""
    return Money(sum(amount.fen for amount in amounts))


def apportion(whole: int, weights: Sequence[int]) -> list[int]:
    """Divide the integer `whole` by `weights` into integers that sum to it (largest remainder).

    Raises ValueError when the weights are negative or all zero. A negative whole gives
    the mirror image of the positive one.
    """
    if any(weight < 0 for weight in weights) or sum(weights) == 0:
        raise ValueError("weights must not be negative, nor all zero")
    if whole < 0:
        return [-part for part in apportion(-whole, weights)]
    base = sum(weights)
    parts = [whole * weight // base for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % base), i))
    for i in by_remainder[: whole - sum(parts)]:
        parts[i] += 1
    return parts


def apportion_next(before: int, whole: int, weights: Sequence[int]) -> list[int]:
    """Divide `whole` by `weights` after `before` was, so that both together are divided evenly.

    What is divided in many small parts comes out as if it had been divided at once; by largest
    remainder each part alone would favour the same ones. The parts are not negative and sum to
    `whole`. Raises ValueError as `apportion`, and for a negative amount.
    """
    if before < 0 or whole < 0:
        raise ValueError("amounts must not be negative")
    if any(weight < 0 for weight in weights) or sum(weights) == 0:
        raise ValueError("weights must not be negative, nor all zero")
    had, get = _by_odd_divisors(before, weights), _by_odd_divisors(before + whole, weights)
    return [after - earlier for earlier, after in zip(had, get, strict=True)]


def _by_odd_divisors(whole: int, weights: Sequence[int]) -> list[int]:
    """Divide `whole` by the method of Sainte-Laguë: of more to divide, nobody ever gets less."""
    base = sum(weights)
    # So much less than the whole that rounding comes to no more than it.
    first = max(0, whole - len(weights))
    parts = [(2 * first * weight + base) // (2 * base) for weight in weights]

    def claim(i: int) -> tuple[Fraction, int]:
        return -Fraction(weights[i], 2 * parts[i] + 1), i

    claims = [claim(i) for i in range(len(parts))]
    heapq.heapify(claims)
    for _ in range(whole - sum(parts)):
        i = claims[0][1]
        parts[i] += 1
        heapq.heapreplace(claims, claim(i))
    return parts


_YUAN = re.compile(r"^[¥￥]?\s*(\d{1,3}(?:,\d{3})+|\d{1,11})(?:\.(\d{1,2}))?\s*元?$")


def parse_yuan(text: str) -> Money:
    """Read what a person typed as yuan: 59, 59.5, ¥1,234.50. Raises ValueError otherwise."""
    match = _YUAN.match(plain(text))
    if not match:
        raise ValueError("not an amount in yuan")
    yuan, fen = match.group(1).replace(",", ""), (match.group(2) or "").ljust(2, "0")
    return Money(int(yuan) * 100 + int(fen))
