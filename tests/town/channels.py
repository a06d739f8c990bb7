"""The town's channels: broadcasts with pins and visits, share links, cabinets that report."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from cabinets.actions.reports import Report, receive
from cabinets.actions.sites import CabinetFacts, SiteFacts, create_cabinet, create_site
from cabinets.actions.trips import TripLine, restock
from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db
from kernel.identity import Account
from livestream import actions as live
from livestream.model import Broadcast, BroadcastKind, BroadcastOffer, ShareLink
from orders.model import PaymentMethod
from orders.placing import Buyer, Credited, place
from sellers.model import Lot, Offer
from tests import builders
from tests.cabinets.cabinet_builders import set_offer
from tests.town.people import People
from tests.town.trade import pay

MOST_SLOTS = 30


def viewer(account: Account) -> Viewer:
    """Somebody, as a view would see them."""
    return viewer_of(db.session.get_one(Account, account.id), "")


def broadcasts(people: People, lots: list[Lot], rows: int) -> None:
    """One that is live, with a pin and a sale for each lot, one that has ended, and plans."""
    host = viewer(people.host)
    at = clock.now()

    def planned(room: str) -> Broadcast:
        until = at + timedelta(hours=2)
        wanted = live.Plan(
            "春橙直播", "", BroadcastKind.LIVESTREAM, "某平台", "", at, until, (room,)
        )
        return live.plan_broadcast(host, wanted)

    shown = planned("now")
    for lot in lots:
        live.pin_offer(host, shown.code, live.Pin(lot.public_id, 4900, 50))
    live.start(host, shown.code)
    pinned = select(Offer).join(BroadcastOffer).where(BroadcastOffer.broadcast_id == shown.id)
    for offer in db.session.scalars(pinned).all():
        credited = {offer.id: Credited(shown.credit_source_id)}
        pay(place(Buyer(people.consumer.id), {offer.id: 1}, credited, PaymentMethod.STRIPE))
    live.show_next(host, shown.code)
    for number in range(rows):
        live.touch(shown.credit, f"guest-{number}", None)
        live.report_views(host, shown.code, 100 + number)
        planned(f"later-{number}")
    ended = planned("before")
    live.start(host, ended.code)
    live.end(host, ended.code)


def links(people: People, offer: Offer, rows: int) -> None:
    """Links to an offer that were followed and sold it."""
    for account in (people.host, people.consumer):
        for number in range(rows):
            link = live.make_share_link(viewer(account), f"推广码{number}", "", offer.public_id)
            live.touch(link.credit, f"visitor-{number}", None)
            _sell(people, offer, link)


def _sell(people: People, offer: Offer, link: ShareLink) -> None:
    helped = builders.credited_to_shop(offer)[offer.id].source_id
    credited = {offer.id: Credited(link.credit_source_id, assists=(helped,))}
    pay(place(Buyer(people.official.id), {offer.id: 1}, credited, PaymentMethod.STRIPE))


def cabinets(people: People, lots: list[Lot], rows: int) -> None:
    """One cabinet with all its slots filled, sold from and amiss; and empty ones elsewhere."""
    operator = viewer(people.operator)
    for number in range(rows):
        site = create_site(
            operator,
            SiteFacts(code=f"site-{number}", kind="office", name_zh="某大楼", city="重庆市"),
        )
        facts = CabinetFacts(code=f"one-{number}", slots=min(rows, MOST_SLOTS), capacity=10)
        create_cabinet(operator, site.code, facts)
    slots = range(1, min(rows, MOST_SLOTS) + 1)
    for slot in slots:
        set_offer(operator, "one-0", slot, lots[(slot - 1) % len(lots)].public_id, 5900)
    restock(operator, "one-0", [TripLine(slot, 5) for slot in slots])
    # Every second number is missing, and one slot sells more than it held.
    receive("one-0", [Report(2 * slot, "sale", {"slot": slot, "units": 7}, "") for slot in slots])
