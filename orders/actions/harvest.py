"""Split a harvest notice among households, and take each household's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel import audit, clock
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.money import apportion
from orders.model import AllocationRun, HarvestNotice, HouseholdQuota, NoticeItem, QuotaState
from sellers.model import Household

FIXED = frozenset({QuotaState.ACCEPTED, QuotaState.DELIVERED})
"""States in which a household counts on its share, so that a new split must leave it alone."""


def lock_item(session: Session, item_id: int) -> NoticeItem:
    """Return the notice item, locked until the transaction ends. Raises NotFound.

    Splitting, entering and allocating one item all wait here for each other. Raises
    Conflict (already_allocated) once it was allocated: nothing of it may change then.
    """
    # NO KEY UPDATE: rows that merely point at the item need not wait.
    item = session.scalar(
        select(NoticeItem)
        .where(NoticeItem.id == item_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if item is None:
        raise NotFound()
    if session.scalar(select(AllocationRun.id).where(AllocationRun.item_id == item_id)):
        raise Conflict(_l("这一项已经分配，不能再改。"), code="already_allocated")
    return item


def propose(
    item: NoticeItem,
    households: Sequence[Household],
    *,
    by_shares: bool = True,
    chosen: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return a split of `item` (household's public id → units, zeros left out).

    What was accepted or delivered stays, and so does what is `chosen`; the rest goes to
    households that have not declined, by their share weight or in equal parts. It is left out
    when nobody can take it, or when more is chosen than there is.
    """
    chosen = chosen or {}
    quotas = {quota.household_id: quota for quota in item.quotas}
    kept = {id_: quota.quantity for id_, quota in quotas.items() if quota.state in FIXED}
    kept |= {one.id: chosen[one.public_id] for one in households if one.public_id in chosen}
    free = [
        one
        for one in households
        if one.id not in kept and (one.id not in quotas or _open(quotas[one.id]))
    ]
    weights = [one.share_weight if by_shares else 1 for one in free]
    if sum(weights) == 0:
        weights = [1] * len(free)
    rest = max(0, item.quantity - sum(kept.values()))
    parts = apportion(rest, weights) if free else []
    split_to = {one.public_id: kept[one.id] for one in households if one.id in kept}
    split_to |= {one.public_id: part for one, part in zip(free, parts, strict=True)}
    return {id_: units for id_, units in {**split_to, **chosen}.items() if units}


def _open(quota: HouseholdQuota) -> bool:
    return quota.state == QuotaState.OFFERED


def split(item_id: int, units: Mapping[str, int]) -> None:
    """Offer an item's units to households (public id → whole units), the whole item at once.

    Raises Invalid when the units do not sum to the item or a household is not the seller's,
    and Conflict when a share that was accepted would change, or the item is allocated.
    """
    with transaction() as session:
        item = lock_item(session, item_id)
        wanted = {id_: number for id_, number in units.items() if number}
        if any(number < 0 for number in wanted.values()) or sum(wanted.values()) != item.quantity:
            raise Invalid(
                _l("各户加起来要正好等于任务的总数。"),
                code="split_does_not_sum",
                expected=item.quantity,
                given=sum(wanted.values()),
            )
        seller_id = session.scalars(
            select(HarvestNotice.seller_id).where(HarvestNotice.id == item.notice_id)
        ).one()
        households = session.scalars(
            select(Household)
            .where(Household.seller_id == seller_id, Household.public_id.in_(wanted))
            .order_by(Household.number)
        ).all()
        if len(households) != len(wanted):
            raise Invalid(_l("只能分给你们自己的农户。"), code="not_your_household")
        _write(session, item, {one.id: wanted[one.public_id] for one in households})


def _write(session: Session, item: NoticeItem, wanted: dict[int, int]) -> None:
    quotas = session.scalars(select(HouseholdQuota).where(HouseholdQuota.item_id == item.id)).all()
    known = {quota.household_id: quota for quota in quotas}
    for household_id, quota in known.items():
        number = wanted.get(household_id, 0)
        if quota.state in FIXED and number != quota.quantity:
            raise Conflict(_l("这一户已经接受了，数量不能再改。"), code="quota_accepted")
        if not number and quota.state == QuotaState.OFFERED:
            session.delete(quota)
    for household_id, number in wanted.items():
        if household_id not in known:
            session.add(HouseholdQuota(item_id=item.id, household_id=household_id, quantity=number))
        elif known[household_id].state not in FIXED:
            again = known[household_id]
            again.quantity, again.state = number, QuotaState.OFFERED
            again.answered_at, again.by_proxy = None, False
    session.flush()
    session.expire(item, ["quotas"])


def answer(
    quota_id: int,
    *,
    accept: bool,
    account_id: int | None,
    by_proxy: bool,
    shown: int | None = None,
) -> HouseholdQuota:
    """Record whether a household takes its share; a declined one is free to be split again.

    `by_proxy` marks that its steward answered for it. The same answer again changes nothing.
    `shown` is the number of units that the household was asked about (None: nobody says).
    Raises NotFound, and Conflict when it was answered otherwise, is another number by now
    (quota_changed), or the item is allocated.
    """
    with transaction() as session:
        its_item = select(HouseholdQuota.item_id).where(HouseholdQuota.id == quota_id)
        lock_item(session, found(session.scalar(its_item)))
        # A new split may have taken it away while we waited.
        asked = select(HouseholdQuota).where(HouseholdQuota.id == quota_id)
        quota = found(session.scalar(asked.execution_options(populate_existing=True)))
        wanted = QuotaState.ACCEPTED if accept else QuotaState.DECLINED
        if quota.state == wanted:
            return quota
        if quota.state != QuotaState.OFFERED:
            raise Conflict(_l("这一户已经答复过了。要改，请合作社重新分。"), code="quota_answered")
        if shown not in (None, quota.quantity):
            raise Conflict(
                _l("任务刚刚重新分过，数量变了。看看现在是多少，再答复。"), code="quota_changed"
            )
        quota.state, quota.answered_at, quota.by_proxy = wanted, clock.now(), by_proxy
        if by_proxy:
            audit.note(
                Act.QUOTA_ANSWERED_BY_PROXY,
                f"quota:{quota.public_id}",
                account_id=account_id,
                reason=wanted.value,
            )
    return quota
