"""How many statements every page and endpoint sends: the same for one row as for a dozen.

The endpoints come from the URL map, so that a new one without its number fails here.
"""

from __future__ import annotations

import psycopg
from flask import Flask

from kernel.db import db
from tests import fresh, town
from tests.town.visits import reader, reads, visit

MANY = 12

# Programs ask here: a page of one's own account reads it anew, which a browser's session holds.
STATEMENTS = {
    "account.me": 5,
    "account.register": 1,
    "account.sign_in": 1,
    "api-docs.openapi_json": 0,
    "api_docs.show": 1,
    "broadcasts_api.board": 8,
    "broadcasts_api.mine": 4,
    "buyers_api.index": 3,
    "cabinets.desk": 7,
    "cabinets.index": 4,
    "cabinets.manage": 9,
    "cabinets.new_cabinet": 3,
    "cabinets.new_site": 1,
    "cabinets.qr": 2,
    "cabinets.show": 3,
    "cabinets_api.cabinet": 2,
    "cabinets_api.sites": 3,
    "cabinets_api.stock": 8,
    "cart.show": 2,
    "checkout.show_checkout": 3,
    "delivery_api.arrivals": 7,
    "delivery_api.of_order": 7,
    "delivery_api.packing": 4,
    "delivery_api.sent": 7,
    "delivery_api.show": 6,
    "field_api.show": 7,
    "files.photo": 1,
    "files.show": 2,
    "groups.join_page": 3,
    "groups.needs": 6,
    "groups.qr": 1,
    "handover.arrivals": 5,
    "handover.consignments": 11,
    "handover.packing_list": 7,
    "handover.packing_pdf": 7,
    "handover.pdf_page": 6,
    "handover.pdf_progress": 6,
    "handover.show": 9,
    "harvest.notice": 10,
    "harvest.notices": 10,
    "harvest_api.all_notices": 10,
    "harvest_api.notices": 5,
    "harvest_api.proposal": 7,
    "health.alive": 0,
    "health.ready": 1,
    "household.home": 2,
    "household.task": 15,
    "ledger.acts": 2,
    "ledger.index": 6,
    "links.follow": 4,
    "links.index": 3,
    "links.link_qr": 1,
    "links.poster": 2,
    "livestream.board_live": 8,
    "livestream.board_page": 8,
    "livestream.desk": 4,
    "livestream.index": 3,
    "livestream.manage": 10,
    "livestream.plan": 1,
    "livestream.qr": 2,
    "livestream.show": 7,
    "look.parts": 1,
    "look.parts_board": 1,
    "look.parts_household": 1,
    "look.parts_work": 1,
    "offers.list_offers": 1,
    "offers.show_offer": 1,
    "office.order": 13,
    "office.orders": 4,
    "orders.index": 3,
    "orders.show": 9,
    "orders_api.show_order": 8,
    "pay.back": 6,
    "pay.go": 3,
    "pay.transfer": 5,
    "payments_api.refunds": 2,
    "payments_api.show_payment": 3,
    "payments_api.transfers": 3,
    "planning.create": 1,
    "planning.index": 2,
    "planning.round_": 5,
    "planning_api.index": 2,
    "planning_api.lots": 3,
    "planning_api.show": 4,
    "purchases.index": 3,
    "purchases.sheet": 3,
    "report.channels": 8,
    "report.channels_excel": 7,
    "reports_api.channels": 6,
    "restock.count": 7,
    "restock.give_back": 7,
    "restock.index": 2,
    "restock.trip": 8,
    "rounds.index": 2,
    "rounds.show": 4,
    "rounds_api.list_members": 3,
    "rounds_api.list_rounds": 2,
    "rounds_api.show": 12,
    "rounds_api.show_round": 2,
    "safety.confirm": 3,
    "safety.enrol": 3,
    "safety.password": 1,
    "safety.show": 7,
    "sellers.certificates": 3,
    "sellers.desk": 5,
    "sellers.household": 2,
    "sellers.household_edit": 3,
    "sellers.household_new": 1,
    "sellers.household_plan": 1,
    "sellers.households": 3,
    "sellers.import_faults": 2,
    "sellers.import_progress": 2,
    "sellers.import_show": 2,
    "sellers.import_template": 1,
    "sellers.imports": 4,
    "sellers.lot": 3,
    "sellers.lot_new": 2,
    "sellers.lots": 2,
    "sellers.offer": 3,
    "sellers.offer_new": 2,
    "sellers.offers": 3,
    "sellers.product": 2,
    "sellers.product_new": 1,
    "sellers.products": 2,
    "sellers.profile": 5,
    "sellers.register": 1,
    "sellers.stock_new": 1,
    "sellers_api.certificates": 3,
    "sellers_api.dossier": 3,
    "sellers_api.household": 3,
    "sellers_api.households": 2,
    "sellers_api.lot": 2,
    "sellers_api.lots": 2,
    "sellers_api.mine": 3,
    "sellers_api.offer": 2,
    "sellers_api.offers": 2,
    "sellers_api.plans": 2,
    "sellers_api.product": 2,
    "sellers_api.products": 2,
    "sellers_api.sellers": 2,
    "sellers_api.show_import": 2,
    "sellers_api.waiting_certificates": 2,
    "settlements.index": 9,
    "settlements.mine": 10,
    "settlements_api.index": 8,
    "settlements_api.waiting": 3,
    "static": 0,
    "storefront.home": 8,
    "storefront.offer": 2,
    "storefront.offers": 2,
    "tokens.index": 2,
    "transfers.index": 3,
    "transfers.refunds": 3,
    "transfers.show": 5,
    "units.desk": 11,
    "units.group_order": 11,
    "units.history": 5,
    "units.index": 2,
    "units.now": 11,
    "units.opening": 6,
    "units.payments": 8,
    "units.print_list": 12,
    "units.share": 2,
    "units.staff": 3,
    "units_api.index": 2,
    "units_api.purchases": 4,
    "units_api.show_staff": 3,
    "verification.certificate": 2,
    "verification.certificates": 2,
    "verification.index": 5,
    "verification.show": 5,
}
"""Endpoint → statements of a GET, who asks included."""


def measured(app: Flask, rows: int) -> dict[str, int]:
    """Endpoint → statements, in a town with `rows` of everything."""
    people = town.build(rows)
    taken: dict[str, int] = {}
    for rule in reads(app):
        who = reader(rule, people)
        seen = visit(app, people, rule, who)
        assert seen.status in (200, 302, 303), (rule.endpoint, seen.path, seen.status)
        taken[rule.endpoint] = len(seen.statements)
    return taken


def test_every_page_and_endpoint_sends_as_many_statements_for_a_dozen_rows_as_for_one(
    app: Flask, database: str
) -> None:
    with app.app_context():
        one = measured(app, 1)
        db.session.remove()
        db.engine.dispose()
        with psycopg.connect(database, autocommit=True) as connection:
            fresh.empty(connection)
        many = measured(app, MANY)
    grown = {name: (one[name], many[name]) for name in one if one[name] != many[name]}
    assert grown == {}, "endpoint: (statements for one row, for a dozen)"
    assert many == STATEMENTS
