"""Chinese first, English complete: every word that a page can say has its English."""

import re

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask, render_template_string

from marketplace.rooms import ROOT

PACKAGES = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
# What a template says through `_`, and what it only says to whoever reads the template.
TRANSLATED = re.compile(r"\{#.*?#\}|\b_\(\s*(?:'[^']*'|\"[^\"]*\")", re.DOTALL)
CHINESE_STOPS = re.compile("[，。、；：（）“”！？]")


Message = tuple[str, str]
"""A context, empty for most, and the Chinese words."""


def said(package: str) -> set[Message]:
    """Every message that the code and templates of a package can say."""
    plain = dict.fromkeys(("_", "_l", "gettext", "lazy_gettext"))
    found = extract_from_dir(
        ROOT / package,
        method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")],
        keywords={**plain, **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2))},
    )
    return {(context or "", str(one)) for _file, _line, one, _notes, context in found if one}


def english(package: str) -> dict[Message, str]:
    """The English of every message that a package's catalogue has."""
    path = ROOT / package / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        messages = [m for m in read_po(file, locale="en") if m.id]
    return {(m.context or "", str(m.id)): str(m.string or "") for m in messages}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_has_its_english_and_all_english_is_said(package: str) -> None:
    messages, catalogue = said(package), english(package)
    assert messages
    assert [message for message in messages if not catalogue.get(message)] == []
    assert catalogue.keys() - messages == set()


def test_the_same_words_are_the_same_english_in_every_catalogue() -> None:
    """All catalogues are one for the site: of two texts, one would stand where it is wrong."""
    texts: dict[Message, set[str]] = {}
    for package in PACKAGES:
        for message, text in english(package).items():
            texts.setdefault(message, set()).add(text)
    assert {message: found for message, found in texts.items() if len(found) > 1} == {}


def test_a_context_tells_one_from_many(app: Flask) -> None:
    page = "{{ _('批次') }}, {{ pgettext('one', '批次') }}, {{ pgettext('verb', '上架') }}"
    for language, shown in {"en": "Lots, Lot, List", "zh": "批次, 批次, 上架"}.items():
        with app.test_request_context(headers={"Accept-Language": language}):
            assert render_template_string(page) == shown


@pytest.mark.parametrize("package", PACKAGES)
def test_english_keeps_every_placeholder(package: str) -> None:
    changed = [
        words
        for (_context, words), text in english(package).items()
        if set(PLACEHOLDER.findall(words)) != set(PLACEHOLDER.findall(text))
    ]
    assert changed == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_template_writes_a_chinese_stop_that_english_would_keep(package: str) -> None:
    folder = ROOT / package
    pages = {
        path: path.read_text(encoding="utf-8") for path in folder.glob("**/templates/**/*.html")
    }
    left = [
        f"{path.relative_to(ROOT)}: {stop}"
        for path, page in pages.items()
        if "sandbox" not in path.parts
        for stop in CHINESE_STOPS.findall(TRANSLATED.sub("", page))
    ]
    assert left == []
