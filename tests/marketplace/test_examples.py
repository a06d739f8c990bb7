"""What a docstring shows by example is so."""

import doctest
from importlib import import_module

import pytest

from marketplace.rooms import ROOT

PACKAGES = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace", "bench")
SHOWING = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in sorted((ROOT / package).glob("**/*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", SHOWING)
def test_what_a_docstring_shows_is_so(module: str) -> None:
    done = doctest.testmod(import_module(module))
    assert done.attempted
    assert done.failed == 0
