"""Who is asking, as the seller's pages and its JSON both need it."""

from __future__ import annotations

from kernel.access import viewer
from kernel.identity import Role


def my_seller() -> int:
    """Return the key of the seller whose clerk is looking. Raises Denied."""
    return viewer().organisation(Role.CLERK)


def my_account() -> int:
    """Return the key of the account that is signed in; everything here needs one."""
    account_id = viewer().account_id
    if account_id is None:
        raise TypeError("what is for signed-in accounts was opened without one")
    return account_id
