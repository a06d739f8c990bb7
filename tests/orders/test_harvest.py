"""Splitting a harvest notice among households, and their answers."""

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from kernel.audit import AuditEntry
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid, NotFound
from kernel.identity import Role
from kernel.money import Money
from orders.actions import harvest
from orders.actions.harvest import answer, lock_item, propose, split
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import HouseholdQuota, NoticeItem, QuotaState
from orders.queries.tasks import token_of
from sellers.model import Household
from tests import builders
from tests.orders.harvest_builders import PRICE_FEN, Closed, closed_round
from tests.visitors import Visitor


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield


def quotas() -> list[tuple[int, int, str]]:
    """Household, units and state of every quota."""
    db.session.expire_all()
    rows = db.session.scalars(select(HouseholdQuota).order_by(HouseholdQuota.household_id))
    return [(one.household_id, one.quantity, one.state.value) for one in rows]


def split_by_shares(closed: Closed) -> None:
    split(closed.item.id, propose(closed.item, closed.households))


def quota_of(closed: Closed, number: int) -> HouseholdQuota:
    db.session.expire_all()
    return db.session.scalars(
        select(HouseholdQuota).where(HouseholdQuota.household_id == closed.households[number].id)
    ).one()


def test_a_proposal_follows_the_households_shares_and_sums_to_the_item() -> None:
    closed = closed_round(50, 30, 21)
    first, second, third = (one.public_id for one in closed.households)
    assert propose(closed.item, closed.households) == {first: 50, second: 34, third: 17}
    equal = propose(closed.item, closed.households, by_shares=False)
    assert equal == {first: 34, second: 34, third: 33}


def test_a_split_offers_every_household_its_part() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    assert [(units, state) for _, units, state in quotas()] == [
        (30, "offered"),
        (20, "offered"),
        (10, "offered"),
    ]


def test_a_split_that_does_not_sum_to_the_item_changes_nothing() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    before = quotas()
    with pytest.raises(Invalid) as refusal:
        split(closed.item.id, {closed.households[0].public_id: 59})
    assert refusal.value.code == "split_does_not_sum"
    assert quotas() == before


def test_only_the_sellers_own_households_can_be_given_a_part() -> None:
    closed = closed_round(60)
    stranger = builders.household(builders.seller())
    with pytest.raises(Invalid) as refusal:
        split(closed.item.id, {stranger.public_id: 60})
    assert refusal.value.code == "not_your_household"
    assert quotas() == []


def test_a_declined_share_goes_back_and_is_split_among_the_others() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    answer(quota_of(closed, 0).id, accept=True, account_id=None, by_proxy=False)
    answer(quota_of(closed, 1).id, accept=False, account_id=None, by_proxy=False)
    proposal = propose(quota_of(closed, 0).item, closed.households)
    assert proposal == {closed.households[0].public_id: 30, closed.households[2].public_id: 30}
    split(closed.item.id, proposal)
    assert [(units, state) for _, units, state in quotas()] == [
        (30, "accepted"),
        (20, "declined"),
        (30, "offered"),
    ]


def test_a_share_that_was_accepted_stays_as_it_is() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    answer(quota_of(closed, 0).id, accept=True, account_id=None, by_proxy=False)
    before = quotas()
    with pytest.raises(Conflict) as refusal:
        split(closed.item.id, {closed.households[1].public_id: 60})
    assert refusal.value.code == "quota_accepted"
    assert quotas() == before


def test_what_a_steward_answers_is_marked_as_by_proxy_and_remembered() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    answered = answer(
        quota_of(closed, 0).id, accept=True, account_id=closed.steward.id, by_proxy=True
    )
    assert answered.by_proxy
    assert answered.state is QuotaState.ACCEPTED
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.act, entry.account_id) == ("quota_answered_by_proxy", closed.steward.id)


def test_an_answer_is_given_once() -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quota = quota_of(closed, 0)
    answer(quota.id, accept=True, account_id=None, by_proxy=False)
    answer(quota.id, accept=True, account_id=None, by_proxy=False)
    with pytest.raises(Conflict) as refusal:
        answer(quota.id, accept=False, account_id=None, by_proxy=False)
    assert refusal.value.code == "quota_answered"
    assert quota_of(closed, 0).state is QuotaState.ACCEPTED


def test_a_household_reads_what_it_gets_by_delivery_before_and_after(app: Flask) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quota = quota_of(closed, 0)
    address, units = f"/field/{token_of(quota)}", quota.quantity
    household = Visitor(app, app.response_class)
    by_unit = PRICE_FEN * 8_000 // 10_000
    assert f"交够了大约到手 {Money(by_unit * units)}" in household.page(address)
    harvested = Harvested(units - 2, confirmed=True)
    enter_yield(closed.item.id, quota.household_id, harvested, account_id=None)
    allocate(closed.item.id, "pro_rata", account_id=None)
    assert f"大约到手 {Money(by_unit * (units - 2))}，结算后打给你" in household.page(address)


@pytest.mark.parametrize("sent", [{}, {"answer": "perhaps"}])
def test_only_a_clear_no_declines_a_task(app: Flask, sent: dict[str, str]) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quota = quota_of(closed, 0)
    household, clerk = (Visitor(app, app.response_class) for _ in range(2))
    clerk.enter(closed.clerk.login)
    way = f"/seller/harvest/items/{closed.item.public_id}/answer/{quota.public_id}"
    for visitor, path in ((household, f"/field/{token_of(quota)}/answer"), (clerk, way)):
        answer = visitor.send(path, **sent)
        assert (answer.status_code, "点“接”或者“不接”。" in answer.text) == (422, True)
        assert quota_of(closed, 0).state is QuotaState.OFFERED


def test_a_household_reads_verbs_on_its_buttons_in_english(app: Flask) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    household = Visitor(app, app.response_class)
    page = household.get(
        f"/field/{token_of(quota_of(closed, 0))}", headers={"Accept-Language": "en"}
    ).get_data(as_text=True)
    assert ">Decline</button>" in page
    assert "Declined" not in page


def test_a_household_is_asked_before_it_declines_and_led_to_its_next_task(app: Flask) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quotas = list(closed.item.quotas)
    steward = builders.account(Role.STEWARD, closed.seller.organisation)
    with transaction() as session:
        for quota in quotas[:2]:
            session.get_one(Household, quota.household_id).steward_id = steward.id
    first, second = (f"/field/{token_of(quota)}" for quota in quotas[:2])
    household, helper = Visitor(app, app.response_class), Visitor(app, app.response_class)
    helper.enter(steward.login)
    asked = household.page(first)
    assert 'data-ask="真的不接吗？"' in asked
    assert "下一" not in asked
    answer(quotas[0].id, accept=True, account_id=None, by_proxy=False)
    alone = household.page(first)
    assert "现在没有别的任务" in alone
    assert second not in alone
    assert f'btn-field" href="{second}"' in helper.page(first)
    answer(quotas[1].id, accept=False, account_id=steward.id, by_proxy=True)
    assert f'btn-field" href="{first}"' in helper.page(second)
    assert "回到我帮扶的农户" in helper.page(first)


def test_an_answer_to_another_number_than_the_task_has_now_is_asked_for_again(app: Flask) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quota = quota_of(closed, 0)
    asked = quota.quantity
    household = Visitor(app, app.response_class)
    page = f"/field/{token_of(quota)}"
    clerk = Visitor(app, app.response_class)
    clerk.enter(closed.clerk.login)
    way = f"/seller/harvest/items/{closed.item.public_id}/answer/{quota.public_id}"
    for visitor, path in ((household, page), (clerk, f"/seller/harvest/{closed.notice.public_id}")):
        assert f'name="shown" value="{asked}"' in visitor.page(path)
    split(closed.item.id, {closed.households[0].public_id: 60})
    for visitor, path in ((household, f"{page}/answer"), (clerk, way)):
        refused = visitor.send(path, answer="accept", shown=str(asked))
        assert refused.status_code == 409
        assert "数量变了" in refused.text
        assert 'name="shown" value="60"' in refused.text
        assert quota_of(closed, 0).state is QuotaState.OFFERED
    household.send(f"{page}/answer", answer="accept", shown="60")
    assert quota_of(closed, 0).state is QuotaState.ACCEPTED


def test_an_answer_that_waited_for_a_split_which_took_its_task_away_finds_none(
    monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    closed = closed_round(60)
    split_by_shares(closed)
    quota_id = quota_of(closed, 0).id

    def wait(session: Session, item_id: int) -> NoticeItem:
        with psycopg.connect(database) as other:
            other.execute("DELETE FROM household_quota WHERE id = %s", [quota_id])
        return lock_item(session, item_id)

    monkeypatch.setattr(harvest, "lock_item", wait)
    with pytest.raises(NotFound):
        answer(quota_id, accept=True, account_id=None, by_proxy=False)
