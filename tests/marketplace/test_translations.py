"""Chinese first, English complete: every word that a page can say has its English."""

import re
from collections.abc import Sequence

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask, render_template_string

from marketplace.rooms import ROOT

PACKAGES = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
# What a template says through `_`, and what it only says to whoever reads the template.
TRANSLATED = re.compile(r"\{#.*?#\}|\b(?:_|counted)\(\s*(?:'[^']*'|\"[^\"]*\")", re.DOTALL)
COUNT_OF_MANY = re.compile(
    r"%\(\w+\)s (\w+ )?(people|colleagues|households|others|sellers|kinds|items|orders|cases|boxes"
    r"|lots|products|places|rows|lines|shares|codes|more are|more fill|wait|have)\b"
)
# What is said of several alone, or of a bound.
NEVER_ONE = {
    "等 %(n)s 种",
    "%(n)s 张",
    "已订 %(n)s 箱，共 %(all)s 箱",
    "每人最多 %(n)s 箱",
    ".xlsx，最多 %(n)s 行、5 MB",
    "超过 %(most)s 行。分成几个文件上传。",
}
CHINESE_STOPS = re.compile("[，。、；：（）“”！？]")


Message = tuple[str, str]
"""A context, empty for most, and the Chinese words."""


def said(package: str) -> set[Message]:
    """Every message that the code and templates of a package can say."""
    plain = dict.fromkeys(("_", "_l", "gettext", "lazy_gettext"))
    found = extract_from_dir(
        ROOT / package,
        method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")],
        keywords={
            **plain,
            **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2)),
            "counted": (1, 1),
        },
    )
    return {(context or "", _first(one)) for _file, _line, one, _notes, context in found if one}


def texts(package: str) -> dict[Message, tuple[str, ...]]:
    """The English of every message of a package's catalogue; two texts where it counts."""
    path = ROOT / package / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        messages = [m for m in read_po(file, locale="en") if m.id]
    return {
        (m.context or "", _first(m.id)): (m.string,)
        if isinstance(m.string, str)
        else tuple(m.string or ())
        for m in messages
    }


def _first(words: str | Sequence[str]) -> str:
    """The words themselves; what counts comes as one and many, which in Chinese are the same."""
    return words if isinstance(words, str) else words[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_has_its_english_and_all_english_is_said(package: str) -> None:
    messages, catalogue = said(package), texts(package)
    assert messages
    assert [one for one in messages if not all(catalogue.get(one, ("",)))] == []
    assert catalogue.keys() - messages == set()


def test_the_same_words_are_the_same_english_in_every_catalogue() -> None:
    """All catalogues are one for the site: of two texts, one would stand where it is wrong."""
    found: dict[Message, set[tuple[str, ...]]] = {}
    for package in PACKAGES:
        for message, forms in texts(package).items():
            found.setdefault(message, set()).add(forms)
    assert {message: forms for message, forms in found.items() if len(forms) > 1} == {}


def test_a_count_is_of_one_or_of_many_in_english_and_the_same_in_chinese(app: Flask) -> None:
    page = "{{ counted('%(n)s 人', 1) }}; {{ counted('%(n)s 人', 1200) }}"
    for language, shown in {"en": "1 person; 1,200 people", "zh": "1 人; 1,200 人"}.items():
        with app.test_request_context(headers={"Accept-Language": language}):
            assert render_template_string(page) == shown


@pytest.mark.parametrize("package", PACKAGES)
def test_no_count_stands_before_a_plural_that_one_would_make_wrong(package: str) -> None:
    """Such English comes in two forms, through `counted`, or the figure stands behind its word."""
    wrong = [
        forms[0]
        for (_context, words), forms in texts(package).items()
        if len(forms) == 1 and COUNT_OF_MANY.search(forms[0]) and words not in NEVER_ONE
    ]
    assert wrong == []


def test_a_context_tells_one_from_many(app: Flask) -> None:
    page = "{{ _('批次') }}, {{ pgettext('one', '批次') }}, {{ pgettext('verb', '上架') }}"
    for language, shown in {"en": "Lots, Lot, List", "zh": "批次, 批次, 上架"}.items():
        with app.test_request_context(headers={"Accept-Language": language}):
            assert render_template_string(page) == shown


@pytest.mark.parametrize("package", PACKAGES)
def test_english_keeps_every_placeholder(package: str) -> None:
    changed = [
        words
        for (_context, words), forms in texts(package).items()
        if any(set(PLACEHOLDER.findall(words)) != set(PLACEHOLDER.findall(one)) for one in forms)
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


# What docs/glossary.md names otherwise.
OTHER_WORDS = re.compile(
    r"凭证|条明细|\b(lanes?|batch(es)?|suppliers?|farmers|papers|proof of (?:the )?transfer"
    r"|upload(?:ed)? the proof)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("package", PACKAGES)
def test_pages_call_things_by_the_words_of_the_glossary(package: str) -> None:
    words = ((chinese, *english) for (_context, chinese), english in texts(package).items())
    assert [one for one in words if OTHER_WORDS.search(" ".join(one))] == []
