"""Tokens for programs."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_login import current_user
from flask_smorest import Blueprint

from kernel import factor
from kernel.access import allow
from kernel.identity import Role, authenticate
from kernel.tokens import issue_token, revoke_token, tokens_of
from marketplace.account.schemas import TokenIn, TokenOut, TokensOut

blueprint = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens", description="Sign in")


@blueprint.route("", methods=["POST"])
@allow.everyone
@blueprint.arguments(TokenIn)
@blueprint.response(201, TokenOut)
def create_token(payload: dict[str, Any]) -> dict[str, str]:
    """Exchange a login and a password for a bearer token.

    With the `code` of a second factor the token carries it, as staff need to move money.
    """
    proven = authenticate(payload["login"], payload["password"], request.remote_addr or "")
    code = payload.get("code")
    if code is not None:
        factor.check(proven.account, code)
    token = issue_token(
        proven.account, label=payload["label"], factor=code is not None, epoch=proven.epoch
    )
    return {"token": token}


@blueprint.route("", methods=["GET"])
@allow(Role.CONSUMER)
@blueprint.response(200, TokensOut)
def index() -> dict[str, Any]:
    """List my own tokens that still work, newest first."""
    return {"items": tokens_of(current_user.account_id), "next_cursor": None}


@blueprint.route("/<token_id>", methods=["DELETE"])
@allow(Role.CONSUMER)
@blueprint.response(204)
def revoke(token_id: str) -> None:
    """End one of my own tokens; it may be the one that asks."""
    revoke_token(current_user.account_id, token_id)
