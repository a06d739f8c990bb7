"""Ids of the form that Stripe gives."""

import secrets
import string

_SIGNS = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """Give an unguessable id, such as `pi_3kZ...`."""
    return prefix + "".join(secrets.choice(_SIGNS) for _ in range(length))
