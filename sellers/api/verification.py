"""Staff looks at sellers and their papers, and accepts or returns them."""

from __future__ import annotations

from typing import Any

from kernel.access import allow, my_account
from kernel.identity import Role
from kernel.paging import Page
from sellers import actions, schemas
from sellers.api.room import blueprint
from sellers.model import Certificate, Seller
from sellers.queries import staff


@blueprint.route("", methods=["GET"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.OwnSellersIn, location="query")
@blueprint.response(200, schemas.RegisteredSellersOut)
def sellers(query: dict[str, Any]) -> Page[Seller]:
    """List sellers for staff, by state."""
    return staff.sellers(query["state"], query["cursor"])


@blueprint.route("/<public_id>", methods=["GET"])
@allow(Role.STAFF)
@blueprint.response(200, schemas.DossierOut)
def dossier(public_id: str) -> Seller:
    """Show a seller with its papers."""
    return staff.dossier(public_id).seller


@blueprint.route("/<public_id>/verify", methods=["POST"])
@allow(Role.STAFF)
@blueprint.response(200, schemas.RegisteredSellerOut)
def verify(public_id: str) -> Seller:
    """Let a seller sell; the papers that it handed in are accepted."""
    return actions.verify(staff.dossier(public_id).seller.id, my_account())


@blueprint.route("/<public_id>/return", methods=["POST"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.SellerReturnIn)
@blueprint.response(200, schemas.RegisteredSellerOut)
def send_back(payload: dict[str, Any], public_id: str) -> Seller:
    """Return a seller's papers with a reason."""
    seller_id = staff.dossier(public_id).seller.id
    return actions.return_to_seller(seller_id, my_account(), payload["reason"])


@blueprint.route("/<public_id>/bank", methods=["POST"])
@allow(Role.STAFF, factor=True)
@blueprint.arguments(schemas.BankSeenIn)
@blueprint.response(200, schemas.RegisteredSellerOut)
def confirm_bank(payload: dict[str, Any], public_id: str) -> Seller:
    """Let a seller be paid to its bank account; not by whoever wrote it."""
    seller_id = staff.dossier(public_id).seller.id
    return actions.confirm_bank(seller_id, my_account(), payload["bank_changed_at"])


@blueprint.route("/certificates", methods=["GET"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.OwnPageIn, location="query")
@blueprint.response(200, schemas.WaitingCertificatesOut)
def waiting_certificates(query: dict[str, Any]) -> Page[Certificate]:
    """List papers that verified sellers added since and nobody has looked at."""
    return staff.waiting_certificates(query["cursor"])


@blueprint.route("/certificates/<public_id>/accept", methods=["POST"])
@allow(Role.STAFF)
@blueprint.response(200, schemas.WaitingCertificateOut)
def accept_certificate(public_id: str) -> Certificate:
    """Let buyers see a paper of a verified seller."""
    actions.accept_certificate(staff.certificate(public_id).id, my_account())
    return staff.certificate(public_id)


@blueprint.route("/certificates/<public_id>/return", methods=["POST"])
@allow(Role.STAFF)
@blueprint.arguments(schemas.SellerReturnIn)
@blueprint.response(200, schemas.WaitingCertificateOut)
def return_certificate(payload: dict[str, Any], public_id: str) -> Certificate:
    """Return one paper of a verified seller with a reason; buyers no longer see it."""
    paper_id = staff.certificate(public_id).id
    actions.return_certificate(paper_id, my_account(), payload["reason"])
    return staff.certificate(public_id)
