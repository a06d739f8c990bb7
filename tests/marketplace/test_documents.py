"""What the documents name is there: files, names of the code, commands, macros and filters."""

from __future__ import annotations

import re
from importlib import import_module, util
from pathlib import Path

import click
import pytest
from flask import Flask

from marketplace.filters import FILTERS
from marketplace.rooms import ROOT

DOCUMENTS = [*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "demo/README.md"]
OURS = "(?:bench|cabinets|demo|docs|kernel|livestream|marketplace|migrations|orders|sellers|tests)"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = (ROOT / "docs/pages.md").read_text(encoding="utf-8")
PARTS = sorted((ROOT / "marketplace/templates/parts").glob("*.html"))
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def quoted(document: Path) -> str:
    """What stands between backticks, a line each."""
    return "\n".join(re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8")))


def is_there(name: str) -> bool:
    """Tell whether a dotted name leads to a module, or to something within one."""
    module, _, rest = name, "", ""
    while util.find_spec(module.partition(".")[0]) and module:
        try:
            found = import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}"
            continue
        for one in filter(None, rest.split(".")):
            found = getattr(found, one, None)  # type: ignore[assignment]  # any attribute
        return found is not None
    return False


@each_document
def test_every_link_and_every_path_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
    paths = re.findall(rf"(?<![\w/.]){OURS}/[\w./*-]*", quoted(document))
    # A template is named as pages name it.
    folders = ("", "*/templates/")
    found = {
        path: any(any(ROOT.glob(one + path.rstrip("/."))) for one in folders) for path in paths
    }
    assert [path for path, is_found in found.items() if not is_found] == []


@each_document
def test_every_dotted_name_is_in_the_code(document: Path) -> None:
    names = re.findall(rf"(?<![\w/.]){OURS}(?:\.\w+)+(?![\w/])", quoted(document))
    assert [name for name in names if not is_there(name)] == []


def test_every_target_of_the_makefile_is_explained_and_the_named_ones_are_there() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[0].split()
    explained = re.findall(r"^([a-z-]+):.* ## \w", MAKEFILE, re.M)
    assert sorted(phony) == sorted(explained)
    named = {one for path in DOCUMENTS for one in re.findall(r"\bmake ([a-z-]+)", quoted(path))}
    assert named
    assert named - set(phony) == set()


def test_every_command_that_is_named_is_there(app: Flask) -> None:
    named = {one for path in DOCUMENTS for one in re.findall(r"--app wsgi (.+)", quoted(path))}
    assert len(named) > 8
    assert app.extensions["migrate"].migrate, "once asked for, it adds its command"
    for words in named:
        first, _, rest = words.partition(" ")
        command = app.cli.get_command(click.Context(app.cli), first)
        assert command, words
        if isinstance(command, click.Group):
            assert rest.split()[0] in command.commands, words


def test_every_macro_and_every_filter_is_told_with_what_it_takes() -> None:
    macros = {
        macro
        for part in PARTS
        for macro in re.findall(r"{%-? macro (.+?) -?%}", part.read_text(encoding="utf-8"))
    }
    assert len(macros) > 50
    assert sorted(macro for macro in macros if f"`{macro}`" not in PAGES) == []
    told = set(re.findall(r"\\\|(\w+)", PAGES))
    assert {one.__name__ for one in FILTERS} - told == set()
