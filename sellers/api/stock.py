"""Products, lots and offers of a seller."""

from __future__ import annotations

from typing import Any

from kernel.access import allow, my_account
from kernel.idempotency import keyed
from kernel.identity import Role
from kernel.paging import Page
from sellers import actions, schemas
from sellers.api.room import as_upload, blueprint, made_once
from sellers.me import my_seller
from sellers.model import Lot, Offer, Place, Product
from sellers.queries import workspace


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


@blueprint.route("/mine/products/<public_id>", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.OwnProductOut)
def product(public_id: str) -> Product:
    """Show a product."""
    return workspace.own_product(my_seller(), public_id)


@blueprint.route("/mine/products/<public_id>", methods=["PUT"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.OwnProductIn)
@blueprint.response(200, schemas.OwnProductOut)
def change_product(payload: dict[str, Any], public_id: str) -> Product:
    """Change a product; its sale unit stays once there are lots."""
    own = workspace.own_product(my_seller(), public_id)
    return actions.change_product(own.id, actions.ProductFacts(**payload))


@blueprint.route("/mine/products/<public_id>/photo", methods=["PUT"])
@allow(Role.CLERK)
@blueprint.arguments(schemas.PhotoIn, location="files")
@blueprint.response(200, schemas.OwnProductOut)
def set_photo(files: dict[str, Any], public_id: str) -> Product:
    """Show a product by a photograph instead of its drawing or the one before."""
    own = workspace.own_product(my_seller(), public_id)
    return actions.set_photo(own.id, as_upload(files["photo"]), my_account())


@blueprint.route("/mine/products/<public_id>/photo", methods=["DELETE"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.OwnProductOut)
def remove_photo(public_id: str) -> Product:
    """Show a product by its drawing again."""
    return actions.remove_photo(workspace.own_product(my_seller(), public_id).id)


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
    own = workspace.own_product(my_seller(), payload["product_id"])
    made = made_once(payload, lambda: actions.add_lot(own.id, actions.LotFacts(**facts)).public_id)
    return workspace.own_lot(my_seller(), made)


@blueprint.route("/mine/lots/<public_id>", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.OwnLotOut)
def lot(public_id: str) -> Lot:
    """Show a lot."""
    return workspace.own_lot(my_seller(), public_id)


@blueprint.route("/mine/lots/<public_id>", methods=["PUT"])
@allow(Role.CLERK)
@keyed
@blueprint.arguments(schemas.OwnLotChangeIn)
@blueprint.response(200, schemas.OwnLotOut)
def change_lot(payload: dict[str, Any], public_id: str) -> Lot:
    """Change how many units a lot offers and when it is harvested; days left out stay."""
    own = workspace.own_lot(my_seller(), public_id)
    made_once(payload, lambda: actions.change_lot(own.id, **payload).public_id)
    return workspace.own_lot(my_seller(), public_id)


@blueprint.route("/mine/lots/<public_id>/close", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.response(200, schemas.OwnLotOut)
def close_lot(public_id: str) -> Lot:
    """Sell no more of a lot: it offers what is promised, and its offers are withdrawn."""
    own = workspace.own_lot(my_seller(), public_id)
    made_once(None, lambda: actions.close_lot(own.id).public_id)
    return workspace.own_lot(my_seller(), public_id)


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
    terms = actions.OfferTerms(**{k: v for k, v in payload.items() if k != "lot_id"})
    own = workspace.own_lot(my_seller(), payload["lot_id"])
    made = made_once(payload, lambda: actions.list_offer(own.id, Place.SHOP, terms).public_id)
    return workspace.own_offer(my_seller(), made)


@blueprint.route("/mine/offers/<public_id>", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.OwnOfferOut)
def offer(public_id: str) -> Offer:
    """Show an offer."""
    return workspace.own_offer(my_seller(), public_id)


@blueprint.route("/mine/offers/<public_id>", methods=["PUT"])
@allow(Role.CLERK)
@keyed
@blueprint.arguments(schemas.OwnOfferTermsIn)
@blueprint.response(200, schemas.OwnOfferOut)
def change_offer(payload: dict[str, Any], public_id: str) -> Offer:
    """Change an offer; what was sold keeps its price."""
    own = workspace.own_offer(my_seller(), public_id)
    terms = actions.OfferTerms(**payload)
    made_once(payload, lambda: actions.change_offer(own.id, terms).public_id)
    return workspace.own_offer(my_seller(), public_id)


@blueprint.route("/mine/offers/<public_id>/withdraw", methods=["POST"])
@allow(Role.CLERK)
@keyed
@blueprint.response(200, schemas.OwnOfferOut)
def withdraw(public_id: str) -> Offer:
    """Take an offer off sale."""
    own = workspace.own_offer(my_seller(), public_id)
    made_once(None, lambda: actions.withdraw_offer(own.id).public_id)
    return workspace.own_offer(my_seller(), public_id)
