"""Text in JSON bodies: cleaned before it is judged, so that blanks alone are nothing."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from kernel.text import cleaned, plain


class Text(fields.String):
    """Text without marks that nobody sees and without blanks around it."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        return cleaned(super()._deserialize(value, *rest, **more))


class PlainText(fields.String):
    """A number or code, in ordinary characters whichever were typed."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        return plain(super()._deserialize(value, *rest, **more))


def needed_text(most: int) -> Text:
    """Return text that has to say something, in at most `most` characters."""
    return Text(required=True, validate=validate.Length(1, most), metadata={"pattern": r"\S"})
