"""A household's task by the unguessable name of its page, and who acts on it."""

from __future__ import annotations

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from kernel.access import Viewer
from kernel.errors import NotFound
from orders.model import HouseholdQuota
from orders.queries import harvest


def token_of(quota: HouseholdQuota) -> str:
    """Return the unguessable name of a household's page; whoever holds it may answer."""
    return str(_signer().dumps(quota.public_id))


def quota_of(token: str) -> HouseholdQuota:
    """Return the task that a household's page is named for. Raises NotFound."""
    try:
        public_id = str(_signer().loads(token))
    except BadSignature as problem:
        raise NotFound() from problem
    return harvest.quota(public_id)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="household-task")


def acts_for(quota: HouseholdQuota, who: Viewer) -> tuple[int | None, bool]:
    """Return the account that acts (None: the household itself) and whether by proxy."""
    acting = harvest.acting_for(quota.household, who)
    return who.account_id, bool(acting and acting.by_proxy)
