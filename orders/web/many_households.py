"""What a notice's page shows of households when there are hundreds: those one asks for by number.

A few stand on the page one by one. Of many, the split is worked out for all, whoever is to get
another number is found and typed, and tasks come page by page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask_babel import gettext as _

from kernel.errors import Invalid
from kernel.paging import Page, decode, page_of
from kernel.text import plain
from orders.actions.harvest import propose
from orders.model import HouseholdQuota, QuotaState
from orders.queries.notices import ItemView
from sellers.model import Household
from sellers.model.household import as_said

FEW = 60
"""Up to so many households, all of them stand on the page."""
TASKS_AT_ONCE = 50
LONGEST_ASKED = 300
"""Characters of the numbers that one asks for at once; the field takes no more."""

T = TypeVar("T")


@dataclass(frozen=True)
class Split:
    """How an item may be split: what each household would get, and which of them stand there."""

    proposal: Mapping[str, int]
    shown: Sequence[Household]
    is_long: bool
    unknown: Sequence[str]


@dataclass(frozen=True)
class Tasks:
    """Some of the households' tasks, those without an answer first."""

    page: Page[HouseholdQuota]
    is_long: bool
    silent: int
    unknown: Sequence[str]


def split_of(
    view: ItemView, households: Sequence[Household], asked: str, *, by_shares: bool
) -> Split | None:
    """Return how an item may be split, with the households `asked` for; None: nothing to split."""
    if view.to_split <= 0 or view.run is not None or not households:
        return None
    proposal = propose(view.item, households, by_shares=by_shares)
    if len(households) <= FEW:
        return Split(proposal, households, False, ())
    shown, unknown = _Numbered(households, lambda one: one.number).found(asked)
    return Split(proposal, shown, True, unknown)


def tasks_of(view: ItemView, asked: str, cursor: str | None) -> Tasks:
    """Return a page of an item's tasks, or those of the households `asked` for by number.

    Raises Invalid for a cursor that leads nowhere.
    """
    silent = {one.id for one in view.quotas if one.state is QuotaState.OFFERED}
    is_long = len(view.quotas) > FEW
    size = TASKS_AT_ONCE if is_long else FEW
    if is_long and asked.strip():
        shown, unknown = _Numbered(view.quotas, lambda one: one.household.number).found(asked)
        return Tasks(Page(shown, None), is_long, len(silent), unknown)

    def key(one: HouseholdQuota) -> tuple[int, int]:
        return 1 if one.id in silent else 2, one.id

    after = decode(cursor, int, int) if cursor else (0, 0)
    rest = sorted((one for one in view.quotas if key(one) > after), key=key)
    return Tasks(page_of(rest[: size + 1], size, key), is_long, len(silent), ())


def household_of(quotas: Collection[HouseholdQuota], named: str) -> HouseholdQuota | None:
    """Return the task of the household that a form names: by its id, or by its number.

    Raises Invalid (number_unclear) for a short number that several of them have.
    """
    by_id = {one.household.public_id: one for one in quotas}
    if named in by_id:
        return by_id[named]
    meant = _Numbered(quotas, lambda one: one.household.number).called(named)
    if len(meant) > 1:
        raise Invalid(_("有几户可以这样写，把户号照名册写全。"), code="number_unclear")
    return meant[0] if meant else None


class _Numbered(Generic[T]):
    """Things of households, by their numbers as they are written and as people say them."""

    def __init__(self, among: Collection[T], number_of: Callable[[T], str]) -> None:
        self._written: dict[str, list[T]] = {}
        self._said: dict[str, list[T]] = {}
        for one in among:
            number = _alike(number_of(one))
            self._written.setdefault(number, []).append(one)
            self._said.setdefault(as_said(number), []).append(one)

    def called(self, number: str) -> list[T]:
        """Return what has this number; where nothing has, all that may be called so."""
        return self._written.get(_alike(number)) or self._said.get(as_said(number), [])

    def found(self, asked: str) -> tuple[list[T], list[str]]:
        """Return what stands under the numbers in `asked`, each once, and the numbers of nobody."""
        numbers = dict.fromkeys(re.findall(r"[^\s,，、;；]+", asked[:LONGEST_ASKED]))
        meant = {one: self.called(one) for one in numbers}
        shown = {id(one): one for called in meant.values() for one in called}
        return list(shown.values()), [one for one, called in meant.items() if not called]


def _alike(number: str) -> str:
    return plain(number).casefold()
