"""The declared table of who may what: docs/access.md, which people read and this reads, too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kernel.identity import Role

DOCUMENT = Path(__file__).parents[2] / "docs" / "access.md"
WORDS = frozenset({"—", "yes", "own", "all", "signed"})
SECOND_FACTOR = " +2"


@dataclass(frozen=True)
class Cell:
    """What one role may at one endpoint."""

    word: str
    with_factor: bool = False

    @property
    def enters(self) -> bool:
        """Whether the role is let in at all."""
        return self.word != "—"


Table = dict[str, dict[Role, Cell]]
"""`METHOD /path` → role → cell."""


def declared() -> Table:
    """Read the table. Raises ValueError for a row that is there twice or has a strange word."""
    table: Table = {}
    roles: list[Role] = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            roles = []
            continue
        endpoint, *words = (part.strip() for part in line.strip("|").split("|"))
        if endpoint == "endpoint":
            roles = [Role(word) for word in words]
            continue
        if not roles or endpoint.startswith("---"):
            continue
        row = endpoint.strip("`")
        if row in table:
            raise ValueError(f"{row} stands in the table twice")
        table[row] = {role: _cell(row, word) for role, word in zip(roles, words, strict=True)}
    return table


def _cell(row: str, text: str) -> Cell:
    word = text.removesuffix(SECOND_FACTOR)
    if word not in WORDS:
        raise ValueError(f"{row}: what is {text!r}?")
    return Cell(word, with_factor=text.endswith(SECOND_FACTOR))
