"""JSON in and out for sign-in."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate


class TokenIn(Schema):
    """Who signs in."""

    class Meta:
        unknown = RAISE

    login = fields.String(required=True, validate=validate.Length(1, 80))
    password = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))


class TokenOut(Schema):
    """A bearer token. It is shown only this once and lasts for 30 days."""

    token = fields.String(required=True)
