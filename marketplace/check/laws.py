"""The list of laws, and of what merely waits for its worker."""

from __future__ import annotations

from marketplace.check import books, days, delivery, money, sales, stock, waiting
from marketplace.check.law import Finding, Law, examine

LAWS: tuple[Law, ...] = (
    *stock.LAWS,
    *sales.LAWS,
    *days.LAWS,
    *money.LAWS,
    *books.LAWS,
    *delivery.LAWS,
)
WAITING: tuple[Law, ...] = waiting.LAWS


def check() -> list[Finding]:
    """Look at every law over the whole database."""
    return examine(LAWS)
