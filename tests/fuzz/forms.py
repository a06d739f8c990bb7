"""Forms as a page shows them, and what people, scripts and accidents may send with them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from hypothesis import strategies as st

from kernel import clock
from tests.town.trade import picture

Sent = dict[str, list[Any]]

WRONG_TEXT = (
    "",
    " ",
    "0",
    "-1",
    "-5.00",
    "1.005",
    "1e999",
    "NaN",
    "Infinity",
    "9" * 30,
    "2147483648",
    "9223372036854775808",
    "１２３",
    "1 2 3",
    "1,000",
    "二十",
    "=1+1",
    "\u202e12\u202c",
    "a\u200fb",
    "a\x00b",
    "<b>x</b>",
    "../../etc",
    "%00",
    "长" * 300,
    "y" * 20_000,
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "2026-11-22T25:61",
    "10000-01-01T00:00",
    "true",
    "on",
    "null",
    "{}",
)
WRONG_FILES = (b"", b"not a picture", b"PK\x03\x04cut", b"\x89PNG\r\n\x1a\n" + bytes(40))


@dataclass
class Field:
    """One input: its kind, what it holds, and what it offers to choose."""

    name: str
    kind: str
    value: str = ""
    choices: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A form that a page shows, and where it goes."""

    action: str
    fields: list[Field] = field(default_factory=list)


class Forms(HTMLParser):
    """Collects the forms of a page that write something."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._path = path
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a form, an input or a choice."""
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            is_write = about.get("method", "get").lower() == "post"
            action = (about.get("action") or self._path).partition("#")[0]
            self._open = Form(action) if is_write else None
            if self._open:
                self.found.append(self._open)
        elif self._open and tag == "option":
            self._open.fields[-1].choices.append(about.get("value", ""))
        elif self._open and about.get("name") and tag in ("input", "select", "textarea", "button"):
            self._add(self._open, tag, about)

    def _add(self, form: Form, tag: str, about: dict[str, str]) -> None:
        kind = about.get("type", "text") if tag == "input" else tag
        known = next((one for one in form.fields if one.name == about["name"]), None)
        if known is None:
            known = Field(about["name"], kind, about.get("value", ""))
            form.fields.append(known)
        if kind in ("radio", "checkbox", "button"):
            known.choices.append(about.get("value", "y"))

    def handle_endtag(self, tag: str) -> None:
        """A form ends."""
        if tag == "form":
            self._open = None


def forms_of(path: str, page: str) -> list[Form]:
    """The forms of a page that write something."""
    parser = Forms(path)
    parser.feed(page)
    return parser.found


def plausible(one: Field) -> Any:
    """Something that a person could have meant."""
    day = clock.today() + timedelta(days=9)
    chosen = [choice for choice in one.choices if choice]
    by_kind = {
        "number": "2",
        "date": day.isoformat(),
        "datetime-local": f"{day}T09:00",
        "tel": "13800000000",
        "password": "a-long-password",
        "file": (picture(), "picture.png"),
    }
    if one.value or one.kind == "hidden":
        return one.value
    return chosen[0] if chosen else by_kind.get(one.kind, "2")


def wrong(one: Field, ids: list[str]) -> st.SearchStrategy[Any]:
    """Something that nobody should have sent in a field."""
    if one.kind == "file":
        return st.sampled_from(WRONG_FILES).map(lambda data: (data, "wrong.bin"))
    return st.one_of(
        st.sampled_from(WRONG_TEXT),
        st.sampled_from(ids),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.integers().map(str),
    )


@st.composite
def fillings(draw: st.DrawFn, form: Form, ids: list[str]) -> Sent:
    """A form filled in well, but for a few fields: wrong, missing or sent twice."""
    sent: Sent = {one.name: [plausible(one)] for one in form.fields}
    open_fields = [one for one in form.fields if one.name not in ("csrf_token", "idempotency_key")]
    if not open_fields:
        return sent
    for one in draw(st.lists(st.sampled_from(open_fields), max_size=3)):
        what = draw(st.sampled_from(("wrong", "wrong", "wrong", "missing", "twice")))
        kept = sent[one.name] if what == "twice" else []
        sent[one.name] = [] if what == "missing" else [*kept, draw(wrong(one, ids))]
    return sent


def as_body(sent: Sent) -> dict[str, Any]:
    """What a test client sends for it."""
    return {
        name: [
            (io.BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value
            for value in values
        ]
        for name, values in sent.items()
        if values
    }
