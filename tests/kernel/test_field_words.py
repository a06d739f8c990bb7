"""What a refused field of JSON is told, in Chinese and in English."""

import re
from enum import StrEnum
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields, validate

from kernel.field_words import in_words
from kernel.fields import In


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Line(In):
    units = fields.Integer(required=True, strict=True, validate=validate.Range(1, 9))


class Body(In):
    needed = fields.String(required=True)
    text = fields.String(validate=validate.Length(2, 4))
    short = fields.String(validate=validate.Length(max=2))
    long = fields.String(validate=validate.Length(min=2))
    code = fields.String(validate=validate.Regexp("^x$"))
    whole = fields.Integer(strict=True)
    least = fields.Integer(validate=validate.Range(min=5))
    most = fields.Integer(validate=validate.Range(max=5))
    day = fields.Date()
    at = fields.AwareDateTime()
    sure = fields.Boolean()
    colour = fields.Enum(Colour, by_value=True)
    other = fields.String(validate=validate.OneOf(["a", "b"]))
    lines = fields.List(fields.Nested(Line))


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "要有这一项。", "This is needed."),
    ({"needed": None}, "不能是 null。没有就不写这一项。", "Not null: leave it out"),
    ({"neded": "x"}, "没有这一项。检查名字，或者去掉它。", "Unknown field. Check its name"),
    ({"needed": 5}, "要文字，写在引号里。", "Text in quotation marks is needed."),
    ({"text": "x"}, "长度要在 2 到 4 之间。", "Its length must be between 2 and 4."),
    ({"short": "xyz"}, "太长，长度最多是 2。", "Too long: its length may be at most 2."),
    ({"long": "x"}, "太短，长度至少是 2。", "Too short: its length must be at least 2."),
    ({"code": "y"}, "写法不对。文档里有这一项的写法。", "Not written as it should be."),
    ({"whole": "y"}, "要一个整数。", "A whole number is needed."),
    ({"whole": 1.5}, "要一个整数。", "A whole number is needed."),
    ({"least": -7}, "不能小于 5。", "Must be at least 5."),
    ({"most": 7}, "不能大于 5。", "Must be at most 5."),
    ({"day": "y"}, "要一个日期，例如 2026-11-27。", "A date is needed, such as 2026-11-27."),
    ({"at": "y"}, "要一个带时区的时间，例如 2026-11-27T18:00:00+08:00。", "A time with its zone"),
    ({"at": "2026-11-27T18:00:00"}, "要一个带时区的时间，例如", "A time with its zone is needed"),
    ({"sure": "y es"}, "要 true 或 false。", "true or false is needed."),
    ({"colour": "y"}, "只能是其中一个：red, green。", "Must be one of: red, green."),
    ({"other": "y"}, "只能是其中一个：a, b。", "Must be one of: a, b."),
    ({"lines": 5}, "要一个列表，写在方括号里。", "A list in brackets is needed."),
    ({"lines": [5]}, "要一个 JSON 对象，写在大括号里。", "A JSON object in braces is needed."),
    ({"lines": [{"units": 10}]}, "要在 1 到 9 之间。", "Must be between 1 and 9."),
]  # fmt: skip


def told(app: Flask, said: Any, language: str) -> str:
    """Everything that is told of a body, as one text."""
    with app.test_request_context(headers={"Accept-Language": language}):
        return str(in_words(said))


@pytest.mark.parametrize(("sent", "chinese", "english"), WRONG)
def test_a_refused_field_is_told_why_in_the_readers_language(
    app: Flask, sent: dict[str, Any], chinese: str, english: str
) -> None:
    said = Body().validate(sent)
    assert chinese in told(app, said, "zh-CN")
    assert english in told(app, said, "en")


def test_nothing_of_what_marshmallow_says_stays_in_english(app: Flask) -> None:
    for sent, _, _ in WRONG:
        words = told(app, list(Body().validate(sent).values()), "zh-CN")
        assert not re.search("[A-Z][a-z]+", words), words


def test_names_become_text_and_unknown_words_stay(app: Flask) -> None:
    class Loose(Schema):
        lines = fields.List(fields.Integer())

    assert (
        told(app, Loose().validate({"lines": [1, "x"]}), "zh")
        == "{'lines': {'1': ['要一个整数。']}}"
    )
    assert in_words(None) is None
    assert told(app, {None: ["Something else."]}, "zh") == "{'': ['Something else.']}"
