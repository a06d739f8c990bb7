"""What only pages could do before, through JSON: plans, own orders, staff lists, tasks, queues."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.identity import Account, OrganisationKind, Role
from orders.actions.closing import close_due_rounds
from orders.actions.group_orders import set_needs
from orders.actions.harvest import propose, split
from orders.lifecycle import cancel
from orders.model import Order, OrderState, PaymentMethod, PayMode, Round, YieldEntry
from orders.payments.captures import confirm_transfer
from orders.placing import Buyer, place
from orders.queries.planning import LotRow
from orders.queries.tasks import token_of
from sellers.model import Lot, LotMode, Offer
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair, plan, promised
from tests.orders.harvest_builders import closed_round
from tests.orders.programs import Program


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
        assert_laws_hold()


@pytest.fixture
def staff(app: Flask) -> Program:
    """A member of staff."""
    return Program(
        app, builders.account(Role.STAFF, builders.organisation(OrganisationKind.PLATFORM))
    )


def body_of(**changes: Any) -> dict[str, Any]:
    """A plan as JSON."""
    facts = dataclasses.asdict(plan(**changes))
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in facts.items()
    }


def field_lot(**values: Any) -> Lot:
    """A lot that still stands in the field."""
    return builders.lot(builders.product(builders.seller(**values)), 100, LotMode.IN_FIELD)


def test_a_plan_is_refused_as_on_the_page_and_leaves_nothing(app: Flask, staff: Program) -> None:
    wrong = body_of()
    wrong["closes_at"], wrong["opens_at"] = wrong["opens_at"], wrong["closes_at"]
    refused = staff.ask("POST", "/staff/rounds", wrong, 422)
    assert "closes_at" in refused["fields"]
    assert staff.ask("POST", "/staff/rounds", {**body_of(), "colour": "red"}, 422)
    for role in (Role.CLERK, Role.COORDINATOR):
        other = Program(app, builders.account(role, builders.seller().organisation))
        other.ask("POST", "/staff/rounds", body_of(), 403)
        other.ask("GET", "/staff/rounds", expect=403)
    assert db.session.scalar(select(func.count(Round.id))) == 0


def test_a_lot_stands_in_a_round_once_and_only_if_it_fits(staff: Program) -> None:
    way = f"/staff/rounds/{staff.ask('POST', '/staff/rounds', body_of(), 201)['id']}"
    lot, other = field_lot(), field_lot()
    offer = {"lot_id": lot.public_id, "price_fen": 900}
    for wrong in ({"price_fen": 0}, {"price_fen": 9.5}, {"quota": 0}, {"lot": "x"}):
        staff.ask("POST", f"{way}/offers", {**offer, **wrong}, 422)
    staff.ask("POST", f"{way}/offers", {**offer, "lot_id": "nothing"}, 404)
    staff.ask("POST", "/staff/rounds/nothing/offers", offer, 404)
    assert db.session.scalar(select(func.count(Offer.id))) == 0
    made = staff.ask("POST", f"{way}/offers", offer, 201)
    staff.ask("POST", f"{way}/offers", offer, 404)
    [free] = staff.ask("GET", f"{way}/lots")["items"]
    assert free["id"] == other.public_id
    gone = staff.ask("POST", f"{way}/offers/{made['offers'][0]['id']}/withdraw")
    assert gone["offers"] == []
    staff.ask("POST", f"{way}/offers/nothing/withdraw", expect=404)


def test_an_offer_that_somebody_ordered_stays_and_its_seller_may_cut_off(staff: Program) -> None:
    at = fair()
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    way = f"/staff/rounds/{at.round.public_id}"
    kept = staff.ask("POST", f"{way}/offers/{at.eggs.public_id}/withdraw", expect=409)
    assert kept["code"] == "offer_ordered"
    leg = f"{way}/legs/{at.eggs.seller.organisation.public_id}"
    late = (at.closes_at + timedelta(hours=1)).isoformat()
    assert "cutoff_at" in staff.ask("PUT", leg, {"cutoff_at": late}, 422)["fields"]
    staff.ask("PUT", f"{way}/legs/{at.unit.organisation.public_id}", {"cutoff_at": None}, 404)
    soon = clock.now() + timedelta(hours=1)
    shown = staff.ask("PUT", leg, {"cutoff_at": soon.isoformat()})
    assert soon.isoformat() in {one["cutoff_at"] for one in shown["legs"]}
    assert promised(at.eggs) == (30, 30)


def test_rounds_and_lots_come_page_by_page(staff: Program) -> None:
    for days in (3, 1, 2):
        staff.ask("POST", "/staff/rounds", body_of(closes_in=timedelta(days=days)), 201)
    for _ in range(3):
        field_lot()
    first = staff.ask("GET", "/staff/rounds")["items"]
    assert [one["closes_at"] for one in first] == sorted(
        (one["closes_at"] for one in first), reverse=True
    )
    lots = f"/staff/rounds/{first[0]['id']}/lots"
    for way, whole in (("/staff/rounds", first), (lots, staff.ask("GET", lots)["items"])):
        assert len(whole) == 3
        assert pages(staff, way) == whole


def pages(who: Program, way: str) -> list[Any]:
    """Every item of a list, asked for two by two."""
    found: list[Any] = []
    cursor = ""
    for _ in range(9):
        page = who.ask("GET", f"{way}?page_size=2{cursor}")
        assert len(page["items"]) <= 2
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the pages do not end")


def bought(by: Account, method: PaymentMethod = PaymentMethod.STRIPE) -> str:
    """An order of this buyer's."""
    offer = builders.offer()
    made = place(Buyer(by.id), {offer.id: 2}, builders.credited_to_shop(offer), method)
    return made.number


def test_a_buyer_lists_and_cancels_only_its_own_orders(app: Flask, staff: Program) -> None:
    buyer = builders.account()
    mine, stranger = Program(app, buyer), Program(app, builders.account())
    numbers = [bought(buyer) for _ in range(3)]
    assert [one["number"] for one in pages(mine, "/orders")] == numbers[::-1]
    assert stranger.ask("GET", "/orders")["items"] == []
    for who in (stranger, staff):
        assert who.ask("POST", f"/orders/{numbers[0]}/cancel", expect=404)["code"] == "not_found"
    assert set(db.session.scalars(select(Order.state))) == {OrderState.DUE}
    assert mine.ask("POST", f"/orders/{numbers[0]}/cancel")["state"] == "cancelled"
    states = db.session.scalars(select(Order.state).order_by(Order.id)).all()
    assert states == [OrderState.CANCELLED, OrderState.DUE, OrderState.DUE]
    at = fair()
    need = set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30})
    Program(app, at.members[0]).ask("POST", f"/orders/{need.number}/cancel", expect=404)
    assert promised(at.eggs) == (30, 30)


def test_a_coordinator_keeps_the_staff_list_and_turns_people_away(app: Flask) -> None:
    at = fair()
    leader, other = Program(app, at.coordinator), fair()
    [unit] = leader.ask("GET", "/units")["items"]
    way = f"/units/{unit['id']}/staff-list"
    code, group = at.group.join_code, f"/group-orders/{at.group.public_id}"
    joined = [
        Program(app, builders.account()).ask(
            "POST", f"/join/{code}", {"staff_number": number, "department": "办公室"}
        )
        for number in ("0231", "0107")
    ]
    listed = [{"staff_number": "0231", "department": "宣教部"}]
    assert leader.ask("PUT", way, {"staff": listed})["staff"] == listed
    assert leader.ask("GET", way)["staff"] == listed
    leader.ask("PUT", way, {"staff": [{"staff_number": "02 31"}]}, 422)
    leader.ask("PUT", f"/units/{other.unit.organisation.public_id}/staff-list", {"staff": []}, 404)
    declined = leader.ask("POST", f"{group}/members/{joined[1]['id']}/decline")
    assert declined["state"] == "ended"
    again = leader.ask("POST", f"{group}/members/{joined[0]['id']}/decline", expect=409)
    assert again["code"] == "membership_answered"
    Program(app, other.coordinator).ask(
        "POST", f"{group}/members/{joined[0]['id']}/decline", expect=404
    )


def test_a_household_answers_and_delivers_by_its_token(app: Flask) -> None:
    closed = closed_round(60)
    split(closed.item.id, propose(closed.item, closed.households))
    clerk, nobody = Program(app, closed.clerk), Program(app, builders.account())
    quotas = list(closed.item.quotas)
    way = f"/field/{token_of(quotas[0])}"
    assert nobody.ask("GET", way)["quantity"] == quotas[0].quantity
    nobody.ask("GET", f"{way}x", expect=404)
    assert nobody.ask("POST", f"{way}/answer", {"accept": True})["state"] == "accepted"
    odd = nobody.ask("PUT", f"{way}/yield", {"quantity": 600}, 409)
    assert odd["code"] == "looks_mistyped"
    entered = nobody.ask("PUT", f"{way}/yield", {"quantity": 28})
    assert (entered["state"], entered["yielded"], entered["by_proxy"]) == ("delivered", 28, False)
    taken = {"household_id": quotas[0].household.public_id}
    item = f"/notice-items/{closed.item.public_id}/yields/withdraw"
    nobody.ask("POST", item, taken, 403)
    stranger = Program(app, builders.account(Role.CLERK, builders.seller().organisation))
    stranger.ask("POST", item, taken, 404)
    assert clerk.ask("POST", item, taken)["yielded"] is None
    assert db.session.scalars(select(YieldEntry)).all() == []
    clerk.ask("POST", item, taken, 404)


def test_staff_see_transfers_and_refunds_page_by_page(app: Flask, staff: Program) -> None:
    buyer = builders.account()
    numbers = [bought(buyer, PaymentMethod.TRANSFER) for _ in range(3)]
    shown = pages(staff, "/transfers")
    assert [one["orders"] for one in shown] == [[number] for number in numbers]
    person = builders.account()
    for one in shown:
        confirm_transfer(one["id"], person.id)
    for order in db.session.scalars(select(Order).order_by(Order.id)).all():
        cancel(order)
    assert staff.ask("GET", "/transfers")["items"] == []
    refunds = pages(staff, "/refunds")
    assert [one["order_number"] for one in refunds] == numbers
    repay = f"/refunds/{refunds[0]['id']}/repay"
    assert staff.ask("POST", repay, {"reference": "BANK-1"})["state"] == "repaid"
    for way in ("/transfers", "/refunds"):
        Program(app, buyer).ask("GET", way, expect=403)


def test_notices_come_page_by_page_and_none_is_left_out(app: Flask, staff: Program) -> None:
    at = fair(PayMode.UNIT)
    set_needs(at.group.id, at.members[0].id, {at.eggs.id: 30, at.ginger.id: 2})
    close_due_rounds(at.closes_at)
    way = f"/rounds/{at.round.public_id}/harvest-notices"
    whole = staff.ask("GET", way)["items"]
    assert len(whole) == 2
    first = staff.ask("GET", f"{way}?page_size=1")
    second = staff.ask("GET", f"{way}?page_size=1&cursor={first['next_cursor']}")
    assert [*first["items"], *second["items"]] == whole
    assert second["next_cursor"] is None


def test_staff_choose_a_lot_by_its_name_in_their_language(app: Flask) -> None:
    row = LotRow(1, "one", "春橙", "合作社", 5, "箱", "Spring orange", "")
    said = {}
    for language in ("zh", "en"):
        with app.app_context(), app.test_request_context(headers={"Accept-Language": language}):
            said[language] = tuple(row.words().values())
    assert said == {
        "zh": ("春橙", "合作社", "5 箱"),
        "en": ("Spring orange", "合作社", "5 boxes"),
    }
