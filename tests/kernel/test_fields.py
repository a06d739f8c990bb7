"""What comes in as JSON is cleaned, and judged as the API's document says."""

from typing import Any

import pytest
from marshmallow import ValidationError

from kernel.fields import In, maybe_text, needed_text


class Note(In):
    title = needed_text(5)
    text = maybe_text(5)


def faults(**sent: Any) -> list[str]:
    """The fields that are refused."""
    return sorted(Note().validate(sent))


def test_text_is_kept_without_marks_that_nobody_sees() -> None:
    assert Note().load({"title": " 春\u200b橙 "}) == {"title": "春橙", "text": ""}


@pytest.mark.parametrize("long", ["一二三四五六", "    春橙", "春橙\x1f\x1f\x1f\x1f"])
def test_text_that_the_document_calls_too_long_is_refused_however_short_it_would_be_kept(
    long: str,
) -> None:
    assert faults(title="春橙", text=long) == ["text"]


@pytest.mark.parametrize("empty", ["", "  ", "\u200b", "\x1f"])
def test_text_that_says_nothing_is_refused_where_it_is_needed(empty: str) -> None:
    assert faults(title=empty) == ["title"]


def test_anything_else_is_no_text() -> None:
    with pytest.raises(ValidationError):
        Note().load({"title": 5})
