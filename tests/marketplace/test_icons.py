"""Every icon that is named is in icons.css, nothing else is, and its file was fetched."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, nodes

from marketplace.setup.vendor import icons_in_use

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "marketplace/static"
RULE = re.compile(
    r"^\.i-([a-z0-9-]+) \{ --i: url\(\.\./vendor/icons/([a-z0-9-]+\.svg)\); \}$", re.M
)
AS_A_CLASS = re.compile(r"[\"' ]i-([a-z0-9-]+)[\"' ]")
PACKAGES = ("marketplace", "livestream", "cabinets", "orders", "sellers")
PAGES = [page for one in PACKAGES for page in (ROOT / one).glob("**/templates/**/*.html")]
SCRIPTS = [*(STATIC / "js").glob("*.js")]


@cache
def modules() -> dict[Path, ast.Module]:
    """Every module that speaks of icons, parsed."""
    return {
        module: ast.parse(text)
        for one in PACKAGES
        for module in (ROOT / one).glob("**/*.py")
        if "icon" in (text := module.read_text(encoding="utf-8"))
    }


@cache
def trees() -> dict[Path, nodes.Template]:
    """Every page, parsed."""
    parser = Environment(autoescape=True)
    return {page: parser.parse(page.read_text(encoding="utf-8")) for page in PAGES}


def rules() -> dict[str, str]:
    """Icon → file, as icons.css has them."""
    return dict(RULE.findall((STATIC / "css/icons.css").read_text()))


def takers() -> dict[str, int]:
    """Macro → the place of its argument that names an icon."""
    found = {"icon": 0}
    for tree in trees().values():
        for macro in tree.find_all(nodes.Macro):
            names = [argument.name for argument in macro.args]
            if "icon_name" in names:
                found[macro.name] = names.index("icon_name")
    return found


def texts(value: nodes.Node | None) -> Iterator[str]:
    """Yield what an argument may be, as far as the page itself says it."""
    match value:
        case nodes.Const(value=str(text)) if text:
            yield text
        case nodes.CondExpr(expr1=one, expr2=other) | nodes.Or(left=one, right=other):
            yield from (*texts(one), *texts(other))
        case nodes.Getitem(node=nodes.Dict(items=pairs)):
            for pair in pairs:
                yield from texts(pair.value)


def named_by_pages() -> Iterator[tuple[str, str]]:
    """Yield page and icon, given to `icon` or to a macro that passes it on."""
    places = takers()
    for page, tree in trees().items():
        for call in tree.find_all(nodes.Call):
            name = getattr(call.node, "name", "")
            if name in places:
                given = [one.value for one in call.kwargs if one.key == "icon_name"]
                for value in (*call.args[places[name] : places[name] + 1], *given):
                    yield from ((page.name, text) for text in texts(value))


def named_by_classes() -> Iterator[tuple[str, str]]:
    """Yield file and icon where it is written as the class `i-name`."""
    for file in (*PAGES, *SCRIPTS):
        for name in AS_A_CLASS.findall(file.read_text(encoding="utf-8")):
            yield file.name, name


def named_by_python() -> Iterator[tuple[str, str]]:
    """Yield module and icon, given to a class whose objects have the field `icon`."""
    places = {}
    for tree in modules().values():
        for made in (one for one in ast.walk(tree) if isinstance(one, ast.ClassDef)):
            fields = [
                ast.unparse(one.target) for one in made.body if isinstance(one, ast.AnnAssign)
            ]
            if "icon" in fields:
                places[made.name] = fields.index("icon")
    for module, tree in modules().items():
        for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
            place = places.get(getattr(call.func, "id", ""))
            if place is not None and len(call.args) > place:
                match call.args[place]:
                    case ast.Constant(value=str(name)):
                        yield module.name, name


def test_every_icon_that_a_style_sheet_names_was_fetched() -> None:
    wanted = set(icons_in_use())
    assert wanted == set(rules().values())
    for sheet in (STATIC / "css").glob("*.css"):
        assert set(re.findall(r"vendor/icons/([^)\"']+)", sheet.read_text())) <= wanted, sheet.name
    fetched = {file.name for file in (STATIC / "vendor/icons").iterdir()}
    assert wanted <= fetched


def test_every_icon_that_is_named_has_a_rule() -> None:
    known = rules()
    for named, least in ((named_by_pages(), 200), (named_by_classes(), 1), (named_by_python(), 30)):
        found = list(named)
        assert len(found) > least
        assert sorted({one for one in found if one[1] not in known}) == []


def test_every_rule_is_of_an_icon_that_something_names() -> None:
    ways = (named_by_pages(), named_by_classes(), named_by_python())
    named = {name for way in ways for _file, name in way}
    assert sorted(set(rules()) - named - set(_in_tables()) - set(_drawn_by_sheets())) == []


def _in_tables() -> Iterator[str]:
    """Yield the words that stand in tables, such as a state's (colour, icon, words)."""
    for page in trees().values():
        for table in page.find_all((nodes.Tuple, nodes.Dict)):
            yield from (one.value for one in table.find_all(nodes.Const))
    for tree in modules().values():
        for made in ast.walk(tree):
            if isinstance(made, ast.Tuple):
                yield from (str(one.value) for one in made.elts if isinstance(one, ast.Constant))


def _drawn_by_sheets() -> Iterator[str]:
    """Yield the icons that a sheet draws by itself, such as a summary's chevron."""
    for sheet in (STATIC / "css").glob("*.css"):
        if sheet.name != "icons.css":
            yield from re.findall(r"vendor/icons/([a-z0-9-]+)\.svg", sheet.read_text())
