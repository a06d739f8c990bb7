"""What comes in as JSON: nothing unknown, and text that is cleaned before it is judged."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from kernel.text import BANK_ACCOUNT, PHONE, cleaned, plain

MAYBE_TEXT = {"type": ["string", "null"]}
"""What the document says of a text that a function makes."""


class In(Schema):
    """A body or a query: a field that nobody knows is refused, for it may be a slip."""

    class Meta:
        unknown = RAISE


class Text(fields.String):
    """Text without marks that nobody sees and without blanks around it.

    As much may come in as the API's document says, however little would be kept of it.
    """

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        typed = super()._deserialize(value, *rest, **more)
        for rule in self.validators:
            if isinstance(rule, validate.Length):
                validate.Length(max=rule.max)(typed)
        return self._kept(typed)

    def _kept(self, typed: str) -> str:
        return cleaned(typed)


class PlainText(Text):
    """A number or code, in ordinary characters whichever were typed."""

    def _kept(self, typed: str) -> str:
        return plain(typed)


def needed_text(most: int) -> Text:
    """Return text that has to say something, in at most `most` characters."""
    return Text(required=True, validate=validate.Length(1, most), metadata={"pattern": r"\S"})


def kept_text(most: int) -> Text:
    """Return text that stays as it is where it is left out, and else has to say something."""
    return Text(load_default=None, validate=validate.Length(1, most), metadata={"pattern": r"\S"})


def maybe_text(most: int) -> Text:
    """Return text of at most `most` characters that may be empty or left out."""
    return Text(load_default="", validate=validate.Length(0, most))


def maybe_phone() -> PlainText:
    """Return a phone number that may be left out, and then is None."""
    return PlainText(load_default=None, validate=validate.Regexp(PHONE))


def maybe_bank_account() -> PlainText:
    """Return a bank account's number that may be left out, and then is None."""
    return PlainText(load_default=None, validate=validate.Regexp(BANK_ACCOUNT))
