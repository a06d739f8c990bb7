"""Inputs that read what people type: yuan, whole numbers; and where refusals go."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, TypeVar

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from flask_wtf.file import FileField
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional, Regexp

from kernel.errors import Refusal
from kernel.forms import Form
from kernel.money import Money, parse_yuan
from kernel.quantity import MAX_UNITS, parse_units
from kernel.text import BANK_ACCOUNT, PHONE, cleaned, plain
from sellers.actions import Upload

K = TypeVar("K", bound=enum.StrEnum)


class TextField(StringField):
    """A line of text; `data` is a str, empty when nothing was typed."""

    data: Any


class LongTextField(TextAreaField):
    """Several lines of text; `data` is a str."""

    data: Any


class YuanField(StringField):
    """An amount typed in yuan; `data` is whole fen or None."""

    data: Any
    wrong = _l("金额写成 59 或 59.50，最多两位小数。")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(Money(self.data)).removeprefix("¥")

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed."""
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = parse_yuan(valuelist[0]).fen
            except ValueError as problem:
                raise ValueError(str(self.wrong)) from problem


class PercentField(YuanField):
    """A percent of two places, as yuan have them: `data` is basis points or None, 1% is 100."""

    wrong = _l("比例写 0.01 到 100 之间，最多两位小数，不带 %。")


class WholeField(StringField):
    """A whole number of at least `least`; `data` is an int or None."""

    data: Any

    def __init__(self, *args: Any, least: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.least = least

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed."""
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = parse_units(valuelist[0], least=self.least, most=MAX_UNITS)
            except ValueError as problem:
                raise ValueError(
                    str(_WRONG_WHOLE) % {"least": self.least, "most": f"{MAX_UNITS:,}"}
                ) from problem


_WRONG_WHOLE = _l("填 %(least)s 到 %(most)s 的整数。")


def text(
    label: LazyString, most: int, *, needed: LazyString | None = None, anchor: str | None = None
) -> TextField:
    """Return a line of text of at most `most` characters; `needed` is said when it is empty.

    `anchor` is its id on a page where another form has a field of the same name.
    """
    # A field that was not sent at all is empty text, too.
    return TextField(label, validators=_text_rules(most, needed), filters=[cleaned], id=anchor)


def phone_number(label: LazyString) -> TextField:
    """Return a phone number, or nothing."""
    wrong = _l("电话不对。手机写 11 位，座机带区号，例如 13800000000 或 0751-8888888。")
    return TextField(label, [Optional(), Regexp(PHONE, message=wrong)], filters=[plain])


def account_number(label: LazyString) -> TextField:
    """Return the number of a bank account, or nothing."""
    wrong = _l("账号不对。只写数字，8 到 32 位，可以用空格隔开。")
    return TextField(label, [Optional(), Regexp(BANK_ACCOUNT, message=wrong)], filters=[plain])


def long_text(label: LazyString, most: int, *, needed: LazyString | None = None) -> LongTextField:
    """Return several lines of text."""
    return LongTextField(label, validators=_text_rules(most, needed), filters=[cleaned])


def _text_rules(most: int, needed: LazyString | None) -> list[Any]:
    first = DataRequired(needed) if needed else Optional()
    return [first, Length(max=most, message=_l("太长了，最多 %(max)d 个字。"))]


def pick(label: LazyString, choices: Mapping[Any, LazyString], **options: Any) -> SelectField:
    """Return a choice of one among `choices`."""
    listed = [SelectChoice(value=str(value), label=words) for value, words in choices.items()]
    return SelectField(label, choices=listed, **options)


def upload_of(field: FileField) -> Upload | None:
    """Return the file that was sent in `field`, None when there is none."""
    sent = field.data
    if not sent or not getattr(sent, "filename", ""):
        return None
    return Upload(sent.read(), sent.filename)


def complain(form: Form, refusal: Refusal) -> None:
    """Put a refusal's words beside the inputs at fault, or above the form."""
    beside = {name: words for name, words in refusal.fields.items() if name in form}
    for name, words in beside.items():
        form[name].errors = [*form[name].errors, words]
    if not beside:
        above = list(refusal.fields.values()) or [refusal.message]
        form.form_errors = [*form.form_errors, *above]
