"""THE stock rule: a lot's promise is the reservation, an offer's quota only a ceiling.

Everything that is sold passes `promise`, whatever page, API or job asks for it.
"""

from sellers.supply.promising import (
    FROZEN,
    PriceChanged,
    Promised,
    Then,
    freeze,
    lock,
    prices_of,
    promise,
    promise_lots,
)
from sellers.supply.releasing import GivenBack, release, release_lots, take_again

__all__ = [
    "FROZEN",
    "GivenBack",
    "PriceChanged",
    "Promised",
    "Then",
    "freeze",
    "lock",
    "prices_of",
    "promise",
    "promise_lots",
    "release",
    "release_lots",
    "take_again",
]
