"""Whatever people type is shown as text: markup in any column is escaped on every page.

There is no rich text: templates escape everything, and no view or template calls text safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import Environment, nodes
from sqlalchemy import Enum, PrimaryKeyConstraint, String, Text, UniqueConstraint, text

from kernel.crypt import EncryptedText
from kernel.db import db, transaction
from kernel.identity import Role
from tests import builders
from tests.marketplace import market_day
from tests.marketplace.test_canary import crawl
from tests.visitors import Visitor

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kernel", "sellers", "orders", "livestream", "cabinets", "marketplace")
MARK = "<s>{}</s>"
# Keys, codes and what the application itself writes; nobody types these.
OURS = re.compile(
    r"(^|_)(id|code|key|hash|number|login|token|state|kind|sha256|method|endpoint|actor|unit_name"
    r"|city|picture|category|session_url|intent_id|media_type|agent|cause|policy|wallet|mode"
    r"|collation|head|previous|reference|owner|signature)$"
)
UNIQUE = (PrimaryKeyConstraint, UniqueConstraint)
LEAST_SHOWN = 12
LONGEST_LINE = 200


def typed_columns() -> Iterator[tuple[str, str]]:
    """Yield the columns of text that people fill in."""
    for table in db.metadata.sorted_tables:
        if table.name.startswith(("ledger", "posting", "seal")):
            continue  # unchangeable, and without words of people
        unique: list[Any] = [one for one in table.indexes if one.unique]
        unique += [one for one in table.constraints if isinstance(one, UNIQUE)]
        kept_apart = {column.name for one in unique for column in one.columns}
        for column in table.columns:
            if column.name in kept_apart or column.unique:
                continue
            kind = column.type
            plain = isinstance(kind, String | Text) and not isinstance(kind, Enum | EncryptedText)
            room = getattr(kind, "length", None) or 100
            if plain and not OURS.search(column.name) and room >= len(MARK.format(999)):
                yield table.name, column.name


def test_markup_in_any_column_is_escaped_on_every_page(shop: Flask) -> None:
    market_day.trade()
    seller = builders.seller()
    people = {
        role: builders.account(role, seller.organisation if role is Role.CLERK else None).login
        for role in (Role.STAFF, Role.AUDITOR, Role.ADMIN, Role.CLERK, Role.HOST)
    }
    builders.offer(builders.lot(builders.product(seller)))
    builders.household(seller)
    columns = list(typed_columns())
    assert len(columns) > 20
    with transaction() as session:
        # As a replica, triggers rest: what somebody did is never changed otherwise.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for number, (table, column) in enumerate(columns):
            mark = MARK.format(number)
            session.execute(text(f'UPDATE "{table}" SET "{column}" = :mark'), {"mark": mark})
    db.session.expire_all()
    shown: set[int] = set()
    in_sheets: list[str] = []
    for login in (None, *people.values()):
        visitor = Visitor(shop, shop.response_class)
        if login:
            visitor.enter(login)
        for path, words in crawl(visitor, most=40):
            as_it_is = re.findall(r"<s>\d+</s>", words)
            if ".xlsx" in path:  # a sheet of text: what the search looks for stands there
                in_sheets += as_it_is
                continue
            assert as_it_is == [], path
            shown |= {int(one) for one in re.findall(r"&lt;s&gt;(\d+)&lt;/s&gt;", words)}
    names = [columns[number] for number in sorted(shown)]
    assert len(shown) >= LEAST_SHOWN, names
    assert in_sheets


def test_nothing_in_the_code_calls_text_safe() -> None:
    called = re.compile(
        r"\|\s*safe\b|\bMarkup\(|autoescape\s+false|autoescape=False|render_template_string"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".html") and "vendor" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if called.search(line)
    ]
    assert found == []


def every_template() -> list[Path]:
    return [page for one in PACKAGES for page in (ROOT / one).glob("**/templates/**/*.html")]


def test_a_template_imports_nothing_that_it_does_not_use() -> None:
    pages = [
        (page, Environment(autoescape=True).parse(page.read_text(encoding="utf-8")))
        for page in every_template()
    ]
    unused = [
        f"{page.relative_to(ROOT)}: {name}"
        for page, tree in pages
        for imports in tree.find_all(nodes.FromImport)
        for name in (one if isinstance(one, str) else one[1] for one in imports.names)
        if name not in {one.name for one in tree.find_all(nodes.Name)}
    ]
    assert pages
    assert unused == []


def test_no_line_of_a_template_is_too_long_to_read_in_a_diff() -> None:
    pages = every_template()
    long = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    assert pages
    assert long == []
