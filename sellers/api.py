"""JSON for sellers: the same actions as the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from flask_smorest import Blueprint

from kernel.access import allow, viewer
from kernel.errors import Invalid
from kernel.idempotency import keyed, once, sent_key
from kernel.identity import Role
from sellers import actions, jobs, schemas
from sellers.imports.words import say
from sellers.model import Certificate, Lot, Offer, OfferImport, Place, Product, Seller
from sellers.queries import Page, staff, workspace
from sellers.web.room import my_account, my_seller

blueprint = Blueprint(
    "sellers_api", __name__, url_prefix="/api/v1/sellers", description="What sellers do"
)

FAULTS_SHOWN = 100


def _once(payload: Any, work: Callable[[], str]) -> str:
    """Do `work` once for the request's Idempotency-Key; return the public id that it gave."""
    endpoint = f"{request.method} {request.path}"[:80]
    made = once(viewer().actor, endpoint, sent_key(), payload, lambda: {"id": work()})
    return str(made["id"])


def _sent_file() -> actions.Upload:
    sent = request.files.get("file")
    if sent is None:
        raise Invalid(fields={"file": "multipart/form-data"})
    return actions.Upload(sent.read(), sent.filename or "")


@blueprint.route("", methods=["POST"])
@allow(Role.CONSUMER)
@blueprint.arguments(schemas.OwnSellerIn)
@blueprint.response(201, schemas.RegisteredSellerOut)
def register(payload: dict[str, Any]) -> Seller:
    """Register a seller; the account becomes its clerk."""
    return actions.register_seller(my_account(), actions.SellerFacts(**payload))


@blueprint.route("", methods=["GET"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.OwnSellersIn, location="query")
@blueprint.response(200, schemas.RegisteredSellersOut)
def sellers(query: dict[str, Any]) -> Page[Seller]:
    """List sellers for staff, by state."""
    return staff.sellers(query["state"], query["cursor"])


@blueprint.route("/<public_id>/verify", methods=["POST"])
@allow(Role.STAFF)
@blueprint.response(200, schemas.RegisteredSellerOut)
def verify(public_id: str) -> Seller:
    """Let a seller sell."""
    return actions.verify(staff.dossier(public_id).seller.id, my_account())


@blueprint.route("/<public_id>/return", methods=["POST"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.SellerReturnIn)
@blueprint.response(200, schemas.RegisteredSellerOut)
def send_back(payload: dict[str, Any], public_id: str) -> Seller:
    """Return a seller's papers with a reason."""
    seller_id = staff.dossier(public_id).seller.id
    return actions.return_to_seller(seller_id, my_account(), payload["reason"])


@blueprint.route("/mine", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.RegisteredSellerOut)
def mine() -> Seller:
    """Show the clerk's own seller."""
    return workspace.own_seller(my_seller())


@blueprint.route("/mine", methods=["PUT"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnSellerIn)
@blueprint.response(200, schemas.RegisteredSellerOut)
def update(payload: dict[str, Any]) -> Seller:
    """Change what the seller says about itself."""
    return actions.update_seller(my_seller(), actions.SellerFacts(**payload))


@blueprint.route("/mine/certificates", methods=["POST"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnCertificateIn, location="form")
@blueprint.response(201, schemas.OwnCertificateOut)
def add_certificate(payload: dict[str, Any]) -> Certificate:
    """Upload a certificate: multipart form with `file`."""
    return actions.add_certificate(my_seller(), my_account(), upload=_sent_file(), **payload)


@blueprint.route("/mine/submit", methods=["POST"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.RegisteredSellerOut)
def submit() -> Seller:
    """Ask staff to verify the seller."""
    return actions.submit(my_seller())


@blueprint.route("/mine/products", methods=["GET"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnPageIn, location="query")
@blueprint.response(200, schemas.OwnProductsOut)
def products(query: dict[str, Any]) -> Page[Product]:
    """List the seller's products."""
    return workspace.products(my_seller(), query["cursor"])


@blueprint.route("/mine/products", methods=["POST"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnProductIn)
@blueprint.response(201, schemas.OwnProductOut)
def add_product(payload: dict[str, Any]) -> Product:
    """Add a product."""
    return actions.add_product(my_seller(), actions.ProductFacts(**payload))


@blueprint.route("/mine/lots", methods=["GET"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnPageIn, location="query")
@blueprint.response(200, schemas.OwnLotsOut)
def lots(query: dict[str, Any]) -> Page[Lot]:
    """List the seller's lots."""
    return workspace.lots(my_seller(), query["cursor"])


@blueprint.route("/mine/lots", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.arguments(schemas.OwnLotIn)
@blueprint.response(201, schemas.OwnLotOut)
def add_lot(payload: dict[str, Any]) -> Lot:
    """Add a lot of a product."""
    facts = {name: value for name, value in payload.items() if name != "product_id"}
    product = workspace.own_product(my_seller(), payload["product_id"])
    made = _once(payload, lambda: actions.add_lot(product.id, actions.LotFacts(**facts)).public_id)
    return workspace.own_lot(my_seller(), made)


@blueprint.route("/mine/offers", methods=["GET"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnPageIn, location="query")
@blueprint.response(200, schemas.OwnOffersOut)
def offers(query: dict[str, Any]) -> Page[Offer]:
    """List the seller's offers, wherever they stand."""
    return workspace.offers(my_seller(), query["cursor"])


@blueprint.route("/mine/offers", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.arguments(schemas.OwnOfferIn)
@blueprint.response(201, schemas.OwnOfferOut)
def add_offer(payload: dict[str, Any]) -> Offer:
    """Put a lot on sale in the shop."""
    terms = {name: value for name, value in payload.items() if name != "lot_id"}
    lot = workspace.own_lot(my_seller(), payload["lot_id"])
    made = _once(payload, lambda: actions.list_offer(lot.id, Place.SHOP, **terms).public_id)
    return workspace.own_offer(my_seller(), made)


@blueprint.route("/mine/offers/<public_id>", methods=["PUT"])
@allow(Role.CLERK)
@keyed
@blueprint.arguments(schemas.OwnOfferTermsIn)
@blueprint.response(200, schemas.OwnOfferOut)
def change_offer(payload: dict[str, Any], public_id: str) -> Offer:
    """Change an offer; what was sold keeps its price."""
    offer = workspace.own_offer(my_seller(), public_id)
    terms = actions.OfferTerms(**payload)
    _once(payload, lambda: actions.change_offer(offer.id, terms).public_id)
    return workspace.own_offer(my_seller(), public_id)


@blueprint.route("/mine/offers/<public_id>/withdraw", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.response(200, schemas.OwnOfferOut)
def withdraw(public_id: str) -> Offer:
    """Take an offer off sale."""
    offer = workspace.own_offer(my_seller(), public_id)
    _once(None, lambda: actions.withdraw_offer(offer.id).public_id)
    return workspace.own_offer(my_seller(), public_id)


def _import_out(one: OfferImport) -> dict[str, Any]:
    kept = ("public_id", "state", "rows_total", "rows_done")
    shown = [{**fault, "advice": say(fault)} for fault in one.faults[:FAULTS_SHOWN]]
    return {
        **{name: getattr(one, name) for name in kept},
        "faults_count": len(one.faults),
        "faults": shown,
    }


@blueprint.route("/mine/imports", methods=["POST"])
@allow(Role.CLERK)
@blueprint.response(202, schemas.ImportOut)
def upload_import() -> dict[str, Any]:
    """Upload a spreadsheet as multipart `file`; a job reads it."""
    sent = _sent_file()
    return _import_out(jobs.upload(my_seller(), my_account(), sent.data, sent.name))


@blueprint.route("/mine/imports/<public_id>", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.ImportOut)
def show_import(public_id: str) -> dict[str, Any]:
    """Show how far a spreadsheet has come."""
    return _import_out(workspace.own_import(my_seller(), public_id))


@blueprint.route("/mine/imports/<public_id>/load", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.response(202, schemas.ImportOut)
def load_import(public_id: str) -> dict[str, Any]:
    """Put a spreadsheet's rows on sale, all or none."""
    one = workspace.own_import(my_seller(), public_id)
    _once(None, lambda: jobs.load(one.id).public_id)
    return _import_out(workspace.own_import(my_seller(), public_id))
