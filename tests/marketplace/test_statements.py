"""How many statements every page and endpoint sends: the same for one row as for 1,000.

The endpoints come from the URL map, so that a new one without its number fails here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from flask import Flask
from sqlalchemy import func, literal, select, union_all

from kernel.db import db
from kernel.identity import Account
from kernel.tokens import issue_token
from orders.model import Consignment
from tests import town
from tests.town import People
from tests.town.addresses import names, path_of
from tests.town.multiplied import multiply
from tests.town.trade import papers
from tests.town.visits import reader, reads, visit

ROWS = 1000

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
    "cabinets.manage": 7,
    "cabinets.new_cabinet": 3,
    "cabinets.new_site": 1,
    "cabinets.qr": 2,
    "cabinets.show": 3,
    "cabinets_api.cabinet": 2,
    "cabinets_api.sites": 3,
    "cabinets_api.stock": 7,
    "cart.show": 2,
    "checkout.show_checkout": 3,
    "delivery_api.arrivals": 5,
    "delivery_api.of_order": 5,
    "delivery_api.packing": 5,
    "delivery_api.sent": 5,
    "delivery_api.show": 4,
    "field_api.show": 7,
    "files.photo": 1,
    "files.show": 2,
    "groups.join_page": 3,
    "groups.needs": 6,
    "groups.qr": 1,
    "handover.arrivals": 5,
    "handover.consignments": 12,
    "handover.packing_list": 5,
    "handover.packing_pdf": 7,
    "handover.pdf_page": 6,
    "handover.pdf_progress": 6,
    "handover.show": 7,
    "harvest.notice": 10,
    "harvest.notices": 6,
    "harvest_api.all_notices": 6,
    "harvest_api.notices": 7,
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
    "office.order": 12,
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
    "purchases.sheet": 4,
    "report.channels": 9,
    "report.channels_excel": 8,
    "reports_api.channels": 7,
    "restock.count": 5,
    "restock.give_back": 5,
    "restock.index": 2,
    "restock.trip": 6,
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
    "settlements.households": 8,
    "settlements.index": 8,
    "settlements.mine": 10,
    "settlements_api.index": 8,
    "settlements_api.waiting": 3,
    "static": 0,
    "storefront.home": 8,
    "storefront.offer": 2,
    "storefront.offers": 2,
    "tokens.index": 2,
    "transfers.index": 4,
    "transfers.refunds": 4,
    "transfers.show": 5,
    "units.desk": 11,
    "units.group_order": 11,
    "units.history": 5,
    "units.index": 2,
    "units.now": 11,
    "units.opening": 7,
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


NEVER_MANY = {
    "buyer_take",  # sums of what a limited offer sold; counted, never listed
    "changed_day",
    "credit_window",
    "day_sum",  # sums of days, however many lines those have
    "idempotency_key",
    "ledger_book",
    "provider_look",  # until when the payment service was asked, one row for each list of it
    "purchase_target",  # one a year
    "recovery_code",
    "second_factor",
    "summed_day",
    "throttle",
    "webhook_event",
}
"""Tables of which no page shows a list."""


@dataclass(frozen=True)
class Reading:
    """Every address once, each opened by one person."""

    addresses: Mapping[str, str]
    readers: Mapping[str, tuple[Account, str]]
    cart: Sequence[str]

    def statements(self, app: Flask) -> dict[str, int]:
        """Endpoint → statements that were sent for it."""
        taken = {}
        for endpoint, address in self.addresses.items():
            account, token = self.readers[endpoint]
            app.extensions.pop("boards", None)  # a board that nobody asked for yet
            seen = visit(app, address, token, self.cart)
            assert seen.status in (200, 302, 303), (endpoint, account.login, address, seen.status)
            taken[endpoint] = len(seen.statements)
        return taken


def reading(app: Flask, people: People) -> Reading:
    """What there is to read in a town, and by whom."""
    tokens: dict[Account, str] = {}
    readers = {}
    for rule in reads(app):
        who = reader(rule, people)
        if who not in tokens:
            tokens[who] = issue_token(who, factor=True)
        readers[rule.endpoint] = who, tokens[who]
    addresses = {rule.endpoint: path_of(app, people, rule) for rule in reads(app)}
    # The item that stands open is the one that gets a thousand shares.
    addresses["harvest.notice"] += f"?item={names(people, 'items')[0]}"
    return Reading(addresses, readers, names(people, "/cart/lines"))


def test_every_page_and_endpoint_sends_as_many_statements_for_a_thousand_rows_as_for_one(
    app: Flask, database: str
) -> None:
    with app.app_context():
        every = reading(app, town.build(1))
        packed = db.session.scalars(select(Consignment.public_id)).all()
        one = every.statements(app)
        db.session.rollback()
        with psycopg.connect(database, autocommit=True) as connection:
            multiply(connection, ROWS, leave=NEVER_MANY)
        assert few_rows() <= NEVER_MANY
        papers(packed)
        many = every.statements(app)
    grown = {name: (one[name], many[name]) for name in one if one[name] != many[name]}
    assert grown == {}, "endpoint: (statements for one row, for a thousand)"
    assert many == STATEMENTS


def few_rows() -> set[str]:
    """The tables that have fewer than a thousand rows."""
    counts = union_all(
        *(select(literal(table.name), func.count()).select_from(table)
          for table in db.metadata.sorted_tables)
    )  # fmt: skip
    return {name for name, rows in db.session.execute(counts) if rows < ROWS}
