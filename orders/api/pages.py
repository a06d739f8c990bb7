"""How lists are asked for page by page."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields, validate


class PageIn(Schema):
    """Which page of a list: the first without a cursor, else what `next_cursor` said."""

    class Meta:
        unknown = RAISE

    page_size = fields.Integer(load_default=24, validate=validate.Range(min=1, max=100))
    cursor = fields.String(load_default=None)
