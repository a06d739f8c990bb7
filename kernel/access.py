"""Who may enter: every view carries a rule; a view without one is denied (law 10)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from flask import current_app, g, request, session
from flask_login import current_user

from kernel import clock
from kernel.db import public_code
from kernel.errors import Denied, FactorNeeded, NotFound, SignInNeeded
from kernel.identity import Account, Role, Seat, seats_of
from kernel.settings import Settings

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])

EVERYONE = frozenset(Role)
OPEN_ENDPOINTS = frozenset({"static"})
FACTOR_ROLES = frozenset({Role.STAFF, Role.ADMIN})
"""Who needs a second factor where `@allow(…, factor=True)` says so."""
READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Viewer:
    """Who asks: an account with its roles, or a visitor known only by a cookie."""

    account_id: int | None
    visitor: str
    name_zh: str = ""
    name_en: str = ""
    seats: frozenset[Seat] = field(default_factory=frozenset)
    factor_at: datetime | None = None

    @property
    def has_factor(self) -> bool:
        """Tell whether a second factor was shown here, and not too long ago."""
        settings: Settings = current_app.extensions["settings"]
        return self.factor_at is not None and clock.now() - self.factor_at < settings.factor_life

    @cached_property
    def roles(self) -> frozenset[Role]:
        """All roles held; a visitor holds only VISITOR."""
        if self.account_id is None:
            return frozenset({Role.VISITOR})
        return frozenset({seat.role for seat in self.seats} | {Role.CONSUMER})

    def has(self, *roles: Role) -> bool:
        """Tell whether any of `roles` is held."""
        return bool(self.roles & set(roles))

    def organisations(self, *roles: Role) -> list[int]:
        """Return ids of the organisations in which one of `roles` is held, in order."""
        held = {s.organisation_id for s in self.seats if s.role in roles}
        return sorted(one for one in held if one is not None)

    def organisation(self, *roles: Role) -> int:
        """Return the one organisation for `roles` (the first of several). Raises Denied."""
        held = self.organisations(*roles)
        if not held:
            raise Denied()
        return held[0]

    def belongs(self, organisation_id: int | None, *roles: Role) -> bool:
        """Tell whether one of `roles` is held in that organisation."""
        return organisation_id is not None and organisation_id in self.organisations(*roles)

    @property
    def actor(self) -> str:
        """A stable name for idempotency keys."""
        return actor_name(self.account_id, self.visitor)


def actor_name(account_id: int | None, visitor: str) -> str:
    """Return a stable name for whoever acts: `a:<account>`, or `v:<visitor>` for a guest."""
    return f"a:{account_id}" if account_id else f"v:{visitor}"


def viewer_of(account: Account, visitor: str, factor_at: datetime | None = None) -> Viewer:
    """Return the viewer for an account, which showed a second factor at `factor_at`."""
    return Viewer(
        account_id=account.id,
        visitor=visitor,
        name_zh=account.name_zh,
        name_en=account.name_en,
        seats=seats_of(account),
        factor_at=factor_at,
    )


def viewer() -> Viewer:
    """Return who makes this request (computed once a request)."""
    if "viewer" not in g:
        known = session.get("visitor", "")
        if current_user and current_user.is_authenticated:
            g.viewer = current_user.viewer(known)
        else:
            g.viewer = Viewer(account_id=None, visitor=known)
    current: Viewer = g.viewer
    return current


def my_account() -> int:
    """Return the key of the account that is signed in; what asks lets nobody else in."""
    account_id = viewer().account_id
    if account_id is None:
        raise TypeError("what is for signed-in accounts was opened without one")
    return account_id


def visitor_key(sent: str = "") -> str:
    """Return this browser's visitor key, made and kept in the session when first needed.

    With `sent`, which only this guest knows, whoever sends the same again gets the same key:
    so a first answer that was lost, and its cookie with it, can be asked for once more.
    """
    if not session.get("visitor"):
        session["visitor"] = _code_of(sent) if sent else public_code(20)
        session.permanent = True
        g.pop("viewer", None)
    key: str = session["visitor"]
    return key


def _code_of(sent: str) -> str:
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, f"visitor {sent}".encode(), hashlib.sha256).hexdigest()[:20]


class _Allow:
    """`@allow(Role.STAFF, …)` on a view, or `@allow.everyone` for a public one.

    `@allow(Role.STAFF, factor=True)` is for writes by which staff move money: staff and
    administrators then need a second factor that was confirmed a short while ago.
    """

    def __call__(self, *roles: Role, factor: bool = False) -> Callable[[View], View]:
        def mark(view: View) -> View:
            view.access = frozenset(roles)  # type: ignore[attr-defined]  # read by `rule_of`
            view.factor = factor  # type: ignore[attr-defined]  # read by `needs_factor`
            return view

        return mark

    def everyone(self, view: View) -> View:
        return self(*EVERYONE)(view)


allow = _Allow()


def signed(view: View) -> View:
    """Mark a view whose caller signs the body (webhooks, devices), so CSRF does not apply."""
    view.signed = True  # type: ignore[attr-defined]  # read by marketplace.security
    return view


def rule_of(endpoint: str) -> frozenset[Role] | None:
    """Return the roles that may enter `endpoint`; None when no rule was given."""
    if endpoint in OPEN_ENDPOINTS or endpoint.endswith(".static"):
        return EVERYONE
    view = current_app.view_functions.get(endpoint)
    return getattr(view, "access", None)


def needs_factor(endpoint: str) -> bool:
    """Tell whether staff need their second factor to write at `endpoint`."""
    return bool(getattr(current_app.view_functions.get(endpoint), "factor", False))


def ask_factor(who: Viewer) -> None:
    """Refuse whoever has not shown a second factor lately. Raises FactorNeeded."""
    if not who.has_factor:
        raise FactorNeeded()


def may_enter(endpoint: str, who: Viewer) -> bool:
    """Tell whether `who` passes the rule of `endpoint`; False when it does not exist."""
    rule = rule_of(endpoint)
    if rule is None:
        return False
    return Role.VISITOR in rule or not rule.isdisjoint(who.roles)


def guard() -> None:
    """Before every request: deny what no rule allows."""
    if request.endpoint is None:
        return  # routing failed: 404 or 405 follows
    rule = rule_of(request.endpoint)
    if rule is None:
        raise Denied(code="no_rule")
    if Role.VISITOR in rule:
        return  # open to everybody: a file or a public page need not ask who is there
    if rule == {Role.DEVICE}:
        return  # devices sign their body; the endpoint itself checks the signature
    who = viewer()
    if rule & who.roles:
        asked = needs_factor(request.endpoint) and request.method not in READS
        if asked and who.has(*FACTOR_ROLES):
            ask_factor(who)
        return
    if who.account_id is None:
        raise SignInNeeded()
    raise Denied()


def found(thing: T | None) -> T:
    """Return `thing`, or raise NotFound: what a viewer may not see does not exist for them."""
    if thing is None:
        raise NotFound()
    return thing
