"""Two people for a payout: nobody approves what they proposed, whatever they try at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kernel import second_person
from kernel.audit import AuditEntry
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound, Refusal, SecondPersonNeeded
from kernel.second_person import Proposal, ProposalState
from tests import builders

KIND, WHY = "payout", "签收单齐了"


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def people() -> tuple[int, int]:
    """Two members of staff."""
    return builders.account().id, builders.account().id


def propose(subject: str, by: int) -> Proposal:
    return second_person.propose(KIND, subject, {"fen": 1}, reason=WHY, account_id=by)


def state_of(subject: str) -> ProposalState:
    db.session.expire_all()
    return second_person.proposals([KIND], [subject])[subject][-1].state


def test_somebody_else_approves_and_both_stand_in_the_log(people: tuple[int, int]) -> None:
    first, second = people
    propose("s1", first)
    with pytest.raises(SecondPersonNeeded):
        second_person.approve(KIND, "s1", account_id=first)
    assert state_of("s1") is ProposalState.OPEN
    approved = second_person.approve(KIND, "s1", account_id=second)
    assert (approved.proposed_by, approved.decided_by) == (first, second)
    kept = db.session.execute(
        select(AuditEntry.act, AuditEntry.account_id, AuditEntry.reason).order_by(AuditEntry.id)
    ).all()
    assert kept == [("payout_proposed", first, WHY), ("payout_approved", second, "")]


def test_one_thing_waits_only_once_and_may_be_proposed_again_after_a_refusal(
    people: tuple[int, int],
) -> None:
    first, second = people
    propose("s1", first)
    with pytest.raises(Conflict) as refusal:
        propose("s1", second)
    assert refusal.value.code == "already_proposed"
    second_person.turn_down(KIND, "s1", answer="账号不对", account_id=second)
    assert state_of("s1") is ProposalState.DECLINED
    with pytest.raises(NotFound):
        second_person.approve(KIND, "s1", account_id=second)
    propose("s1", first)
    second_person.turn_down(KIND, "s1", answer="填错了", account_id=first)
    assert state_of("s1") is ProposalState.WITHDRAWN


def test_a_proposal_and_a_refusal_say_why(people: tuple[int, int]) -> None:
    with pytest.raises(Invalid):
        second_person.propose(KIND, "s1", {}, reason=" ", account_id=people[0])
    propose("s1", people[0])
    with pytest.raises(Invalid):
        second_person.turn_down(KIND, "s1", answer="", account_id=people[1])
    assert state_of("s1") is ProposalState.OPEN


def test_the_database_itself_refuses_an_approval_of_ones_own(people: tuple[int, int]) -> None:
    propose("s1", people[0])
    own = {"state": "approved", "decided_by": people[0], "decided_at": Proposal.proposed_at}
    for values in (own, {**own, "decided_by": None}):
        with pytest.raises(IntegrityError, match="two_people"), transaction() as session:
            session.execute(update(Proposal).values(**values))


def test_two_who_approve_at_once_approve_it_once(app: Flask, people: tuple[int, int]) -> None:
    propose("s1", people[0])
    db.session.remove()
    third = builders.account().id
    db.session.remove()

    def approve(account_id: int) -> str:
        with app.app_context():
            try:
                second_person.approve(KIND, "s1", account_id=account_id)
            except Refusal as refusal:
                return refusal.code
            finally:
                db.session.remove()
            return "approved"

    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(approve, (people[0], people[1], third)))
    assert said.count("approved") == 1
    assert said[0] in ("second_person_needed", "not_found")


STEPS = st.lists(
    st.tuples(st.sampled_from(["propose", "approve", "turn_down"]), st.integers(0, 2)), max_size=8
)


@given(STEPS)
@example([("propose", 0), ("approve", 0), ("approve", 1)])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_three_people_do_another_one_approves_and_never_who_proposed(
    steps: list[tuple[str, int]],
) -> None:
    staff = [builders.account().id for _ in range(3)]
    subject = f"of-{staff[0]}"
    waits_for: int | None = None
    approvals = 0
    for step, who in steps:
        may = waits_for is not None and waits_for != who
        try:
            if step == "propose":
                propose(subject, staff[who])
            elif step == "approve":
                second_person.approve(KIND, subject, account_id=staff[who])
            else:
                second_person.turn_down(KIND, subject, answer="不对", account_id=staff[who])
        except Refusal:
            assert step != "approve" or not may
            continue
        assert step != "approve" or may
        approvals += step == "approve"
        waits_for = who if step == "propose" else None
    rows = db.session.scalars(select(Proposal).where(Proposal.subject == subject)).all()
    approved = [one for one in rows if one.state is ProposalState.APPROVED]
    assert len(approved) == approvals
    assert all(one.decided_by not in (None, one.proposed_by) for one in approved)
    assert sum(one.state is ProposalState.OPEN for one in rows) <= 1
