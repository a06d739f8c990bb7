"""Moves of sellers, hosts and cabinet operators: how much is for sale, where and for how much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cabinets.actions.trips import TripLine, restock
from kernel import clock
from kernel.access import viewer_of
from kernel.db import db
from kernel.identity import Account, Role
from livestream import actions as live
from livestream.model import Broadcast, BroadcastKind
from sellers import jobs
from sellers.model import Offer, OfferImport, Product, Seller
from tests import builders
from tests.cabinets import cabinet_builders
from tests.races.moves import Move, move, numbers
from tests.sellers.test_imports import RIGHT, workbook

MINE = "/api/v1/sellers/mine"
PRODUCT = {
    "name_zh": "春橙",
    "category": "fruit",
    "unit_name": "箱",
    "unit_g": "5000",
}


def clerk_of(seller_id: int) -> Account:
    """Somebody of the seller's office."""
    return builders.account(Role.CLERK, db.session.get_one(Seller, seller_id).organisation)


def product() -> tuple[Account, Product]:
    """A product, and its seller's clerk."""
    made = builders.product(builders.seller())
    return clerk_of(made.seller_id), made


@move("sellers_api.add_lot")
def add_lot() -> Move:
    """Two hundred boxes in hand."""
    clerk, made = product()
    body = {"product_id": made.public_id, "mode": "in_hand", "offered": 200}
    return Move(clerk, f"{MINE}/lots", body, {**body, "offered": 300})


@move("sellers.lot_new")
def add_lot_on_the_page() -> Move:
    """The same on the page."""
    clerk, made = product()
    body = {"mode": "in_hand", "offered": "200"}
    return Move(
        clerk, f"/seller/products/{made.public_id}/lots/new", body, {**body, "offered": "300"}
    )


def offer() -> tuple[Account, Offer]:
    """An offer in the shop, and its seller's clerk."""
    made = builders.offer()
    return clerk_of(made.seller_id), made


@move("sellers.lot")
def change_lot() -> Move:
    """There is more of it."""
    clerk, made = offer()
    return Move(clerk, f"/seller/lots/{made.lot.public_id}", {"offered": "150"}, {"offered": "160"})


@move("sellers.lot_close")
def close_lot() -> Move:
    """No more of it is sold."""
    clerk, made = offer()
    return Move(clerk, f"/seller/lots/{made.lot.public_id}/close", {})


@move("sellers_api.change_lot")
def change_lot_by_a_program() -> Move:
    """There is more of it."""
    clerk, made = offer()
    path = f"{MINE}/lots/{made.lot.public_id}"
    return Move(clerk, path, {"offered": 150}, {"offered": 160}, "PUT")


@move("sellers_api.close_lot")
def close_lot_by_a_program() -> Move:
    """No more of it is sold."""
    clerk, made = offer()
    return Move(clerk, f"{MINE}/lots/{made.lot.public_id}/close")


@move("sellers_api.add_offer")
def add_offer() -> Move:
    """A lot goes on sale in the shop."""
    clerk, made = product()
    body = {"lot_id": builders.lot(made).public_id, "price_fen": 5900, "quota": 40}
    return Move(clerk, f"{MINE}/offers", body, {**body, "quota": 50})


@move("sellers.offer_new")
def add_offer_on_the_page() -> Move:
    """The same on the page."""
    clerk, made = product()
    path = f"/seller/lots/{builders.lot(made).public_id}/offers/new"
    body = {"price_fen": "59.00", "quota": "40"}
    return Move(clerk, path, body, {**body, "quota": "50"})


@move("sellers_api.change_offer")
def change_offer() -> Move:
    """Another price."""
    clerk, made = offer()
    path = f"{MINE}/offers/{made.public_id}"
    return Move(clerk, path, {"price_fen": 4900}, {"price_fen": 4800}, "PUT")


@move("sellers.offer")
def change_offer_on_the_page() -> Move:
    """The same on the page."""
    clerk, made = offer()
    path = f"/seller/offers/{made.public_id}"
    return Move(clerk, path, {"price_fen": "49.00"}, {"price_fen": "48.00"})


@move("sellers_api.withdraw")
def withdraw() -> Move:
    """It is no longer on sale."""
    clerk, made = offer()
    return Move(clerk, f"{MINE}/offers/{made.public_id}/withdraw")


@move("sellers.withdraw")
def withdraw_on_the_page() -> Move:
    """The same on the page."""
    clerk, made = offer()
    return Move(clerk, f"/seller/offers/{made.public_id}/withdraw", {})


@move("sellers.stock_new")
def list_stock() -> Move:
    """Product, lot and offer in one form."""
    seller = builders.seller()
    body = {**PRODUCT, "mode": "in_hand", "offered": "200", "price_fen": "59.00"}
    return Move(clerk_of(seller.id), "/seller/offers/new", body, {**body, "offered": "300"})


def spreadsheet() -> tuple[Account, OfferImport]:
    """A spreadsheet that was read and waits to be loaded."""
    seller = builders.seller()
    clerk = clerk_of(seller.id)
    made = jobs.upload(seller.id, clerk.id, workbook(RIGHT), "stock.xlsx")
    jobs.read_spreadsheet(import_id=made.id)
    return clerk, made


@move("sellers_api.load_import")
def load_spreadsheet() -> Move:
    """Its rows go on sale."""
    clerk, made = spreadsheet()
    return Move(clerk, f"{MINE}/imports/{made.public_id}/load")


@move("sellers.import_load")
def load_on_the_page() -> Move:
    """The same on the page."""
    clerk, made = spreadsheet()
    return Move(clerk, f"/seller/import/{made.public_id}/load", {})


def broadcast() -> tuple[Account, Broadcast]:
    """A planned broadcast, and its host."""
    account = builders.account(Role.HOST)
    at = clock.now()
    plan = live.Plan("春橙直播", "", BroadcastKind.LIVESTREAM, "", "", at, at + timedelta(hours=2))
    viewer = viewer_of(db.session.get_one(Account, account.id), "")
    return account, live.plan_broadcast(viewer, plan)


@move("broadcasts_api.pin")
def pin() -> Move:
    """A lot goes on sale in a broadcast."""
    host, made = broadcast()
    lot = builders.offer(price_fen=4900).lot
    body = {"lot_id": lot.public_id, "price_fen": 4900, "quota": 10}
    return Move(host, f"/api/v1/broadcasts/{made.code}/pins", body, {**body, "quota": 20})


@move("livestream.pin")
def pin_on_the_page() -> Move:
    """The same on the page."""
    host, made = broadcast()
    lot = builders.offer(price_fen=4900).lot
    body = {"lot": lot.public_id, "price_fen": "49.00", "quota": "10"}
    return Move(host, f"/host/{made.code}/pins", body, {**body, "quota": "20"})


def pinned() -> tuple[Account, Broadcast, str]:
    """A broadcast with a pinned offer, and its host."""
    host, made = broadcast()
    viewer = viewer_of(db.session.get_one(Account, host.id), "")
    lot = builders.offer(price_fen=4900).lot
    pin = live.pin_offer(viewer, made.code, live.Pin(lot.public_id, 4900, 10))
    return host, made, db.session.get_one(Offer, pin.offer_id).public_id


@move("livestream.quota")
def more_of_it() -> Move:
    """The broadcast may sell five more."""
    host, made, name = pinned()
    return Move(host, f"/host/{made.code}/quota/{name}", {"units": "5"}, {"units": "6"})


@move("broadcasts_api.quota")
def more_of_it_by_a_program() -> Move:
    """The same by a program."""
    host, made, name = pinned()
    path = f"/api/v1/broadcasts/{made.code}/offers/{name}/quota"
    return Move(host, path, {"units": 5}, {"units": 6})


def cabinet(units: int = 5) -> tuple[Account, str]:
    """A cabinet whose first slot sells oranges, and its operator."""
    code = f"one-{next(numbers)}"
    operator = cabinet_builders.operator(f"operator-{code}")
    cabinet_builders.cabinet(operator, code, 2)
    cabinet_builders.set_offer(operator, code, 1, cabinet_builders.lot().public_id, 500)
    if units:
        restock(operator, code, [TripLine(1, units)])
    return db.session.get_one(Account, operator.account_id), code


def lines(**line: Any) -> dict[str, Any]:
    """One line about the first slot."""
    return {"lines": [{"slot": 1, **line}]}


@move("cabinets_api.restocks")
def restocked() -> Move:
    """Three units go into a slot."""
    operator, code = cabinet()
    return Move(operator, f"/api/v1/cabinets/{code}/restocks", lines(units=3), lines(units=2))


@move("restock.trip")
def restocked_on_the_page() -> Move:
    """The same on the page."""
    operator, code = cabinet()
    path = f"/operator/cabinets/{code}/restock"
    return Move(operator, path, {"units-1": "3"}, {"units-1": "2"})


@move("cabinets_api.returns")
def returned() -> Move:
    """Three units go back to their lot."""
    operator, code = cabinet()
    return Move(operator, f"/api/v1/cabinets/{code}/returns", lines(units=3), lines(units=2))


@move("restock.give_back")
def returned_on_the_page() -> Move:
    """The same on the page."""
    operator, code = cabinet()
    path = f"/operator/cabinets/{code}/return"
    return Move(operator, path, {"units-1": "3"}, {"units-1": "2"})


@move("cabinets_api.counts")
def counted() -> Move:
    """A unit is missing."""
    operator, code = cabinet()
    line = {"expected": 5, "counted": 4, "reason": "missing"}
    path = f"/api/v1/cabinets/{code}/counts"
    return Move(operator, path, lines(**line), lines(**{**line, "counted": 3}))


@move("restock.count")
def counted_on_the_page() -> Move:
    """The same on the page."""
    operator, code = cabinet()
    body = {"expected-1": "5", "counted-1": "4", "reason-1": "missing"}
    return Move(operator, f"/operator/cabinets/{code}/count", body, {**body, "counted-1": "3"})
