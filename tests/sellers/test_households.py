"""Households: masked, revealed only with a reason that is remembered."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from kernel.access import viewer_of
from kernel.audit import AuditEntry
from kernel.db import db
from kernel.errors import Conflict, Invalid
from kernel.identity import Role, end_membership, grant
from sellers import actions
from sellers.model import BenefitPlan, Household, HouseholdStatus
from sellers.queries import workspace
from tests import builders
from tests.visitors import Visitor

FACTS = actions.HouseholdFacts(
    number="017",
    status=HouseholdStatus.REGISTERED,
    status_evidence="认定名单 2014",
    name="某户主",
    phone="02300000017",
    bank_account="6200000000000017",
)


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_personal_data_is_not_in_the_table_in_plain_text() -> None:
    actions.add_household(builders.seller().id, FACTS)
    row = db.session.execute(text("SELECT name, phone, bank_account FROM household")).one()
    assert not {"某户主", "02300000017", "6200000000000017"} & set(row)


def test_revealing_needs_a_reason_and_is_remembered() -> None:
    household = actions.add_household(builders.seller().id, FACTS)
    account = builders.account()
    with pytest.raises(Invalid):
        actions.reveal_household(household.id, account.id, " ")
    assert db.session.scalar(select(func.count()).select_from(AuditEntry)) == 0
    shown = actions.reveal_household(household.id, account.id, "打电话通知采收")
    assert shown.phone == "02300000017"
    entry = db.session.scalar(select(AuditEntry))
    assert entry is not None
    assert (entry.account_id, entry.reason) == (account.id, "打电话通知采收")
    assert "某户主" not in entry.subject


def test_a_status_is_reviewed_by_its_steward_and_again_once_it_changed() -> None:
    steward = builders.account(Role.STEWARD)
    facts = replace(FACTS, steward_id=steward.id)
    household = actions.add_household(builders.seller().id, facts)
    for who in (steward, builders.account(Role.STEWARD)):
        actions.review_status(household.id, who.id)
    assert household.status_reviewer == steward
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.act, entry.account_id) == ("household_reviewed", steward.id)

    actions.change_household(household.id, replace(facts, phone="02300000018"))
    assert household.status_reviewer == steward
    actions.change_household(household.id, replace(facts, status_evidence="另一份名单"))
    assert [household.status_reviewer] == [None]
    actions.change_household(household.id, replace(facts, status=HouseholdStatus.ORDINARY))
    with pytest.raises(Conflict):
        actions.review_status(household.id, steward.id)


def test_only_the_steward_sees_the_button_and_everybody_sees_who_reviewed(app: Flask) -> None:
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    clerk = builders.account(Role.CLERK, seller.organisation)
    household = actions.add_household(seller.id, replace(FACTS, steward_id=steward.id))
    at, name = f"/seller/households/{household.public_id}", steward.name_zh
    at_desk, in_care = Visitor(app, app.response_class), Visitor(app, app.response_class)
    at_desk.enter(clerk.login)
    in_care.enter(steward.login)
    for visitor, may in ((at_desk, False), (in_care, True)):
        page = visitor.page(at)
        assert ("还没有核对" in page, f"{at}/review" in page) == (True, may)
    assert in_care.send(f"{at}/review").status_code == 302
    for visitor in (at_desk, in_care):
        page = visitor.page(at)
        assert (f"<dd>{name}</dd>" in page, f"{at}/review" in page) == (True, False)


def test_a_number_stands_for_one_household_of_a_seller() -> None:
    seller = builders.seller()
    actions.add_household(seller.id, FACTS)
    with pytest.raises(Invalid) as refusal:
        actions.add_household(seller.id, FACTS)
    assert set(refusal.value.fields) == {"number"}
    assert db.session.scalar(select(func.count()).select_from(Household)) == 1
    actions.add_household(builders.seller().id, FACTS)


def test_a_status_that_helps_needs_evidence() -> None:
    with pytest.raises(Invalid) as refusal:
        actions.add_household(
            builders.seller().id,
            actions.HouseholdFacts(number="1", status=HouseholdStatus.MONITORED),
        )
    assert set(refusal.value.fields) == {"status_evidence"}
    assert db.session.scalar(select(func.count()).select_from(Household)) == 0


def test_a_change_leaves_personal_fields_that_were_left_empty() -> None:
    household = actions.add_household(builders.seller().id, FACTS)
    changed = actions.HouseholdFacts(
        number="018", status=HouseholdStatus.ORDINARY, phone="02300000018"
    )
    actions.change_household(household.id, changed)
    db.session.expire_all()
    kept = db.session.get_one(Household, household.id)
    assert (kept.number, kept.name, kept.phone) == ("018", "某户主", "02300000018")


def test_a_steward_sees_the_households_in_their_care_only() -> None:
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    mine = builders.household(seller, steward_id=steward.id)
    builders.household(seller)
    caring = viewer_of(steward, "")
    assert [h.id for h in workspace.households(steward=caring).items] == [mine.id]
    assert len(workspace.households(seller_id=seller.id).items) == 2
    with pytest.raises(ValueError, match="whose"):
        workspace.households()


def test_a_steward_acts_for_households_of_the_sellers_where_the_role_is_held(app: Flask) -> None:
    left, other = builders.seller(), builders.seller()
    steward = builders.account(Role.STEWARD, left.organisation)
    grant(steward, Role.STEWARD, other.organisation)
    there = builders.household(left, steward_id=steward.id)
    here = builders.household(other, steward_id=steward.id)
    in_care = Visitor(app, app.response_class)
    in_care.enter(steward.login)
    at = f"/seller/households/{there.public_id}"
    assert in_care.get(at).status_code == 200
    end_membership(steward.id, Role.STEWARD, left.id)
    assert in_care.get(at).status_code == 404
    assert in_care.send(at, reason="打电话通知采收").status_code == 404
    assert in_care.send(f"{at}/review").status_code == 404
    assert there.public_id not in in_care.page("/seller/households")
    assert here.public_id in in_care.page("/seller/households")
    assert db.session.scalars(select(AuditEntry)).all() == []
    with pytest.raises(Invalid):
        actions.steward_called(steward.login, left.id)
    assert actions.steward_called(steward.login, other.id) == steward.id


@pytest.mark.parametrize("typed", ["-5", "甲乙", "80.123", "9" * 25, "100.01", "0"])
def test_a_percent_that_cannot_be_is_told_as_a_percent(app: Flask, typed: str) -> None:
    seller = builders.seller()
    clerk = Visitor(app, app.response_class)
    clerk.enter(builders.account(Role.CLERK, seller.organisation).login)
    page = clerk.send("/seller/plan", kind="delivery", basis_points=typed).get_data(as_text=True)
    assert "比例写 0.01 到 100 之间" in page
    assert ("最多两位小数" in page) == (typed not in {"100.01", "0"})
    assert "金额写成" not in page
    assert f'value="{typed}"' in page


def test_a_benefit_plan_beyond_the_whole_is_refused() -> None:
    seller = builders.seller()
    with pytest.raises(Invalid):
        actions.plan_benefits(seller.id, kind="delivery", basis_points=10_001)
    assert db.session.scalar(select(func.count()).select_from(BenefitPlan)) == 0
    assert actions.plan_benefits(seller.id, kind="second", basis_points=1500).id


def test_a_stewards_list_begins_no_line_with_a_dot(app: Flask) -> None:
    seller = builders.seller()
    steward = builders.account(Role.STEWARD, seller.organisation)
    builders.household(seller, name="", steward_id=steward.id)
    reader = Visitor(app, app.response_class)
    reader.enter(steward.login)
    assert f'<span class="note">{seller.name_zh}</span>' in reader.page("/seller/households")
