"""What the addresses of the URL map name in a town: real ids for every argument, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Select, select
from werkzeug.routing import Rule

from cabinets.model import Cabinet, Site, StockDifference
from kernel.db import db
from kernel.files import StoredFile
from kernel.identity import Membership, MembershipState, Organisation
from kernel.second_person import Proposal
from kernel.tokens import ApiToken
from kernel.web_sessions import WebSession
from livestream.model import Broadcast, BroadcastOffer, ShareLink
from orders.model import (
    BuyingUnit,
    Consignment,
    GroupOrder,
    HarvestNotice,
    HouseholdQuota,
    NoticeItem,
    Order,
    Payment,
    Refund,
    RefundState,
    Round,
    RoundOffer,
    Settlement,
)
from orders.queries.tasks import token_of
from sellers.model import (
    Certificate,
    CertificateState,
    Household,
    Lot,
    Offer,
    OfferImport,
    Place,
    Product,
    Seller,
    SellerState,
)
from tests.town.people import People

MANY = 40
Names = Callable[[People], Sequence[Any]]


def _all(query: Select[Any]) -> Sequence[Any]:
    return db.session.scalars(query.limit(MANY)).all()


def _of(column: Any) -> Names:
    return lambda _: _all(select(column).order_by(column.class_.id))


def _group_orders(people: People) -> Sequence[str]:
    return _all(
        select(GroupOrder.public_id)
        .where(GroupOrder.unit_id == people.unit.id)
        .order_by(GroupOrder.closed_at.nulls_first(), GroupOrder.id)
    )


def _organisations(table: Any, *where: Any) -> Names:
    named = select(Organisation.public_id).join(table, table.id == Organisation.id)
    return lambda _: _all(named.where(*where).order_by(Organisation.id))


def _orders(people: People) -> Sequence[str]:
    own = Order.account_id == people.consumer.id
    return _all(select(Order.number).where(own).order_by(Order.id))


def _offers_of(people: People) -> Sequence[str]:
    own = Offer.seller_id == people.seller.id
    shop = Offer.place == Place.SHOP
    return _all(select(Offer.public_id).where(own, shop).order_by(Offer.id))


def _refunds(_: People) -> Sequence[str]:
    return _all(select(Refund.public_id).order_by(Refund.state != RefundState.DEBT, Refund.id))


def _waiting_transfers(_: People) -> Sequence[str]:
    return _all(
        select(Payment.public_id)
        .where(Payment.transfer_code.is_not(None), Payment.captured_at.is_(None))
        .order_by(Payment.id)
    )


def _members(people: People) -> Sequence[int]:
    asked = Membership.state == MembershipState.PENDING
    unit = Membership.organisation_id == people.unit.id
    return _all(select(Membership.id).where(unit, asked).order_by(Membership.id))


def _to_sign(people: People) -> Sequence[str]:
    return _all(
        select(Consignment.public_id)
        .join(GroupOrder)
        .where(GroupOrder.unit_id == people.unit.id)
        .order_by(Consignment.signed_at.nulls_first(), Consignment.id)
    )


def _certificates(_: People) -> Sequence[str]:
    waiting = Certificate.state == CertificateState.PENDING
    return _all(select(Certificate.public_id).where(waiting).order_by(Certificate.id))


def _tokens(_: People) -> Sequence[str]:
    quotas = select(HouseholdQuota).order_by(HouseholdQuota.id).limit(MANY)
    return [token_of(one) for one in db.session.scalars(quotas)]


NAMES: dict[str, Names] = {
    "offers": _of(Offer.public_id),
    "/seller/offers": _offers_of,
    "/api/v1/sellers/mine/offers": _offers_of,
    "/host/<>/quota": lambda _: _all(
        select(Offer.public_id).join(BroadcastOffer).order_by(Offer.id)
    ),
    "/api/v1/broadcasts/<>/offers": lambda _: _all(
        select(Offer.public_id).join(BroadcastOffer).order_by(Offer.id)
    ),
    "/staff/rounds/<>/offers": lambda _: _all(
        select(Offer.public_id).join(RoundOffer).order_by(Offer.id)
    ),
    "/api/v1/staff/rounds/<>/offers": lambda _: _all(
        select(Offer.public_id).join(RoundOffer).order_by(Offer.id)
    ),
    "orders": _orders,
    "again": _orders,
    "/cart/lines": _offers_of,
    "/unit/orders": _group_orders,
    "group-orders": _group_orders,
    "needs": _group_orders,
    "rounds": _of(Round.public_id),
    "legs": lambda people: [people.seller.id],
    "/api/v1/staff/rounds/<>/legs": lambda people: [people.seller.organisation.public_id],
    "join": _of(GroupOrder.join_code),
    "broadcasts": _of(Broadcast.code),
    "live": _of(Broadcast.code),
    "host": _of(Broadcast.code),
    "s": _of(ShareLink.code),
    "links": _of(ShareLink.code),
    "cabinets": _of(Cabinet.code),
    "sites": _of(Site.code),
    "differences": _of(StockDifference.public_id),
    "handover": _to_sign,
    "consignments": _of(Consignment.public_id),
    "harvest": _of(HarvestNotice.public_id),
    "notice-items": _of(NoticeItem.public_id),
    "items": _of(NoticeItem.public_id),
    "quotas": _of(HouseholdQuota.public_id),
    "answer": _of(HouseholdQuota.public_id),
    "field": _tokens,
    "pay": _waiting_transfers,
    "payments": _waiting_transfers,
    "transfers": _waiting_transfers,
    "refunds": _refunds,
    "settlements": _of(Settlement.public_id),
    "money": _of(Settlement.public_id),
    "sellers": _organisations(Seller, Seller.state == SellerState.SUBMITTED),
    "certificates": _certificates,
    "households": _of(Household.public_id),
    "import": _of(OfferImport.public_id),
    "imports": _of(OfferImport.public_id),
    "products": _of(Product.public_id),
    "lots": _of(Lot.public_id),
    "members": _members,
    "units": _organisations(BuyingUnit),
    "photos": lambda _: _all(select(StoredFile.public_id).where(StoredFile.public)),
    "files": lambda _: _all(select(StoredFile.public_id).where(~StoredFile.public)),
    "tokens": _of(ApiToken.public_id),
    "sessions": _of(WebSession.public_id),
    "proposals": _of(Proposal.public_id),
    "static": lambda _: ["css/tokens.css"],
}
"""What stands before an argument (its path so far, or the last part of it) → what it can be."""


def places(rule: str) -> list[str]:
    """The keys of NAMES for a path's arguments, in order; the path's parts in <> or {}."""
    keys, so_far = [], ""
    for part in rule.strip("/").split("/"):
        if part.startswith(("<", "{")):
            keys.append(so_far if so_far in NAMES else so_far.rsplit("/", 1)[-1])
            part = "<>"
        so_far = f"{so_far}/{part}"
    return keys


def names(people: People, key: str) -> Sequence[Any]:
    """Real ids that can stand at a place. Fails for a place that NAMES does not know."""
    assert key in NAMES, f"tests.town.addresses.NAMES has nothing for {key!r}"
    found = NAMES[key](people)
    assert found, f"the town has nothing to name after {key!r}"
    return found


def path_of(app: Flask, people: People, rule: Rule) -> str:
    """The address of a rule with the first real name for each argument."""
    return paths_of(app, people, rule, at=(0,))[0]


def paths_of(
    app: Flask, people: People, rule: Rule, at: Sequence[float] = (0, 0.5, 1)
) -> list[str]:
    """Addresses of a rule with names from so far along what the town knows (0 first, 1 last)."""
    known = [names(people, key) for key in places(rule.rule)]
    ordered = [name for dynamic, name in rule._trace if dynamic]
    made = []
    with app.test_request_context():
        adapter = current_app.url_map.bind("localhost")
        for share in at:
            values = [one[round(share * (len(one) - 1))] for one in known]
            made.append(adapter.build(rule.endpoint, dict(zip(ordered, values, strict=True))))
    return list(dict.fromkeys(made))
