"""Who gets how much of a yield: pure policies, in whole units.

Each takes the yield and what every line ordered, oldest line first, and returns what every
line gets: never more than it ordered, and together no more than there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kernel.money import apportion

Policy = Callable[[int, Sequence[int]], list[int]]


def pro_rata(supply: int, ordered: Sequence[int]) -> list[int]:
    """Give every line the same share of what it ordered; odd units by largest remainder."""
    whole = sum(ordered)
    return apportion(min(supply, whole), ordered) if whole else [0] * len(ordered)


def first_come(supply: int, ordered: Sequence[int]) -> list[int]:
    """Fill the oldest line, then the next, until nothing is left."""
    given = []
    for wanted in ordered:
        given.append(min(wanted, supply))
        supply -= given[-1]
    return given


def equal(supply: int, ordered: Sequence[int]) -> list[int]:
    """Give every line the same number of units; who wants fewer leaves the rest to others."""
    given = [0] * len(ordered)
    open_lines = [i for i, wanted in enumerate(ordered) if wanted]
    while supply and open_lines:
        each = max(1, min(supply // len(open_lines), *(ordered[i] - given[i] for i in open_lines)))
        for i in open_lines[:supply]:
            given[i] += each
            supply -= each
        open_lines = [i for i in open_lines if given[i] < ordered[i]]
    return given


POLICIES: Mapping[str, Policy] = {
    "pro_rata": pro_rata,
    "first_come": first_come,
    "equal": equal,
}
