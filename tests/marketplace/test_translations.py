"""Chinese first, English complete: every word that a page can say has its English."""

import re

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from marketplace.rooms import ROOT

PACKAGES = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
# What a template says through `_`, and what it only says to whoever reads the template.
TRANSLATED = re.compile(r"\{#.*?#\}|\b_\(\s*(?:'[^']*'|\"[^\"]*\")", re.DOTALL)
CHINESE_STOPS = re.compile("[，。、；：（）“”！？]")


def said(package: str) -> set[str]:
    """Every message that the code and templates of a package can say."""
    found = extract_from_dir(
        ROOT / package,
        method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")],
        keywords={"_": None, "_l": None, "gettext": None, "lazy_gettext": None},
    )
    return {str(message) for _file, _line, message, _notes, _context in found if message}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_has_its_english(package: str) -> None:
    path = ROOT / package / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        english = {message.id: message.string for message in read_po(file, locale="en")}
    messages = said(package)
    assert messages
    assert [message for message in messages if not english.get(message)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_english_keeps_every_placeholder(package: str) -> None:
    path = ROOT / package / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        catalogue = [m for m in read_po(file, locale="en") if m.id and isinstance(m.string, str)]
    changed = [
        message.id
        for message in catalogue
        if set(PLACEHOLDER.findall(str(message.id)))
        != set(PLACEHOLDER.findall(str(message.string)))
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
