"""Who gets how much of a yield: pure policies, in whole units.

Each takes the yield and what every line ordered, oldest line first, and returns what every
line gets: never more than it ordered, and together no more than there is. Where the time
counts it counts per unit: who changes a need keeps the time of the units that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.money import apportion

Policy = Callable[[int, Sequence[int]], list[int]]


@dataclass(frozen=True, slots=True, order=True)
class Needed:
    """So many units of a line, needed since a moment."""

    since: datetime
    units: int


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
BY_TIME = frozenset({"first_come"})
"""Policies for which each unit counts by the time since which it is needed."""


def kept(before: Sequence[Needed], units: int, at: datetime) -> list[Needed]:
    """Return since when `units` are needed, of whoever needed `before` (oldest first) till `at`.

    Who needs less gives up its newest units; who needs more is new for what is added.
    """
    needed = []
    for need in before:
        taken = min(need.units, units)
        units -= taken
        if taken:
            needed.append(Needed(need.since, taken))
    return [*needed, Needed(at, units)] if units else needed


def divide(policy: str, supply: int, lines: Sequence[Sequence[Needed]]) -> list[int]:
    """Return what every line gets of `supply` by `policy`; `lines` are what each one needed."""
    if policy not in BY_TIME:
        return POLICIES[policy](supply, [sum(one.units for one in needed) for needed in lines])
    queue = sorted(
        (need.since, at, need.units) for at, needed in enumerate(lines) for need in needed
    )
    given = [0] * len(lines)
    parts = POLICIES[policy](supply, [units for _, _, units in queue])
    for (_, at, _), part in zip(queue, parts, strict=True):
        given[at] += part
    return given
