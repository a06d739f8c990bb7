"""How a settlement reaches households: pure rules over amounts, yields and benefit plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.money import Money, apportion

WHOLE = 10_000
"""All of an income, in basis points."""


@dataclass(frozen=True, slots=True)
class Member:
    """A household as the rules see it."""

    household_id: int
    share_weight: int
    is_registered: bool


@dataclass(frozen=True, slots=True)
class Sold:
    """What one lot brought: units and income, and who delivered how much of it.

    Units that the seller entered as a whole are under the key None.
    """

    units: int
    income: Money
    delivered: Mapping[int | None, int] = field(default_factory=dict)


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
    plan reaches; a plan that reaches nobody leaves it with the seller. Raises PlansExceedIncome.
    """
    kinds = sorted(plans)
    kept = WHOLE - sum(plans.values())
    if kept < 0:
        raise PlansExceedIncome
    income = Money(sum(one.income.fen for one in sold))
    pools = income.split([*(plans[kind] for kind in kinds), kept])
    made: list[Share] = []
    for kind, pool in zip(kinds, pools, strict=False):
        if kind == "delivery":
            made += _by_delivery(sold, pool)
        elif kind == "second":
            made += _by_weight(kind, pool, [one for one in members if one.is_registered])
        elif kind == "shares":
            made += _by_weight(kind, pool, members)
    return [share for share in made if share.amount]


def per_unit(plans: Mapping[str, int], price: Money) -> Money:
    """Return what a household is told it gets for one sale unit that it delivers, in whole fen.

    `plans` are as in `shares`, `price` is what one unit brings. Only what is paid by delivery
    counts: what is shared otherwise is not known before the settlement. Zero when no plan
    pays by delivery.
    """
    return price.percent(plans.get("delivery", 0))


def _by_delivery(sold: Sequence[Sold], pool: Money) -> list[Share]:
    """Divide the pool among the lots by what each brought, and each part by who delivered."""
    units: dict[int, int] = {}
    amounts: dict[int, Money] = {}
    if not pool:
        return []
    for one, part in zip(sold, pool.split([one.income.fen for one in sold]), strict=True):
        who, weights = list(one.delivered), list(one.delivered.values())
        if not sum(weights):
            continue
        counted = apportion(one.units, weights)
        paid = part.split(weights)
        for household_id, number, amount in zip(who, counted, paid, strict=True):
            if household_id is not None:
                units[household_id] = units.get(household_id, 0) + number
                amounts[household_id] = amounts.get(household_id, Money(0)) + amount
    return [Share(id_, "delivery", units[id_], amounts[id_]) for id_ in sorted(amounts)]


def _by_weight(kind: str, pool: Money, reached: Sequence[Member]) -> list[Share]:
    weights = [one.share_weight for one in reached]
    if not sum(weights):
        return []
    parts = pool.split(weights)
    return [
        Share(one.household_id, kind, 0, part) for one, part in zip(reached, parts, strict=True)
    ]
