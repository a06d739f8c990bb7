"""One of two sides that know nothing of each other: a seller, a buying unit, a host, an operator.

Everything is made by the real actions. A side's things are kept by kind, so that an address can
be filled with them: `things["lot"]` is what stands in the address of its lot.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import timedelta

from PIL import Image
from sqlalchemy import select

from cabinets.actions.sites import CabinetFacts, SiteFacts, create_cabinet, create_site
from cabinets.actions.trips import CountLine, TripLine, restock, take_stock
from cabinets.model import Cabinet, StockDifference
from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db
from kernel.files import store
from kernel.identity import Account, OrganisationKind, Role
from livestream import actions as live
from livestream.model import BroadcastKind
from orders.actions import handover, harvest, settlement, yields
from orders.actions.group_orders import open_group_order
from orders.actions.members import join, set_staff_list
from orders.actions.rounds import add_offer, create_round
from orders.actions.yields import Harvested
from orders.lifecycle import cancel
from orders.model import Consignment, HouseholdQuota, Order, PaymentMethod, PayMode, Refund
from orders.payments.actions import confirm_transfer
from orders.payments.captures import Captured, record_capture
from orders.placing import Buyer, Placed, Recipient, place
from orders.queries.tasks import token_of
from sellers import jobs
from sellers.actions import Upload, add_certificate, set_photo
from sellers.model import LotMode, Offer, SellerState
from tests import builders
from tests.cabinets.cabinet_builders import set_offer
from tests.orders.fairs import plan
from tests.orders.harvest_builders import Closed, closed_round
from tests.sellers.test_imports import RIGHT, workbook

SIGNATURE = "M1 1L2 2L3 3L4 4"


def picture(name: str) -> bytes:
    """A small picture, another one for each side."""
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "orange" if name == "a" else "green").save(data, "PNG")
    return data.getvalue()


PLATFORM_ROLES = (Role.STAFF, Role.AUDITOR, Role.ADMIN)


@dataclass
class Side:
    """Who is on a side, and what the side has, by kind."""

    name: str
    people: dict[Role, Account] = field(default_factory=dict)
    things: dict[str, str] = field(default_factory=dict)
    personal: dict[Role, dict[str, str]] = field(default_factory=dict)
    device_key: str = ""

    def viewer(self, role: Role) -> Viewer:
        """Whoever holds `role` here, as the application sees them."""
        return viewer_of(db.session.get_one(Account, self.people[role].id), "")

    @property
    def guest(self) -> str:
        """The visitor key of this side's guest."""
        return f"guest-{self.name}"


def build_side(name: str, closed: Closed) -> Side:
    """Build everything of one side on top of its closed round."""
    side = Side(name)
    _people(side, closed)
    _harvest(side, closed)
    _open_group(side, closed)
    _stock(side, closed)
    _broadcast(side)
    _cabinet(side)
    _orders(side, closed)
    _papers(side, closed)
    return side


def new_side(name: str) -> Side:
    """Build one side."""
    return build_side(name, closed_round(3, 2))


def _people(side: Side, closed: Closed) -> None:
    official = db.session.get_one(Account, closed.orders[0].account_id)
    operator = builders.organisation(OrganisationKind.CABINET_OPERATOR)
    side.people = {
        Role.CONSUMER: builders.account(),
        Role.OFFICIAL: official,
        Role.COORDINATOR: closed.coordinator,
        Role.CLERK: closed.clerk,
        Role.STEWARD: closed.steward,
        Role.HOST: builders.account(Role.HOST, builders.organisation(OrganisationKind.PLATFORM)),
        Role.OPERATOR: builders.account(Role.OPERATOR, operator),
        **{role: builders.account(role) for role in PLATFORM_ROLES},
    }


def _harvest(side: Side, closed: Closed) -> None:
    """Split, harvest, divide, pack and send what was ordered in the closed round."""
    item, seller = closed.item, closed.seller
    household = closed.households[0]
    harvest.split(item.id, {household.public_id: 5})
    quota = db.session.scalars(
        select(HouseholdQuota).where(HouseholdQuota.item_id == item.id)
    ).one()
    yields.enter_yield(item.id, household.id, Harvested(5), account_id=None)
    yields.allocate(item.id, "pro_rata", account_id=None)
    packed = handover.pack(seller.id, closed.group_order.id)
    handover.send(packed.id, "自己送")
    side.things |= {
        "seller": seller.organisation.public_id,
        "seller key": str(seller.id),
        "household": household.public_id,
        "closed round": closed.round.public_id,
        "closed group": closed.group_order.public_id,
        "notice": closed.notice.public_id,
        "item": item.public_id,
        "item.quota": quota.public_id,
        "quota": quota.public_id,
        "task": token_of(quota),
        "consignment": packed.public_id,
        "member's order": closed.orders[1].number,
    }


def _open_group(side: Side, closed: Closed) -> None:
    """An open round, the unit's open group order in it, and somebody who waits to be let in."""
    ahead = create_round(plan())
    lot = builders.lot(closed.lot.product, offered=50, mode=LotMode.IN_FIELD)
    offer = add_offer(ahead.id, lot.id, 800)
    group = open_group_order(closed.coordinator.id, closed.unit.id, ahead.id, PayMode.MEMBERS)
    later = create_round(plan(timedelta(days=9)))
    waiting = join(builders.account().id, group.join_code, staff_number="w1", department="办公室")
    set_staff_list(closed.unit.id, f"{side.name}-77 办公室")
    side.things |= {
        "round": ahead.public_id,
        "round.offer": offer.public_id,
        "later round": later.public_id,
        "group": group.public_id,
        "group.member": str(waiting.id),
        "member": str(waiting.id),
        "join": group.join_code,
        "unit": closed.unit.organisation.public_id,
        "staff number": f"{side.name}-77",
    }


def _stock(side: Side, closed: Closed) -> None:
    """A product with a photograph, a lot, an offer in the shop, and a spreadsheet of more."""
    product = builders.product(closed.seller)
    set_photo(product.id, Upload(picture(side.name), "photo.png"), closed.clerk.id)
    lot = builders.lot(product)
    offer = builders.offer(lot, broadcast_floor_fen=4900)
    sheet = jobs.upload(closed.seller.id, closed.clerk.id, workbook(RIGHT), "stock.xlsx")
    jobs.read_spreadsheet(import_id=sheet.id)
    assert product.photo is not None
    side.things |= {
        "product": product.public_id,
        "lot": lot.public_id,
        "offer": offer.public_id,
        "photo": product.photo.public_id,
        "import": sheet.public_id,
    }


def _broadcast(side: Side) -> None:
    who, at = side.viewer(Role.HOST), clock.now()
    words = live.Plan("直播", "", BroadcastKind.LIVESTREAM, "", "", at, at + timedelta(hours=2))
    made = live.plan_broadcast(who, words)
    pinned = live.pin_offer(who, made.code, live.Pin(side.things["lot"], 4900, 10))
    side.things["broadcast"] = made.code
    side.things["broadcast.offer"] = db.session.get_one(Offer, pinned.offer_id).public_id


def _cabinet(side: Side) -> None:
    """A cabinet with something in its first slot, and a difference that nobody explained."""
    who, code = side.viewer(Role.OPERATOR), f"box-{side.name}"
    site = create_site(
        who, SiteFacts(code=f"site-{side.name}", kind="office", name_zh="大楼", city="重庆市")
    )
    create_cabinet(who, site.code, CabinetFacts(code=code, slots=2, capacity=10))
    set_offer(who, code, 1, side.things["lot"], 5900)
    restock(who, code, [TripLine(1, 5)])
    take_stock(who, code, [CountLine(1, 5, 4, "missing")])
    cabinet = db.session.scalars(select(Cabinet).where(Cabinet.code == code)).one()
    difference = db.session.scalars(
        select(StockDifference).where(StockDifference.cabinet_id == cabinet.id)
    ).one()
    side.device_key = cabinet.device_key
    side.things |= {
        "site": site.code,
        "cabinet": code,
        "cabinet.difference": difference.public_id,
    }


def buy(who: Buyer, offer: Offer, method: PaymentMethod = PaymentMethod.STRIPE) -> Placed:
    """An order of one unit, to be sent somewhere."""
    somewhere = Recipient("某人", "13800000000", "韶关市", "某路 1 号")
    return place(who, {offer.id: 1}, builders.credited_to_shop(offer), method, somewhere)


def _pay(placed: Placed) -> None:
    arrived = Captured(placed.total.fen, clock.now(), f"pi_{placed.number}")
    record_capture(placed.payment_id or "", arrived)


def _sent(placed: Placed, offer: Offer) -> str:
    """The order was paid, packed and sent; return its consignment's id."""
    _pay(placed)
    parcel = handover.pack_order(offer.seller_id, placed.order_id)
    handover.send(parcel.id, "自己送")
    return parcel.public_id


def _orders(side: Side, closed: Closed) -> None:
    """Everybody's own orders, links and files; what is settled, owed and paid by transfer."""
    offer = builders.offer(builders.lot(closed.lot.product, offered=500))
    buyers = {role: Buyer(account.id) for role, account in side.people.items()}
    if side.name != "a":
        buyers = {Role.CONSUMER: buyers[Role.CONSUMER]}
    for role, buyer in {Role.VISITOR: Buyer(None, side.guest), **buyers}.items():
        due, sent = buy(buyer, offer), buy(buyer, offer)
        by_transfer = buy(buyer, offer, PaymentMethod.TRANSFER)
        parcel = _sent(sent, offer)
        own = {
            "order": due.number,
            "payment": due.payment_id or "",
            "transfer": by_transfer.payment_id or "",
            "consignment": parcel,
            "parcel": parcel,
            "sent order": sent.number,
        }
        if buyer.account_id is not None:
            link = live.make_share_link(side.viewer(role), "推广")
            kept = store(
                picture(side.name), "own.png", organisation_id=None, account_id=buyer.account_id
            )
            own |= {"link": link.code, "file": kept.public_id}
        side.personal[role] = own
    _money(side, closed, offer)


def _money(side: Side, closed: Closed, offer: Offer) -> None:
    staff = side.people[Role.STAFF]
    parcel = _sent(buy(builders.buyer(), offer), offer)
    handover.sign(handover_id(parcel), SIGNATURE, account_id=None)
    stated = settlement.state_settlement(closed.seller.id, None)
    waiting = _sent(buy(builders.buyer(), offer), offer)
    handover.sign(handover_id(waiting), SIGNATURE, account_id=None)
    unpacked = buy(builders.buyer(), offer)
    _pay(unpacked)
    colleague = builders.account(Role.STAFF)
    settlement.propose_payout(stated.id, "BANK-1", reason="签收单齐了", account_id=colleague.id)
    paid = buy(builders.buyer(), offer, PaymentMethod.TRANSFER)
    confirm_transfer(paid.payment_id or "", staff.id, paid.total.fen)
    cancel(db.session.get_one(Order, paid.order_id))
    refund = db.session.scalars(select(Refund).where(Refund.order_id == paid.order_id)).one()
    side.things |= {
        "settlement": stated.public_id,
        "refund": refund.public_id,
        "order to pack": unpacked.number,
        "transfer": side.personal[Role.CONSUMER]["transfer"],
    }


def handover_id(public_id: str) -> int:
    """The key of a consignment by its public id."""
    return db.session.scalars(
        select(Consignment.id).where(Consignment.public_id == public_id)
    ).one()


def _papers(side: Side, closed: Closed) -> None:
    """A paper that waits for staff, and a seller that waits to be verified."""
    paper = add_certificate(
        closed.seller.id,
        closed.clerk.id,
        kind="licence",
        number=f"licence-{side.name}",
        upload=Upload(picture(side.name), "licence.png"),
    )
    applicant = builders.seller(SellerState.SUBMITTED)
    assert paper.file is not None
    side.things |= {
        "certificate": paper.public_id,
        "paper file": paper.file.public_id,
        "applicant": applicant.organisation.public_id,
    }
