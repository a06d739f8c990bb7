"""What every form says of itself when it is refused: what to do, in the language of the reader.

A form derives from `Form`; where a field has no words of its own, WTForms' are replaced by ours.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, PasswordField, StringField
from wtforms.fields.core import UnboundField
from wtforms.form import BaseForm
from wtforms.validators import NumberRange

from kernel.text import cleaned

_NEEDED = _l("这一项要填。")
_CHOOSE = _l("从列出的里选一个。")
_TOO_LONG = _l("太长了，最多 %(max)d 个字。")

SAYINGS = {
    "This field is required.": _NEEDED,
    "Not a valid integer value.": _l("填一个整数，不带单位。"),
    "Not a valid date value.": _l("日期写成 2026-12-01 这样。"),
    "Not a valid datetime value.": _l("日期和时间写成 2026-12-01 18:00 这样。"),
    "Not a valid choice.": _CHOOSE,
    "Invalid Choice: could not coerce.": _CHOOSE,
    "Field cannot be longer than %(max)d character.": _TOO_LONG,
    "Field cannot be longer than %(max)d characters.": _TOO_LONG,
}
"""WTForms' own words, and what is said in their place."""


class _Words:
    """Translates for WTForms, as it asks of a form's translations."""

    def gettext(self, words: str) -> str:
        """Return our words for WTForms' own, others as they are."""
        return str(SAYINGS.get(words, words))

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the same for words that count."""
        return self.gettext(one if number == 1 else many)


def _clean(value: Any) -> Any:
    """Return text without marks that nobody sees and without blanks around it."""
    return cleaned(value) if isinstance(value, str) else value


class Form(FlaskForm):
    """A form of the site: its text is cleaned before it is judged, its passwords are not."""

    class Meta(FlaskForm.Meta):
        """How its fields are made, and how it is translated."""

        def bind_field(
            self,
            form: BaseForm,
            unbound_field: UnboundField[Any],
            options: MutableMapping[str, Any],
        ) -> Field:
            """Make a field; what is typed into one of text goes through `cleaned` first."""
            kind = unbound_field.field_class
            if issubclass(kind, StringField) and not issubclass(kind, PasswordField):
                own = unbound_field.kwargs.get("filters", ())
                options = {**options, "filters": [_clean, *own]}
            return super().bind_field(form, unbound_field, options)

        def get_translations(self, form: FlaskForm) -> _Words:
            """Return our own words."""
            return _Words()


def between(least: int, most: int) -> NumberRange:
    """Return the rule that a whole number lies from `least` to `most`, which its refusal says."""
    words = _l("填 %(least)s 到 %(most)s 的整数。", least=f"{least:,}", most=f"{most:,}")
    return NumberRange(least, most, words)
