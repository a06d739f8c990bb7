"""Who belongs to a buying unit: joining by a link, the staff list, the coordinator's approval."""

from __future__ import annotations

import re

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from kernel import audit
from kernel.access import found
from kernel.audit import Act
from kernel.db import transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.identity import Membership, MembershipState, Role, end_membership
from orders.actions.group_orders import GroupOrderClosed, withdraw_needs
from orders.model import BuyingUnit, GroupOrder, GroupOrderState, StaffListEntry

_STAFF_NUMBER = re.compile(r"^[0-9A-Za-z-]{1,10}$")


def join(account_id: int, join_code: str, *, staff_number: str, department: str) -> Membership:
    """Make the account a member of the unit whose group order has this join code.

    A number on the unit's staff list that nobody else holds, or being its coordinator,
    makes the membership active; otherwise it is pending until the coordinator approves.
    An active membership is returned as it is. Raises NotFound, GroupOrderClosed, Invalid.
    """
    with transaction() as session:
        group = found(session.scalar(select(GroupOrder).where(GroupOrder.join_code == join_code)))
        _lock_unit(session, group.unit_id)
        kept = _of(session, account_id, group.unit_id, Role.OFFICIAL)
        if kept and kept.state is MembershipState.ACTIVE:
            return kept
        if group.state is not GroupOrderState.OPEN:
            raise GroupOrderClosed()
        number, department = _checked(staff_number, department)
        if kept is None:
            kept = Membership(
                account_id=account_id, role=Role.OFFICIAL, organisation_id=group.unit_id
            )
            session.add(kept)
        listed = _listed(session, group.unit_id, number, account_id)
        leads = _of(session, account_id, group.unit_id, Role.COORDINATOR)
        trusted = listed is not None or (
            leads is not None and leads.state is MembershipState.ACTIVE
        )
        kept.state = MembershipState.ACTIVE if trusted else MembershipState.PENDING
        kept.staff_number = number
        kept.department = (listed.department if listed else "") or department
        session.flush()
    return kept


def approve(unit_id: int, membership_id: int) -> Membership:
    """Make a pending member of the unit active. Raises NotFound; Conflict if not pending."""
    return _answer(unit_id, membership_id, MembershipState.ACTIVE)


def decline(unit_id: int, membership_id: int) -> Membership:
    """Turn a pending member away. Raises NotFound; Conflict if not pending."""
    return _answer(unit_id, membership_id, MembershipState.ENDED)


def dismiss(unit_id: int, membership_id: int, *, by: int) -> Membership:
    """End a colleague's membership on the word of the coordinator `by`. Raises NotFound."""
    with transaction() as session:
        kept = found(session.get(Membership, membership_id))
        if kept.organisation_id != unit_id or kept.role is not Role.OFFICIAL:
            raise NotFound()
        end(unit_id, kept.account_id)
        reason = f"{Role.OFFICIAL} {found(kept.organisation).code}"
        subject = f"account:{kept.account.public_id}"
        audit.note(Act.ROLE_ENDED, subject, account_id=by, reason=reason)
        session.refresh(kept)
    return kept


def end(unit_id: int, account_id: int) -> None:
    """End an official's membership: nobody who left the unit orders in its name, or is charged.

    What it needs in open group orders is withdrawn, and its number leaves the staff list, or the
    unit's link would let it in again. Raises NotFound.
    """
    with transaction() as session:
        _lock_unit(session, unit_id)
        kept = found(_of(session, account_id, unit_id, Role.OFFICIAL))
        end_membership(account_id, Role.OFFICIAL, unit_id)
        session.execute(
            delete(StaffListEntry).where(
                StaffListEntry.unit_id == unit_id, StaffListEntry.staff_number == kept.staff_number
            )
        )
        withdraw_needs(unit_id, account_id)


class ListShrinks(Conflict):
    """The new staff list is less than half of the old one, or empty; whoever is sure may do it."""

    code = "staff_list_shrinks"


def set_staff_list(unit_id: int, text: str, *, sure: int | None = None) -> int:
    """Replace the unit's staff list by lines of 'number department' and return their number.

    Pending members whose number is now listed become active. Raises Invalid, naming the first
    line that cannot be read or repeats a number, and ListShrinks for a list that loses more
    than half of its people, unless `sure` says how many are left.
    """
    listed = _read_list(text)
    with transaction() as session:
        _lock_unit(session, unit_id)
        before = session.scalars(select(StaffListEntry).where(StaffListEntry.unit_id == unit_id))
        kept = {entry.staff_number: entry for entry in before}
        if sure != len(listed) and len(listed) * 2 < len(kept):
            raise ListShrinks(
                _l(
                    "名单原有 %(before)s 人，这样存只剩 %(after)s 人。确定就再存一次。",
                    before=len(kept),
                    after=len(listed),
                ),
                after=len(listed),
            )
        for number, entry in kept.items():
            if number not in listed:
                session.delete(entry)
        for number, department in listed.items():
            if number in kept:
                kept[number].department = department
            else:
                session.add(
                    StaffListEntry(unit_id=unit_id, staff_number=number, department=department)
                )
        session.flush()
        _let_in_who_is_listed(session, unit_id)
    return len(listed)


def _let_in_who_is_listed(session: Session, unit_id: int) -> None:
    """Make pending members active whose number is on the list now."""
    waiting = session.scalars(
        select(Membership)
        .where(
            Membership.organisation_id == unit_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.PENDING,
        )
        .order_by(Membership.id)
        .with_for_update()
    ).all()
    for membership in waiting:
        entry_found = _listed(session, unit_id, membership.staff_number, membership.account_id)
        if entry_found is not None:
            membership.state = MembershipState.ACTIVE
            membership.department = entry_found.department or membership.department
            session.flush()


def _read_list(text: str) -> dict[str, str]:
    """Return number → department of the lines of a staff list. Raises Invalid."""
    listed: dict[str, str] = {}
    for at, line in enumerate(text.split("\n"), start=1):
        number, _, department = line.strip().replace(",", " ").replace("，", " ").partition(" ")
        if not number:
            continue
        if not _STAFF_NUMBER.match(number) or len(department.strip()) > 40:
            raise Invalid(
                fields={"staff_list": _l("第 %(line)d 行读不懂：先写工号，空一格写科室。", line=at)}
            )
        if number in listed:
            twice = _l("第 %(line)d 行的工号 %(n)s 前面写过了。一人一行。", line=at, n=number)
            raise Invalid(fields={"staff_list": twice})
        listed[number] = department.strip()
    return listed


def _lock_unit(session: Session, unit_id: int) -> None:
    """Let everybody who changes who belongs to a unit follow each other: before all other locks."""
    session.execute(
        select(BuyingUnit.id).where(BuyingUnit.id == unit_id).with_for_update(key_share=True)
    )


def _of(session: Session, account_id: int, unit_id: int, role: Role) -> Membership | None:
    return session.scalar(
        select(Membership)
        .where(
            Membership.account_id == account_id,
            Membership.organisation_id == unit_id,
            Membership.role == role,
        )
        .with_for_update()
    )


def _listed(session: Session, unit_id: int, number: str, account_id: int) -> StaffListEntry | None:
    """Return the entry of a listed number that no other active member holds, locked."""
    entry = session.scalar(
        select(StaffListEntry)
        .where(StaffListEntry.unit_id == unit_id, StaffListEntry.staff_number == number)
        .with_for_update()
    )
    taken = session.scalar(
        select(Membership.id).where(
            Membership.organisation_id == unit_id,
            Membership.role == Role.OFFICIAL,
            Membership.state == MembershipState.ACTIVE,
            Membership.staff_number == number,
            Membership.account_id != account_id,
        )
    )
    return None if taken else entry


def _checked(staff_number: str, department: str) -> tuple[str, str]:
    number, department = staff_number.strip(), department.strip()
    fields = {}
    if not _STAFF_NUMBER.match(number):
        fields["staff_number"] = _l("填工号，最多 10 个字母或数字，例如 0231。")
    if not 0 < len(department) <= 40:
        fields["department"] = _l("填你的科室，例如 办公室。")
    if fields:
        raise Invalid(fields=fields)
    return number, department


def _answer(unit_id: int, membership_id: int, state: MembershipState) -> Membership:
    with transaction() as session:
        kept = found(
            session.scalar(
                select(Membership)
                .where(
                    Membership.id == membership_id,
                    Membership.organisation_id == unit_id,
                    Membership.role == Role.OFFICIAL,
                )
                .with_for_update()
                .execution_options(populate_existing=True)
            )
        )
        if kept.state is not MembershipState.PENDING:
            raise Conflict(_l("这位同事已经处理过了。刷新后再看。"), code="membership_answered")
        kept.state = state
    return kept
