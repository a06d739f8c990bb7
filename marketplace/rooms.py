"""Which rooms there are: their blueprints, API blueprints, jobs and translations, one list each."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from flask import Blueprint as PageBlueprint
from flask import Flask
from flask_smorest import Blueprint as ApiBlueprint

from cabinets import api as cabinets_api
from cabinets.web import operator as cabinets_operator
from cabinets.web import public as cabinets_public
from kernel.settings import Environment
from livestream import api as livestream_api
from livestream import jobs as livestream_jobs
from livestream.web import host as livestream_host
from livestream.web import public as livestream_public
from marketplace import docs, health, uploads
from marketplace.account import api as account_api
from marketplace.account import jobs as account_jobs
from marketplace.account import safety
from marketplace.account import web as account_web
from marketplace.buying import api as buying_api
from marketplace.buying import web as buying_web
from marketplace.look import web as look
from marketplace.office import web as office_web
from marketplace.report import api as report_api
from marketplace.report import jobs as report_jobs
from marketplace.report import web as report_web
from marketplace.storefront import api as storefront_api
from marketplace.storefront import web as storefront_web
from orders import jobs as orders_jobs
from orders.api import buyers as buyers_api
from orders.api import delivery as delivery_api
from orders.api import field as field_api
from orders.api import harvest as harvest_api
from orders.api import payments as payments_api
from orders.api import planning as planning_api
from orders.api import rounds as rounds_api
from orders.api import settlements as settlements_api
from orders.api import units as units_api
from orders.payments import webhook
from orders.queries.holdings import held_units
from orders.web import field as field_web
from orders.web import groups as groups_web
from orders.web import handover as handover_web
from orders.web import harvest as harvest_web
from orders.web import orders as orders_web
from orders.web import pay as pay_web
from orders.web import planning as planning_web
from orders.web import purchases as purchases_web
from orders.web import rounds as rounds_web
from orders.web import settlement as settlement_web
from orders.web import transfers as transfers_web
from orders.web import units as units_web
from sellers import api as sellers_api
from sellers import jobs as sellers_jobs
from sellers import takes
from sellers import web as sellers_web

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
TRANSLATIONS = [
    ROOT / package / "translations"
    for package in ("marketplace", "livestream", "cabinets", "orders", "sellers", "kernel")
]


JOBS: tuple[ModuleType, ...] = (
    sellers_jobs,
    orders_jobs,
    livestream_jobs,
    account_jobs,
    report_jobs,
)
"""Importing a room's jobs makes the worker know them."""


def page_blueprints() -> list[PageBlueprint]:
    """Return every room's HTML blueprint."""
    return [
        health.blueprint,
        account_web.blueprint,
        storefront_web.blueprint,
        buying_web.blueprint,
        buying_web.checkout,
        orders_web.blueprint,
        safety.blueprint,
        harvest_web.blueprint,
        field_web.blueprint,
        rounds_web.blueprint,
        groups_web.blueprint,
        units_web.blueprint,
        purchases_web.blueprint,
        planning_web.blueprint,
        handover_web.blueprint,
        settlement_web.blueprint,
        webhook.blueprint,
        pay_web.blueprint,
        transfers_web.blueprint,
        uploads.blueprint,
        office_web.blueprint,
        office_web.ledger,
        report_web.blueprint,
        docs.blueprint,
        livestream_host.blueprint,
        livestream_public.links,
        cabinets_public.blueprint,
        cabinets_operator.restock,
        sellers_web.blueprint,
        sellers_web.verification,
    ]


def api_blueprints() -> list[ApiBlueprint]:
    """Return every room's JSON blueprint."""
    return [
        account_api.blueprint,
        storefront_api.blueprint,
        buying_api.blueprint,
        buyers_api.blueprint,
        planning_api.blueprint,
        rounds_api.blueprint,
        units_api.blueprint,
        harvest_api.blueprint,
        field_api.blueprint,
        payments_api.blueprint,
        delivery_api.blueprint,
        settlements_api.blueprint,
        livestream_api.blueprint,
        livestream_api.links,
        cabinets_api.blueprint,
        report_api.blueprint,
        sellers_api.blueprint,
    ]


def register(app: Flask) -> None:
    """Register every room's pages, and tell lower rooms what upper ones answer them."""
    takes.counted_by(held_units)
    for blueprint in page_blueprints():
        app.register_blueprint(blueprint)
    if app.extensions["settings"].environment is not Environment.PRODUCTION:
        app.register_blueprint(look.blueprint)  # the page of parts, for those who build pages
