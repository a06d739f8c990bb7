"""Which seller is asking, as its pages and its JSON both need it."""

from __future__ import annotations

from kernel.access import viewer
from kernel.identity import Role


def my_seller() -> int:
    """Return the key of the seller whose clerk is looking. Raises Denied."""
    return viewer().organisation(Role.CLERK)
