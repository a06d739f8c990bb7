"""The picture of a seller's households: one little house each, registered ones dark."""

from __future__ import annotations

from dataclasses import dataclass

PER_ROW = 47
SIDE = 7
"""The width and height of one house, in the picture's own units."""
MOST = 1_500
"""Beyond this many houses nobody sees one; words say it then."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle filled with houses."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Houses:
    """Patches of registered households and of the others, and the size of the whole."""

    width: int
    height: int
    registered: list[Patch]
    others: list[Patch]


def houses(total: int, registered: int) -> Houses | None:
    """Return the picture of `total` households; None when there are none, or too many."""
    if not 0 < total <= MOST or not 0 <= registered <= total:
        return None
    rows = -(-total // PER_ROW)
    width = min(total, PER_ROW) * SIDE
    return Houses(width, rows * SIDE, _patches(0, registered), _patches(registered, total))


def _patches(begin: int, end: int) -> list[Patch]:
    """Return rectangles that cover houses number `begin` to `end`, row by row."""
    patches: list[Patch] = []
    while begin < end:
        row, column = divmod(begin, PER_ROW)
        if column == 0 and end - begin >= PER_ROW:
            rows = (end - begin) // PER_ROW
            patches.append(Patch(0, row * SIDE, PER_ROW * SIDE, rows * SIDE))
            begin += rows * PER_ROW
        else:
            here = min(end - begin, PER_ROW - column)
            patches.append(Patch(column * SIDE, row * SIDE, here * SIDE, SIDE))
            begin += here
    return patches
