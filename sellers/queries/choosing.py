"""Rows among which somebody chooses in a form, where there are too many to show all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select

from kernel.db import db
from sellers.model import Lot, Offer

T = TypeVar("T")
Read = TypeVar("Read")
MAX_CHOICES = 60


@dataclass(frozen=True, slots=True)
class Choices(Generic[T]):
    """First what was chosen already, then what answers a search, the newest first.

    `found` of `rows` answer the search; `more` tells that others answer it as well.
    """

    rows: Sequence[T]
    found: int
    more: bool

    def each(self, read: Callable[[T], Read]) -> Choices[Read]:
        """Return the same choices, each as `read` makes it."""
        return Choices([read(row) for row in self.rows], self.found, self.more)


def choose(
    query: Select[Any], of: type[Lot | Offer], answers: ColumnElement[bool], chosen: Collection[str]
) -> Choices[Row[Any]]:
    """Return what `query` holds `of` and answers, 60 at most, after the `chosen` public ids."""
    stays = of.public_id.in_(chosen)
    most = MAX_CHOICES + len(chosen)
    rows = db.session.execute(
        query.add_columns(answers.label("answers"))
        .where(answers | stays)
        .order_by(stays.desc(), of.id.desc())
        .limit(most + 1)
    ).all()
    shown = rows[:most]
    return Choices(shown, sum(row.answers for row in shown), len(rows) > most)
