"""How lists are asked for page by page."""

from __future__ import annotations

from marshmallow import fields, validate

from kernel.fields import In


class PageIn(In):
    """Which page of a list: the first without a cursor, else what `next_cursor` said."""

    page_size = fields.Integer(load_default=24, validate=validate.Range(min=1, max=100))
    cursor = fields.String(load_default=None)
