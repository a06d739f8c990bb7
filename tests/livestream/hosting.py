"""A host and a broadcast of theirs: planned, pinned to, sold from."""

from __future__ import annotations

from datetime import timedelta

from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db, transaction
from kernel.identity import Account, OrganisationKind, Role
from livestream import actions
from livestream.actions import Pin, Plan
from livestream.model import Broadcast, BroadcastKind
from orders.model import Order, PaymentMethod
from orders.placing import Credited, place
from sellers.model import Offer
from tests import builders


def host() -> Viewer:
    """Somebody who hosts for the platform."""
    account = builders.account(
        Role.HOST, builders.organisation(OrganisationKind.PLATFORM, "某平台")
    )
    return viewer_of(db.session.get_one(Account, account.id), "")


def planned(viewer: Viewer) -> Broadcast:
    """A broadcast that is planned from now on."""
    now = clock.now()
    return actions.plan_broadcast(
        viewer,
        Plan("春橙直播", "", BroadcastKind.LIVESTREAM, "", "", now, now + timedelta(hours=2)),
    )


def pinned(viewer: Viewer, code: str, quota: int = 10, price_fen: int = 5900) -> Offer:
    """The broadcast\'s offer of a lot that is in the shop at the same price."""
    lot = builders.offer(price_fen=price_fen).lot
    pin = actions.pin_offer(viewer, code, Pin(lot.public_id, price_fen, quota))
    return db.session.get_one(Offer, pin.offer_id)


def sell(broadcast: Broadcast, offer: Offer, units: int, *, paid: bool = True) -> None:
    """A new buyer orders so many units in the broadcast, paid for unless said otherwise."""
    placed = place(
        builders.buyer(),
        {offer.id: units},
        {offer.id: Credited(broadcast.credit_source_id)},
        PaymentMethod.STRIPE,
    )
    if paid:
        with transaction() as session:
            session.get_one(Order, placed.order_id).paid_at = clock.now()
