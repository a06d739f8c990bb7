"""Style sheets and scripts hold nothing that no page has: no class, no colour, no hook."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "marketplace/static"
PACKAGES = ("marketplace", "livestream", "cabinets", "orders", "sellers")
ATTRIBUTE = re.compile(r"\bdata-[a-z-]+")
# What a page puts together: "tag-{{ kind }}", "' tag-' ~ kind", "`says-${kind}`".
BEGUN = re.compile(r"\b([a-z]+-)(?:\{\{|\$\{|' ~)")


def _written(pattern: str, *folders: Path) -> str:
    files = [file for folder in folders for file in sorted(folder.glob(pattern))]
    assert files
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|\{#.*?#\}|^\s*//[^\n]*$", "", text, flags=re.S | re.M)


ROOMS = [ROOT / one for one in PACKAGES]
PAGES = _without_comments(_written("**/templates/**/*.html", *ROOMS))
MODULES = _written("**/*.py", *ROOMS)
SCRIPTS = _without_comments(_written("*.js", STATIC / "js"))
SHEETS = _without_comments(_written("*.css", STATIC / "css"))


def test_every_class_of_a_style_sheet_stands_on_a_page() -> None:
    selectors = re.sub(r"\{[^{}]*\}|url\([^)]*\)", " ", SHEETS)
    styled = {one for one in re.findall(r"\.([a-z][\w-]*)", selectors) if one[:2] != "i-"}
    assert len(styled) > 300
    used = set(re.findall(r"[\w-]+", "\n".join((PAGES, SCRIPTS, MODULES))))
    begun = tuple(set(BEGUN.findall(PAGES + SCRIPTS)))
    assert sorted(one for one in styled - used if not one.startswith(begun)) == []


def test_every_value_of_the_tokens_is_used() -> None:
    named = set(re.findall(r"(--[a-z][\w-]*):", SHEETS))
    used = set(re.findall(r"--[a-z][\w-]*(?!:)\b(?![\w-]|:)", SHEETS + SCRIPTS))
    begun = tuple(re.findall(r"(--[a-z]+-)\$\{", SCRIPTS))
    ours = {one for one in named - used if not one.startswith(("--bs-", *begun))}
    assert sorted(ours) == []


def test_every_hook_is_both_written_and_read() -> None:
    """A hook is a `data-` attribute, written by a page or script, read by script, sheet or test."""
    as_attribute = re.compile(r"\.dataset\.(\w+)(\s*=[^=])?")
    set_by_name = re.compile(r"(?:toggle|set)Attribute\(\"(data-[a-z-]+)\"")
    written = set(ATTRIBUTE.findall(PAGES)) | set(set_by_name.findall(SCRIPTS))
    read = set(ATTRIBUTE.findall(set_by_name.sub("", SCRIPTS)))
    read |= set(ATTRIBUTE.findall(SHEETS + _written("*.py", ROOT / "tests/browser")))
    for name, given in as_attribute.findall(SCRIPTS):
        hook = "data-" + re.sub(r"[A-Z]", lambda capital: "-" + capital[0].lower(), name)
        (written if given else read).add(hook)
    assert len(read) > 30
    assert (sorted(read - written), sorted(written - read)) == ([], [])
