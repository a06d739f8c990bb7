"""What fell short of a harvest, as buyers are told it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.money import Money, total
from orders.model import OrderLine


@dataclass(frozen=True, slots=True)
class Shortage:
    """One product of which less was allocated than ordered: whole units, and what they cost.

    `line` is one of its lines, which shows its name and unit.
    """

    line: OrderLine
    ordered: int
    allocated: int
    money: Money


def shortages(lines: Iterable[OrderLine]) -> list[Shortage]:
    """Return what fell short of these lines, once per product, without those not allocated yet.

    Each line's price counts for what that line did not get: it is not due, or refunded.
    """
    of_product: dict[int, list[tuple[OrderLine, int]]] = {}
    for line in lines:
        if line.allocated is not None:
            of_product.setdefault(line.product_id, []).append((line, line.allocated))
    return [
        Shortage(
            of[0][0],
            sum(line.quantity for line, _ in of),
            sum(got for _, got in of),
            total(Money(line.price_fen) * (line.quantity - got) for line, got in of),
        )
        for _, of in sorted(of_product.items())
        if any(got < line.quantity for line, got in of)
    ]
