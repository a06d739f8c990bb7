"""Who may what: every cell of docs/access.md, asked of the running application.

For each role and endpoint: one's own thing, somebody else's, and one that does not exist. The
table is declared by hand and says nothing of how the application decides; what the URL map has
and the table has not fails, and so does the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import true
from werkzeug.test import TestResponse

from kernel.identity import Role
from orders.queries import mine
from tests.access.addresses import filled, kinds_of, nothing
from tests.access.ground import Ground
from tests.access.lists import LISTS, LOTS_TO_CHOOSE
from tests.access.table import Cell, Table, declared
from tests.access.world import ALL_ROLES, World, rows_of

pytestmark = pytest.mark.xdist_group("two-sides")

BUSY = ("GET /pay/<public_id>", "GET /pay/<public_id>/back")
"""No payment service answers here; that it was asked shows that the caller was let in."""
ENDS_AT_THE_DOOR = ("POST /me/sign-out-everywhere",)
"""Whoever signed out is led to the sign-in page."""
BY_SIGNATURE = ("POST /api/v1/cabinets/<code>/events", "POST /webhooks/stripe")
"""Whoever signs enters, and nobody else, whoever is signed in."""
ASKS_FOR_FACTOR = (b"second_factor_needed", b'action="/me/security/')
ABOUT_THE_BODY = (409, 422)
OUTSIDE = (Role.VISITOR, Role.DEVICE)
"""Who has no account: they are asked to sign in, where others are refused."""
OUTSIDERS = (*OUTSIDE, Role.CONSUMER)
"""Who learns most from a difference between what is not theirs and what is not."""
BUYERS = (Role.VISITOR, Role.CONSUMER, Role.OFFICIAL)
"""Who is shown every stranger: another buyer, another guest, a colleague."""


def what_came(row: str, answer: TestResponse) -> str:
    """Name an answer as the table does: in, sign in, refused, no such thing."""
    status, to = answer.status_code, answer.headers.get("Location", "")
    if row in BY_SIGNATURE and status in (400, 401):
        return "unsigned"
    if status == 401 or to.startswith("/sign-in"):
        return "sign in"
    if status < 400 or status in ABOUT_THE_BODY or (status == 503 and row in BUSY):
        return "in"
    if status == 403 and any(sign in answer.data for sign in ASKS_FOR_FACTOR):
        return "factor"
    return {403: "refused", 404: "no such thing"}.get(status, f"{status} {answer.text[-90:]}")


def refusal(row: str, role: Role) -> str:
    """How a role that may not enter is told so."""
    if row in BY_SIGNATURE:
        return "unsigned"
    return "sign in" if role in OUTSIDE else "refused"


SEES_ALL = (Role.STAFF, Role.AUDITOR, Role.ADMIN)
"""Who oversees both sides."""


class Walk:
    """One role's walk through the table; what differs from it is collected."""

    def __init__(self, world: World, ground: Ground, table: Table, role: Role) -> None:
        self.world, self.ground, self.table, self.role = world, ground, table, role
        self.faults: list[str] = []
        self.cells = 0
        self.for_everybody = {
            row
            for row, cells in table.items()
            if row.startswith("GET ") and {cell.word for cell in cells.values()} == {"all"}
        }

    def cell(self, row: str, cell: Cell) -> None:
        """Ask for one's own, for somebody else's and for nothing."""
        kinds = kinds_of(row)
        own = [self.world.own(self.role, kind) for kind in kinds]
        mine = [one for one in own if one is not None]
        if len(mine) == len(kinds):
            self._ask(row, "own", mine, "in" if cell.enters else refusal(row, self.role))
        if not kinds:
            if cell.word == "own" and not row.startswith("GET "):
                self._ask(row, "somebody else's in the body", [], "no such thing", theirs=True)
            return
        missing = (
            "no such thing" if cell.enters and cell.word != "signed" else refusal(row, self.role)
        )
        elsewhere = "in" if cell.word == "all" else missing
        if row in self.for_everybody and self.role is not Role.VISITOR:
            return  # open to all: nobody's name changes what there is
        if cell.enters or self.role in OUTSIDERS:
            self._ask(row, "none", [nothing(kind) for kind in kinds], missing)
        if not cell.enters:
            return  # refused at the door, before anybody looked whose it is
        strangers = self._strangers(kinds)
        for stranger in strangers if self.role in BUYERS else strangers[:1]:
            self._ask(row, "somebody else's", stranger, elsewhere, theirs=True)
        if len(mine) == 2 and "." in kinds[1]:
            for other in self.world.others(kinds[1]):
                self._ask(row, "somebody else's in one's own", [mine[0], other], missing)

    def _strangers(self, kinds: list[str]) -> list[list[str]]:
        if len(kinds) == 1:
            return [[one] for one in self.world.others(kinds[0])]
        whole = [self.world.others(kind)[:1] for kind in kinds]
        return [[one for [one] in whole]] if all(whole) else []

    def _ask(
        self, row: str, whose: str, names: list[str], wanted: str, *, theirs: bool = False
    ) -> None:
        """Ask, and keep what differs: the answer, or what it changed although it was refused."""
        self.cells += 1
        asker = self.world.askers[self.role]
        path = filled(row.split()[1], names)
        answer = asker.ask(row, path, self.world.body(row, self.role, theirs=theirs))
        came = what_came(row, answer)
        said = f"{self.role} {row} ({whose}):"
        reads, enters = row.startswith("GET "), self.table[row][self.role].enters
        changed = [] if reads or not enters else self.ground.changed()
        if row in ENDS_AT_THE_DOOR and "account" in changed:
            came = "in"
        if came != wanted:
            self.faults.append(f"{said} {came}, not {wanted} [{path}]")
        elif reads and whose == "own" and came == "in":
            text = answer.data.decode(errors="replace")
            self.faults += [f"{said} {fault}" for fault in self._reading(row, text)]
        if wanted != "in":
            self.untouched(said, changed)
        self.ground.restore(changed)

    def untouched(self, said: str, changed: list[str]) -> None:
        """Hold that what was refused changed nothing."""
        if changed:
            self.faults.append(f"{said} refused, and yet changed {', '.join(changed)}")

    def _reading(self, row: str, text: str) -> Iterator[str]:
        """Say what is wrong with a page or an answer that is for oneself alone, or for all."""
        word = self.table[row][self.role].word
        if word == "all":
            theirs = self.world.others(LISTS[row]) if row in LISTS else []
            if theirs and not any(one in text for one in theirs):
                yield "nothing of the other side, where all should stand"
        elif word == "own" or self.role not in SEES_ALL:
            for secret in self.world.secrets:
                if secret in text and not (
                    row in LOTS_TO_CHOOSE and secret == self.world.there.things["lot"]
                ):
                    yield f"{secret} of the other side"
        if row in LISTS and word in ("own", "all"):
            own = self.world.own(self.role, LISTS[row])
            if own is None or own not in text:
                yield f"no {LISTS[row]} of one's own ({own})"


@pytest.fixture(scope="module")
def table() -> Table:
    """The declared table."""
    return declared()


def test_the_table_names_every_endpoint_and_no_other(world: World, table: Table) -> None:
    there = rows_of(world.app)
    assert there - table.keys() == set(), "not in docs/access.md"
    assert table.keys() - there == set(), "in docs/access.md, but nowhere else"
    assert all(set(cells) == set(ALL_ROLES) for cells in table.values())


@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_role_may_what_the_table_says_and_no_more(
    role: Role, world: World, ground: Ground, table: Table, asked: Flask
) -> None:
    walk = Walk(world, ground, table, role)
    cells = {row: columns[role] for row, columns in table.items()}
    reads = [row for row in cells if row.startswith("GET ")]
    writes = cells.keys() - set(reads)
    for row in reads:
        walk.cell(row, cells[row])
    ground.restore(ground.changed())
    for row in sorted(row for row in writes if not cells[row].enters):
        walk.cell(row, cells[row])
    walk.untouched(f"{role} was", ground.changed())
    for row in sorted(row for row in writes if cells[row].enters):
        walk.cell(row, cells[row])
    assert walk.faults == [], f"{len(walk.faults)} of {walk.cells}\n" + "\n".join(walk.faults)


def test_staff_move_no_money_without_their_second_factor(
    world: World, ground: Ground, table: Table, asked: Flask
) -> None:
    asker = world.staff_without_factor
    assert asker is not None
    rows = [row for row, cells in table.items() if cells[Role.STAFF].with_factor]
    came = {}
    for row in rows:
        names = [str(world.own(Role.STAFF, kind)) for kind in kinds_of(row)]
        path = filled(row.split()[1], names)
        came[row] = what_came(row, asker.ask(row, path, world.body(row, Role.STAFF)))
    changed = ground.changed()
    ground.restore(changed)
    assert changed == []
    assert {row: word for row, word in came.items() if word != "factor"} == {}
    assert rows


def test_a_query_that_forgets_who_asks_is_found(
    world: World,
    ground: Ground,
    table: Table,
    asked: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mine, "owned_by", lambda _who: true())
    walk = Walk(world, ground, table, Role.CONSUMER)
    for row in ("GET /orders/<number>", "GET /orders", "POST /cart/again/<number>"):
        walk.cell(row, table[row][Role.CONSUMER])
    found = " ".join(walk.faults)
    assert "GET /orders/<number> (somebody else's): in, not no such thing" in found
    assert "GET /orders (own)" in found
    assert "POST /cart/again/<number> (somebody else's): in, not no such thing" in found
