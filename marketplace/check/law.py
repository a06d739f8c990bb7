"""What a law is: a name, a sentence, and statements that count and that look for faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from kernel.db import end_read, snapshot

SHOWN = 10
"""How many faults of one law are named; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Law:
    """One law. `look` returns how many things it counted, and one line for each fault."""

    name: str
    sentence: str
    look: Callable[[Session], tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What looking at one law found; no faults means that it holds."""

    law: Law
    counted: int
    faults: Sequence[str]

    @property
    def holds(self) -> bool:
        """Tell whether nothing was found."""
        return not self.faults


def by_sql(name: str, sentence: str, counted: str, faults: str) -> Law:
    """Return a law of two statements: one number, and one column of text per fault."""

    def look(session: Session) -> tuple[int, list[str]]:
        number = int(session.scalar(text(counted)) or 0)
        return number, [str(fault) for fault in session.scalars(text(faults))]

    return Law(name, sentence, look)


def examine(laws: Sequence[Law]) -> list[Finding]:
    """Look at each of `laws` in the database as it is at one moment.

    Raises RuntimeError inside a transaction: what is not committed is not looked at.
    """
    end_read()
    with snapshot() as session:
        return [Finding(law, *law.look(session)) for law in laws]


def said(finding: Finding) -> str:
    """Return a finding as lines for a terminal."""
    mark = "ok" if finding.holds else "FOUND"
    law = finding.law
    lines = [f"{mark:<6} {law.name:<22} {finding.counted:>8}  {law.sentence}"]
    lines += [f"{'':>6}   - {fault}" for fault in finding.faults[:SHOWN]]
    if len(finding.faults) > SHOWN:
        lines.append(f"{'':>6}   - and {len(finding.faults) - SHOWN} more")
    return "\n".join(lines)
