"""Every icon that a page names is in icons.css, and every file named there was fetched."""

from __future__ import annotations

import re
from pathlib import Path

from marketplace.setup.vendor import icons_in_use

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "marketplace/static"
RULE = re.compile(
    r"^\.i-([a-z0-9-]+) \{ --i: url\(\.\./vendor/icons/([a-z0-9-]+\.svg)\); \}$", re.M
)
NAMED = re.compile(r"\bicon\('([a-z0-9-]+)'|[\"' ]i-([a-z0-9-]+)[\"' ]")
PACKAGES = ("marketplace", "livestream", "cabinets", "orders", "sellers")


def rules() -> dict[str, str]:
    """Icon → file, as icons.css has them."""
    return dict(RULE.findall((STATIC / "css/icons.css").read_text()))


def test_every_icon_that_a_style_sheet_names_was_fetched() -> None:
    wanted = set(icons_in_use())
    assert wanted == set(rules().values())
    for sheet in (STATIC / "css").glob("*.css"):
        assert set(re.findall(r"vendor/icons/([^)\"']+)", sheet.read_text())) <= wanted, sheet.name
    fetched = {file.name for file in (STATIC / "vendor/icons").iterdir()}
    assert wanted <= fetched


def test_every_icon_that_a_page_or_a_script_names_has_a_rule() -> None:
    pages = [page for one in PACKAGES for page in (ROOT / one).glob("**/templates/**/*.html")]
    scripts = [*(STATIC / "js").glob("*.js")]
    named = {
        (file.name, first or second)
        for file in (*pages, *scripts)
        for first, second in NAMED.findall(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 100
    assert sorted(one for one in named if one[1] not in rules()) == []
