"""Accounts that whoever runs the server helps: locked after a theft, or with another password."""

from __future__ import annotations

import secrets

from kernel.db import transaction
from kernel.identity import Account, hash_password, sign_out_everywhere


def set_active(account: Account, *, active: bool) -> None:
    """Lock `account` out, at once and everywhere, or let it in again."""
    with transaction() as session:
        kept = session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
        kept.active = active
        sign_out_everywhere(kept)


def renew_password(account: Account) -> str:
    """Give `account` a password that nobody knows yet, and return it; it is signed out everywhere.

    It is for somebody who has forgotten theirs.
    """
    password = secrets.token_urlsafe(12)
    password_hash = hash_password(password)
    with transaction() as session:
        kept = session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
        kept.password_hash = password_hash
        sign_out_everywhere(kept)
    return password
