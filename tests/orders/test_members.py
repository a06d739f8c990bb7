"""Joining a buying unit: the link alone is not enough."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from kernel import clock
from kernel.audit import Act, AuditEntry
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.identity import Account, Membership, MembershipState, Role
from orders.actions import group_orders, members
from orders.actions.closing import close_group_order
from orders.actions.group_orders import NotAMember, set_needs
from orders.actions.members import approve, decline, end, join, set_staff_list
from orders.model import (
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PayMode,
    RoundLeg,
    StaffListEntry,
)
from orders.payments.terms import HOLD
from tests import builders
from tests.laws import assert_laws_hold
from tests.locks import start_and_wait
from tests.orders.fairs import fair, promised
from tests.orders.programs import Program
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def state_of(membership: Membership) -> MembershipState:
    db.session.expire_all()
    return db.session.get_one(Membership, membership.id).state


def test_a_link_alone_makes_a_pending_member_who_cannot_register() -> None:
    at = fair()
    person = builders.account()
    made = join(person.id, at.group.join_code, staff_number="0231", department="宣教部")
    assert made.state is MembershipState.PENDING
    with pytest.raises(NotAMember):
        set_needs(at.group.id, person.id, {at.eggs.id: 30})
    assert promised(at.eggs) == (0, 0)


def test_a_coordinator_lets_a_pending_member_in() -> None:
    at = fair()
    person = builders.account()
    made = join(person.id, at.group.join_code, staff_number="0231", department="宣教部")
    approve(at.unit.id, made.id)
    assert set_needs(at.group.id, person.id, {at.eggs.id: 30}).number
    with pytest.raises(Conflict):
        decline(at.unit.id, made.id)
    assert state_of(made) is MembershipState.ACTIVE


def test_another_units_coordinator_cannot_let_somebody_in() -> None:
    at, other = fair(), fair()
    person = builders.account()
    made = join(person.id, at.group.join_code, staff_number="0231", department="宣教部")
    with pytest.raises(NotFound):
        approve(other.unit.id, made.id)
    assert state_of(made) is MembershipState.PENDING


def test_a_number_on_the_staff_list_lets_in_once() -> None:
    at = fair()
    set_staff_list(at.unit.id, "0231 宣教部\n0107，办公室\n")
    first = join(builders.account().id, at.group.join_code, staff_number="0231", department="x")
    assert first.state is MembershipState.ACTIVE
    assert first.department == "宣教部"
    second = join(builders.account().id, at.group.join_code, staff_number="0231", department="x")
    assert second.state is MembershipState.PENDING


def test_a_staff_list_that_comes_later_lets_the_waiting_in() -> None:
    at = fair()
    made = join(builders.account().id, at.group.join_code, staff_number="0107", department="x")
    assert set_staff_list(at.unit.id, "0107 办公室") == 1
    assert state_of(made) is MembershipState.ACTIVE


def test_an_unreadable_staff_list_changes_nothing() -> None:
    at = fair()
    set_staff_list(at.unit.id, "0231 宣教部")
    with pytest.raises(Invalid):
        set_staff_list(at.unit.id, "0107 办公室\n张?? 办公室")
    made = join(builders.account().id, at.group.join_code, staff_number="0231", department="x")
    assert made.state is MembershipState.ACTIVE


def test_a_number_that_stands_twice_in_a_staff_list_is_refused_with_its_line() -> None:
    at = fair()
    with pytest.raises(Invalid) as refusal:
        set_staff_list(at.unit.id, "0231 宣教部\n\n0107 办公室\n0231 财务部")
    assert "第 4 行" in str(refusal.value.fields["staff_list"])
    assert db.session.scalars(select(StaffListEntry)).all() == []


def test_a_staff_list_is_emptied_or_more_than_halved_only_after_a_question(app: Flask) -> None:
    at = fair()
    set_staff_list(at.unit.id, "0001 a\n0002 a\n0003 a\n0004 a")
    leader = Visitor(app, app.response_class)
    leader.enter(at.coordinator.login)

    def numbers() -> list[str]:
        db.session.expire_all()
        return sorted(db.session.scalars(select(StaffListEntry.staff_number)))

    asked = leader.send("/unit/staff-list", staff_list="0009 b")
    assert asked.status_code == 409
    assert "只剩 1 人" in asked.text
    assert ">0009 b</textarea>" in asked.text
    assert leader.send("/unit/staff-list", staff_list="").status_code == 409
    # Sure of one is not sure of none.
    assert leader.send("/unit/staff-list", staff_list="", sure="1").status_code == 409
    assert numbers() == ["0001", "0002", "0003", "0004"]
    assert leader.send("/unit/staff-list", staff_list="0009 b", sure="1").status_code == 302
    assert numbers() == ["0009"]
    assert leader.send("/unit/staff-list", staff_list="", sure="0").status_code == 302
    assert numbers() == []


def test_a_coordinator_is_a_member_without_asking() -> None:
    at = fair()
    made = join(at.coordinator.id, at.group.join_code, staff_number="0001", department="办公室")
    assert (made.role, made.state) == (Role.OFFICIAL, MembershipState.ACTIVE)


def test_a_wrong_code_or_a_number_that_is_none_is_refused() -> None:
    at = fair()
    person = builders.account()
    with pytest.raises(NotFound):
        join(person.id, "nonesuch", staff_number="0231", department="宣教部")
    with pytest.raises(Invalid) as refusal:
        join(person.id, at.group.join_code, staff_number="13800000000", department="")
    assert set(refusal.value.fields) == {"staff_number", "department"}


def beside(app: Flask, act: Callable[[], Any]) -> tuple[threading.Thread, list[Exception]]:
    """Somebody else who is about to do something, and what it will have raised."""
    raised = list[Exception]()

    def run() -> None:
        with app.app_context():
            try:
                act()
            except Exception as error:  # what it was is for the test to judge
                raised.append(error)

    return threading.Thread(target=run), raised


def test_joining_twice_at_once_is_joining_once(app: Flask) -> None:
    at = fair(members=0)
    person, code = builders.account().id, at.group.join_code

    def enter() -> int:
        return join(person, code, staff_number="0231", department="宣教部").id

    other, raised = beside(app, enter)
    with transaction():
        made = enter()
        start_and_wait(other)
    other.join(20)
    assert raised == []
    assert state_of(db.session.get_one(Membership, made)) is MembershipState.PENDING


def test_two_staff_lists_at_once_follow_each_other(app: Flask) -> None:
    unit_id = fair(members=0).unit.id
    other, raised = beside(app, lambda: set_staff_list(unit_id, "0231 宣教部\n0107 办公室"))
    with transaction():
        set_staff_list(unit_id, "0231 宣教部")
        start_and_wait(other)
    other.join(20)
    assert raised == []
    assert set(db.session.scalars(select(StaffListEntry.staff_number))) == {"0107", "0231"}


def test_joining_and_a_new_staff_list_at_once_do_not_block_each_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = fair(members=0)
    person, code, unit_id = builders.account().id, at.group.join_code, at.unit.id
    join(person, code, staff_number="0009", department="办公室")
    set_staff_list(unit_id, "0231 宣教部")
    other, raised = beside(app, lambda: set_staff_list(unit_id, "0107 办公室"))
    listed = members._listed

    def listed_late(*asked: Any) -> StaffListEntry | None:
        if threading.current_thread() is threading.main_thread():
            start_and_wait(other)
        return listed(*asked)

    monkeypatch.setattr(members, "_listed", listed_late)
    made = join(person, code, staff_number="0231", department="宣教部")
    other.join(20)
    assert raised == []
    assert state_of(made) is MembershipState.ACTIVE


def test_a_line_of_the_staff_list_ends_where_a_line_ends() -> None:
    unit = builders.buying_unit()
    assert set_staff_list(unit.id, "0231 宣教部\u20280107 办公室\r\n0108 财务部") == 2
    assert set(db.session.scalars(select(StaffListEntry.staff_number))) == {"0231", "0108"}


def membership_of(person: Account) -> Membership:
    """The person's place among the unit's officials."""
    mine = (Membership.account_id == person.id, Membership.role == Role.OFFICIAL)
    return db.session.scalars(select(Membership).where(*mine)).one()


def test_who_left_the_unit_orders_nothing_any_more_and_comes_back_by_no_link() -> None:
    at = fair()
    gone, stays = at.members
    set_needs(at.group.id, gone.id, {at.eggs.id: 30, at.ginger.id: 2})
    set_needs(at.group.id, stays.id, {at.eggs.id: 60})
    with transaction():
        membership_of(gone).staff_number = "0231"
    set_staff_list(at.unit.id, "0231 宣教部\n0107 办公室")
    end(at.unit.id, gone.id)
    assert_laws_hold()
    assert (promised(at.eggs), promised(at.ginger)) == ((60, 60), (0, 0))
    with pytest.raises(NotAMember):
        set_needs(at.group.id, gone.id, {at.eggs.id: 30})
    back = join(gone.id, at.group.join_code, staff_number="0231", department="宣教部")
    assert back.state is MembershipState.PENDING
    close_group_order(at.group.id)
    due = select(Order.account_id).where(Order.state == OrderState.DUE)
    assert db.session.scalars(due).all() == [stays.id]


def cut_off(seller_id: int) -> None:
    """Let a seller of the round have cut off its needs an hour ago."""
    at = clock.now() - timedelta(hours=1)
    with transaction() as session:
        session.execute(
            update(RoundLeg).where(RoundLeg.seller_id == seller_id).values(cutoff_at=at)
        )


def test_what_a_seller_cut_off_before_somebody_left_stays_ordered() -> None:
    at = fair()
    gone = at.members[0]
    set_needs(at.group.id, gone.id, {at.eggs.id: 30, at.ginger.id: 2})
    cut_off(at.ginger.seller_id)
    end(at.unit.id, gone.id)
    assert_laws_hold()
    assert (promised(at.eggs), promised(at.ginger)) == ((0, 0), (2, 2))


def test_what_stays_of_who_left_and_is_too_little_for_stripe_is_paid_by_transfer() -> None:
    at = fair()
    gone = at.members[0]
    set_needs(at.group.id, gone.id, {at.eggs.id: 1, at.ginger.id: 2})
    cut_off(at.eggs.seller_id)
    end(at.unit.id, gone.id)
    group = close_group_order(at.group.id)
    [payment] = db.session.scalars(select(Payment)).all()
    assert (payment.method, payment.amount_fen) == (PaymentMethod.TRANSFER, 150)
    assert payment.transfer_code is not None
    # A transfer takes longer than the two days in which members pay online.
    [order] = db.session.scalars(select(Order).where(Order.state == OrderState.DUE))
    assert group.closed_at is not None
    assert order.expires_at == payment.expires_at
    assert payment.expires_at is not None
    assert payment.expires_at >= group.closed_at + HOLD[PaymentMethod.TRANSFER]
    assert_laws_hold()


def test_what_is_closed_stays_when_somebody_leaves() -> None:
    at = fair(PayMode.UNIT)
    gone = at.members[0]
    set_needs(at.group.id, gone.id, {at.eggs.id: 30})
    close_group_order(at.group.id)
    end(at.unit.id, gone.id)
    assert_laws_hold()
    assert promised(at.eggs) == (30, 30)
    with pytest.raises(NotFound):
        end(at.unit.id, gone.id)


def test_somebody_who_registers_while_leaving_leaves_nothing_behind(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = fair()
    gone, group_id, unit_id = at.members[0].id, at.group.id, at.unit.id
    other, raised = beside(app, lambda: end(unit_id, gone))
    kept = group_orders._cutoffs

    def cutoffs(*asked: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            start_and_wait(other)
        return kept(*asked)

    monkeypatch.setattr(group_orders, "_cutoffs", cutoffs)
    set_needs(group_id, gone, {at.eggs.id: 30})
    other.join(20)
    assert raised == []
    assert promised(at.eggs) == (0, 0)


def test_a_coordinator_ends_a_membership_on_the_page_and_by_a_program_and_nobody_elses(
    app: Flask,
) -> None:
    at, other = fair(), fair()
    for one in at.members:
        set_needs(at.group.id, one.id, {at.eggs.id: 30})
    first, second = (membership_of(one).id for one in at.members)
    stranger = Visitor(app, app.response_class)
    stranger.enter(other.coordinator.login)
    assert stranger.send(f"/unit/members/{first}/end", idempotency_key="a").status_code == 404
    assert promised(at.eggs) == (60, 60)
    leader = Visitor(app, app.response_class)
    leader.enter(at.coordinator.login)
    assert f"/unit/members/{first}/end" in leader.get("/unit/members").text
    assert leader.send(f"/unit/members/{first}/end", idempotency_key="b").status_code == 302
    assert promised(at.eggs) == (30, 30)
    path = f"/group-orders/{at.group.public_id}/members"
    answer = Program(app, at.coordinator).ask("POST", f"{path}/{second}/end")
    assert answer["state"] == "ended"
    assert promised(at.eggs) == (0, 0)
    acts = db.session.execute(select(AuditEntry.act, AuditEntry.account_id)).all()
    assert acts == [(Act.ROLE_ENDED, at.coordinator.id)] * 2
