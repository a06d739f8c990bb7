"""The people and things that every history begins with, and how a step is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cabinets.actions.sites import CabinetFacts, SiteFacts, create_cabinet, create_site
from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db, transaction
from kernel.errors import Refusal
from kernel.identity import Account, OrganisationKind, Role
from livestream.actions import make_share_link
from livestream.model import ShareLink
from orders.model import BuyingUnit
from sellers.model import BenefitPlan, Seller
from tests import builders

T = TypeVar("T")
BEGIN = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
"""A Monday morning in Shanghai."""


def viewer_for(account: Account) -> Viewer:
    """The viewer whom an account would be, with a cookie of its own."""
    return viewer_of(db.session.get_one(Account, account.id), f"browser-{account.id}")


def some(things: Sequence[T], number: int) -> T:
    """One of `things`, for any number."""
    return things[number % len(things)]


@dataclass
class World:
    """Who lives in a history."""

    sellers: list[Seller]
    staff: list[Account]
    unit: BuyingUnit
    coordinator: Account
    members: list[Account]
    buyers: list[Viewer]
    host: Viewer
    operator: Viewer
    cabinet: str
    link: ShareLink
    refusals: dict[str, int] = field(default_factory=dict)

    def tried(self, act: Callable[[], T]) -> T | None:
        """Do it, or be refused: a refusal is an answer, every other error is a fault."""
        try:
            return act()
        except Refusal as refusal:
            self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1
            return None
        finally:
            db.session.rollback()
            db.session.expire_all()


def _seller(share: int) -> Seller:
    made = builders.seller()
    for weight in (2, 1):
        builders.household(made, share_weight=weight)
    with transaction() as session:
        session.add(BenefitPlan(seller_id=made.id, kind="delivery", basis_points=share))
    return made


def new_world() -> World:
    """Two cooperatives, an office with three people, four buyers, a host, a cabinet."""
    builders.credit_source()
    sellers = [_seller(8000), _seller(6000)]
    for seller, limit in zip(sellers, (None, 2), strict=True):
        lot = builders.lot(builders.product(seller), 12)
        builders.offer(lot, 590, quota=10, limit_per_buyer=limit, broadcast_floor_fen=450)
    unit = builders.buying_unit(staff=20)
    host = viewer_for(builders.account(Role.HOST))
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR, "某运营单位")
    operator = viewer_for(builders.account(Role.OPERATOR, company))
    site = create_site(
        operator, SiteFacts(code="hall", kind="office", name_zh="某机关大楼", city="重庆市")
    )
    cabinet = create_cabinet(operator, site.code, CabinetFacts(code="hall-1", slots=2, capacity=6))
    return World(
        sellers=sellers,
        staff=[builders.account(Role.STAFF) for _ in range(2)],
        unit=unit,
        coordinator=builders.account(Role.COORDINATOR, unit.organisation),
        members=[builders.account(Role.OFFICIAL, unit.organisation) for _ in range(3)],
        buyers=[
            *(viewer_for(builders.account()) for _ in range(2)),
            *(Viewer(account_id=None, visitor=f"guest-{number}") for number in range(2)),
        ],
        host=host,
        operator=operator,
        cabinet=cabinet.code,
        link=make_share_link(host, "某干部的推广码"),
    )


@dataclass
class Time:
    """The clock of a history: it stands still, and moves when the history says so."""

    at: datetime = BEGIN
    _hold: Any = None

    def move(self, by: timedelta = timedelta(0)) -> None:
        """Let time pass."""
        self.stop()
        self.at += by
        self._hold = clock.frozen(self.at)
        self._hold.__enter__()

    def stop(self) -> None:
        """Let the real clock run again."""
        if self._hold is not None:
            self._hold.__exit__(None, None, None)
            self._hold = None
