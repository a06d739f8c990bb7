"""How a settlement reaches households: pure rules over amounts, yields and benefit plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.money import Money, apportion_next, total

WHOLE = 10_000
"""All of an income, in basis points."""
NOTHING = Money(0)


@dataclass(frozen=True, slots=True)
class Member:
    """A household as the rules see it."""

    household_id: int
    share_weight: int
    is_registered: bool


@dataclass(frozen=True, slots=True)
class Sold:
    """What one lot brought: units and income, and who delivered how much of it.

    Units that the seller entered as a whole are under the key None. `units_before` and
    `income_before` are what was shared out of the lot earlier.
    """

    units: int
    income: Money
    delivered: Mapping[int | None, int] = field(default_factory=dict)
    units_before: int = 0
    income_before: Money = NOTHING


@dataclass(frozen=True, slots=True)
class Share:
    """What one household gets by one kind of plan."""

    household_id: int
    kind: str
    units: int
    amount: Money


class PlansExceedIncome(Exception):
    """The plans together promise more than the whole income: a fault in the seller's data."""


def shares(
    plans: Mapping[str, int], sold: Sequence[Sold], members: Sequence[Member]
) -> list[Share]:
    """Return what each household gets by `plans` (kind → basis points of the income).

    The income is divided once, into a pool for each plan and what the seller keeps, so that the
    pools never come to more than it. Every pool is divided to the last fen among those whom its
    plan reaches, evenly with what was shared earlier, so that many small settlements favour
    nobody; a plan that reaches nobody leaves it with the seller. Raises PlansExceedIncome.
    """
    kinds = sorted(plans)
    kept = WHOLE - sum(plans.values())
    if kept < 0:
        raise PlansExceedIncome
    income = total(one.income for one in sold)
    income_before = total(one.income_before for one in sold)
    pools = income.split([*(plans[kind] for kind in kinds), kept])
    made: list[Share] = []
    for kind, pool in zip(kinds, pools, strict=False):
        if kind == "delivery":
            made += _by_delivery(sold, pool, plans[kind])
        elif kind in ("second", "shares"):
            reached = [one for one in members if one.is_registered or kind == "shares"]
            made += _by_weight(kind, pool, income_before.percent(plans[kind]), reached)
    return [share for share in made if share.amount]


def per_unit(plans: Mapping[str, int], price: Money) -> Money:
    """Return what a household is told it gets for one sale unit that it delivers, in whole fen.

    `plans` are as in `shares`, `price` is what one unit brings. Only what is paid by delivery
    counts: what is shared otherwise is not known before the settlement. Zero when no plan
    pays by delivery.
    """
    return price.percent(plans.get("delivery", 0))


def _by_delivery(sold: Sequence[Sold], pool: Money, basis_points: int) -> list[Share]:
    """Divide the pool among the lots by what each brought, and each part by who delivered."""
    units: dict[int, int] = {}
    amounts: dict[int, Money] = {}
    if not pool:
        return []
    for one, part in zip(sold, pool.split([one.income.fen for one in sold]), strict=True):
        who, weights = list(one.delivered), list(one.delivered.values())
        if not sum(weights):
            continue
        part_before = one.income_before.percent(basis_points)
        counted = apportion_next(one.units_before, one.units, weights)
        paid = apportion_next(part_before.fen, part.fen, weights)
        for household_id, number, fen in zip(who, counted, paid, strict=True):
            if household_id is not None:
                units[household_id] = units.get(household_id, 0) + number
                amounts[household_id] = amounts.get(household_id, Money(0)) + Money(fen)
    return [Share(id_, "delivery", units[id_], amounts[id_]) for id_ in sorted(amounts)]


def _by_weight(kind: str, pool: Money, before: Money, reached: Sequence[Member]) -> list[Share]:
    weights = [one.share_weight for one in reached]
    if not sum(weights):
        return []
    parts = apportion_next(before.fen, pool.fen, weights)
    return [
        Share(one.household_id, kind, 0, Money(part))
        for one, part in zip(reached, parts, strict=True)
    ]
