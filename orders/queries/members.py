"""Who belongs to a buying unit, and which units there are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from kernel.db import db
from kernel.identity import Membership, MembershipState, Role
from orders.model import BuyingUnit, GroupOrder, GroupOrderState, StaffListEntry


def members(unit_id: int) -> list[Membership]:
    """Return the unit's members, those who wait first."""
    return list(
        db.session.scalars(
            select(Membership)
            .where(
                Membership.organisation_id == unit_id,
                Membership.role == Role.OFFICIAL,
                Membership.state != MembershipState.ENDED,
            )
            .order_by(
                (Membership.state == MembershipState.PENDING).desc(),
                Membership.department,
                Membership.staff_number,
                Membership.id,
            )
        )
    )


def staff_list(unit_id: int) -> list[StaffListEntry]:
    """Return the unit's staff list by department and number."""
    return list(
        db.session.scalars(
            select(StaffListEntry)
            .where(StaffListEntry.unit_id == unit_id)
            .order_by(StaffListEntry.department, StaffListEntry.staff_number)
        )
    )


def membership_in(unit_id: int, account_id: int | None) -> Membership | None:
    """Return the account's membership as an official of the unit, whatever its state, or None."""
    return db.session.scalar(
        select(Membership).where(
            Membership.organisation_id == unit_id,
            Membership.account_id == account_id,
            Membership.role == Role.OFFICIAL,
        )
    )


def waited_for(account_id: int) -> list[tuple[BuyingUnit, str | None]]:
    """Return the units whose coordinator has not let the account in yet, with a join code each.

    The code is of the unit's newest open group order, None where none is open.
    """
    newest = (
        select(GroupOrder.join_code)
        .where(GroupOrder.unit_id == BuyingUnit.id, GroupOrder.state == GroupOrderState.OPEN)
        .order_by(GroupOrder.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(BuyingUnit, newest)
        .join(Membership, Membership.organisation_id == BuyingUnit.id)
        .where(
            Membership.account_id == account_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.PENDING,
        )
        .order_by(Membership.id)
    ).all()
    return [(unit, code) for unit, code in rows]


def units_of(ids: Sequence[int]) -> list[BuyingUnit]:
    """Return the buying units among these organisations."""
    return list(
        db.session.scalars(select(BuyingUnit).where(BuyingUnit.id.in_(ids)).order_by(BuyingUnit.id))
    )


def waiting(unit_id: int) -> int:
    """Return how many people wait for the coordinator's approval."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(Membership)
            .where(
                Membership.organisation_id == unit_id,
                Membership.role == Role.OFFICIAL,
                Membership.state == MembershipState.PENDING,
            )
        )
        or 0
    )
