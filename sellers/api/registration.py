"""A seller registers, says what it is, and hands in its papers."""

from __future__ import annotations

from typing import Any

from flask import request

from kernel.access import allow, my_account
from kernel.identity import Role
from sellers import actions, schemas
from sellers.api.room import as_upload, blueprint
from sellers.me import my_seller
from sellers.model import Certificate, Seller
from sellers.queries import workspace


@blueprint.route("", methods=["POST"])
@allow(Role.CONSUMER)
@blueprint.arguments(schemas.OwnSellerIn)
@blueprint.response(201, schemas.RegisteredSellerOut)
def register(payload: dict[str, Any]) -> Seller:
    """Register a seller; the account becomes its clerk."""
    return actions.register_seller(my_account(), actions.SellerFacts(**payload))


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
    facts = actions.SellerFacts(**payload)
    return actions.update_seller(my_seller(), facts, account_id=my_account())


@blueprint.route("/mine/certificates", methods=["GET"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.OwnCertificatesOut)
def certificates() -> dict[str, Any]:
    """List the seller's papers and what staff said of each."""
    return {"items": workspace.own_seller(my_seller()).certificates, "next_cursor": None}


# The document names the file beside the words; the two parts of the form are read apart.
@blueprint.route("/mine/certificates", methods=["POST"])
@allow(Role.CLERK)
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {"multipart/form-data": {"schema": schemas.OwnCertificateUploadIn}},
    }
)
@blueprint.arguments(schemas.OwnCertificateIn, location="form", content_type="multipart/form-data")
@blueprint.response(201, schemas.OwnCertificateOut)
def add_certificate(payload: dict[str, Any]) -> Certificate:
    """Upload a certificate; buyers see it once staff accepted it."""
    sent = request.files.get("file")
    upload = as_upload(sent) if sent is not None else None
    return actions.add_certificate(my_seller(), my_account(), upload=upload, **payload)


@blueprint.route("/mine/submit", methods=["POST"])
@allow(Role.CLERK)
@blueprint.response(200, schemas.RegisteredSellerOut)
def submit() -> Seller:
    """Ask staff to verify the seller."""
    return actions.submit(my_seller())
