"""What a notice's page shows of households when there are hundreds: those one asks for by number.

A few stand on the page one by one. Of many, the split is worked out for all, whoever is to get
another number is found and typed, and tasks come page by page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kernel.paging import Page, decode, page_of
from kernel.text import plain
from orders.actions.harvest import propose
from orders.model import HouseholdQuota, QuotaState
from orders.queries.notices import ItemView
from sellers.model import Household

FEW = 60
"""Up to so many households, all of them stand on the page."""
TASKS_AT_ONCE = 50

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
    by_number = {_bare(one.number): one for one in households}
    shown, unknown = _found(by_number, asked)
    return Split(proposal, shown, True, unknown)


def tasks_of(view: ItemView, asked: str, cursor: str | None) -> Tasks:
    """Return a page of an item's tasks, or those of the households `asked` for by number.

    Raises Invalid for a cursor that leads nowhere.
    """
    silent = {one.id for one in view.quotas if one.state is QuotaState.OFFERED}
    is_long = len(view.quotas) > FEW
    size = TASKS_AT_ONCE if is_long else FEW
    if is_long and asked.strip():
        by_number = {_bare(one.household.number): one for one in view.quotas}
        shown, unknown = _found(by_number, asked)
        return Tasks(Page(shown, None), is_long, len(silent), unknown)

    def key(one: HouseholdQuota) -> tuple[int, int]:
        return 1 if one.id in silent else 2, one.id

    after = decode(cursor, int, int) if cursor else (0, 0)
    rest = sorted((one for one in view.quotas if key(one) > after), key=key)
    return Tasks(page_of(rest[: size + 1], size, key), is_long, len(silent), ())


def household_of(quotas: Collection[HouseholdQuota], named: str) -> HouseholdQuota | None:
    """Return the task of the household that a form names: by its id, or by its number."""
    for quota in quotas:
        if quota.household.public_id == named or _bare(quota.household.number) == _bare(named):
            return quota
    return None


def _found(by_number: Mapping[str, T], asked: str) -> tuple[list[T], list[str]]:
    """Return what stands under the numbers in `asked`, each once, and the numbers of nobody."""
    numbers = list(dict.fromkeys(re.findall(r"[^\s,，、;；]+", asked)))[:FEW]
    known = {_bare(one): by_number[_bare(one)] for one in numbers if _bare(one) in by_number}
    return list(known.values()), [one for one in numbers if _bare(one) not in by_number]


def _bare(number: str) -> str:
    """Return a number as people say it: 17 for 017."""
    return plain(number).casefold().lstrip("0")
