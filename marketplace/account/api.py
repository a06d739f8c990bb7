"""Tokens for programs."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint

from kernel.access import allow
from kernel.identity import authenticate, issue_token
from marketplace.account.schemas import TokenIn, TokenOut

blueprint = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens", description="Sign in")


@blueprint.route("", methods=["POST"])
@allow.everyone
@blueprint.arguments(TokenIn)
@blueprint.response(201, TokenOut)
def create_token(payload: dict[str, Any]) -> dict[str, str]:
    """Exchange a login and a password for a bearer token."""
    account = authenticate(payload["login"], payload["password"], request.remote_addr or "")
    return {"token": issue_token(account)}
