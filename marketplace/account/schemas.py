"""JSON in and out for sign-in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from kernel.fields import In


class TokenIn(In):
    """Who signs in."""

    login = fields.String(required=True, validate=validate.Length(1, 80))
    password = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))
    code = fields.String(
        load_only=True,
        validate=validate.Length(6, 40),
        metadata={"description": "Of the second factor: from the phone, or a recovery code."},
    )
    label = fields.String(
        load_default="",
        validate=validate.Length(max=40),
        metadata={"description": "What you call the program that will use the token."},
    )


class TokenOut(Schema):
    """A bearer token. It is shown only this once."""

    token = fields.String(required=True)


class TokenKnownOut(Schema):
    """A token that works, without the secret itself."""

    id = fields.String(attribute="public_id")
    label = fields.String()
    created_at = fields.AwareDateTime()
    expires_at = fields.AwareDateTime()
    factor_at = fields.AwareDateTime(allow_none=True)


class TokensOut(Schema):
    """My tokens."""

    items = fields.List(fields.Nested(TokenKnownOut))
    next_cursor = fields.String(allow_none=True)
