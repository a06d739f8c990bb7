"""The whole road by API: from a closed round to each household's share in the ledger."""

from __future__ import annotations

import contextvars
import itertools
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from kernel.db import db
from kernel.identity import Account, Role, end_membership, grant
from kernel.ledger import AccountKind, Posting, balance
from kernel.quantity import MAX_WEIGHT_G
from kernel.tokens import issue_token
from orders import books
from orders.model import AllocationRun, Refund, YieldEntry
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.harvest_builders import PRICE_FEN, Closed, closed_round
from tests.visitors import Visitor

_keys = itertools.count(1)


@pytest.fixture(autouse=True)
def _context(app: Flask) -> object:
    with app.app_context():
        yield
        assert_laws_hold()


class Caller:
    """Somebody with a bearer token."""

    def __init__(self, app: Flask, account: Account) -> None:
        self._client: FlaskClient = app.test_client()
        self._token = issue_token(account, factor=True)

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """Call and return the answer's status and JSON."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": key or f"key-{next(_keys)}",
        }
        # An empty context: a request must not share what the test's own context remembers.
        answer = contextvars.Context().run(
            lambda: self._client.open("/api/v1" + path, method=method, json=body, headers=headers)
        )
        db.session.expire_all()
        return answer.status_code, answer.get_json()


def item_id(closed: Closed, caller: Caller) -> str:
    status, found = caller.ask("GET", f"/rounds/{closed.round.public_id}/harvest-notices")
    assert status == 200
    [notice] = found["items"]
    assert notice["items"][0]["quantity"] == closed.item.quantity
    return str(notice["items"][0]["id"])


def test_the_whole_road_ten_percent_short(app: Flask) -> None:
    closed = closed_round(60, 60)
    clerk, steward = Caller(app, closed.clerk), Caller(app, closed.steward)
    coordinator = Caller(app, closed.coordinator)
    staff = Caller(app, builders.account(Role.STAFF))
    item = item_id(closed, clerk)
    status, proposal = clerk.ask("GET", f"/notice-items/{item}/proposal")
    assert [one["quantity"] for one in proposal["quotas"]] == [60, 40, 20]
    status, split = clerk.ask("PUT", f"/notice-items/{item}/quotas", proposal)
    assert (status, split["to_split"]) == (200, 0)
    for quota in split["quotas"]:
        status, answered = steward.ask("POST", f"/quotas/{quota['id']}/answer", {"accept": True})
        assert (status, answered["state"], answered["by_proxy"]) == (200, "accepted", True)
    for quota, units in zip(split["quotas"], (48, 40, 20), strict=True):
        body = {"household_id": quota["household_id"], "quantity": units}
        assert steward.ask("PUT", f"/notice-items/{item}/yields", body)[0] == 200
    [notice] = clerk.ask("GET", f"/rounds/{closed.round.public_id}/harvest-notices")[1]["items"]
    assert (notice["items"][0]["yielded"], notice["items"][0]["state"]) == (108, "entered")
    status, allocated = clerk.ask("POST", f"/notice-items/{item}/allocation", {})
    assert (status, allocated["allocation"]["allocated"]) == (201, 108)
    status, packed = clerk.ask(
        "POST", "/consignments", {"group_order_id": closed.group_order.public_id}
    )
    assert (status, [one["quantity"] for one in packed["lines"]]) == (201, [54, 54])
    way = f"/consignments/{packed['id']}"
    assert clerk.ask("POST", f"{way}/sending", {"carrier": "自己送"})[0] == 200
    status, signed = coordinator.ask("POST", f"{way}/signature", {"signature": "M1 1L2 2L3 3L4 4"})
    assert status == 200
    assert signed["signed_at"]
    seller = closed.seller.organisation.public_id
    body = {"seller_id": seller, "round_id": closed.round.public_id}
    status, stated = staff.ask("POST", "/settlements", body)
    total = 108 * PRICE_FEN
    assert (status, stated["total_fen"]) == (201, total)
    assert stated["households_fen"] == total * 8500 // 10_000
    owed = -balance(books.BOOK, AccountKind.HOUSEHOLD_PAYABLE, f"seller:{seller}").fen
    assert owed == stated["households_fen"] == sum(one["amount_fen"] for one in stated["shares"])
    pay_out = f"/settlements/{stated['id']}/payout"
    proposal = {"reference": "BANK-1", "reason": "签收单齐了"}
    status, waiting = staff.ask("POST", pay_out, proposal)
    assert (status, waiting["state"], waiting["payout"]["state"]) == (200, "stated", "open")
    status, own = staff.ask("POST", f"{pay_out}/approval")
    assert (status, own["code"]) == (403, "second_person_needed")
    second = Caller(app, builders.account(Role.STAFF))
    status, paid = second.ask("POST", f"{pay_out}/approval")
    assert (status, paid["state"], paid["payout_reference"]) == (200, "paid", "BANK-1")
    status, again = staff.ask("POST", pay_out, {**proposal, "reference": "BANK-2"})
    assert (status, again["code"]) == (409, "already_paid")
    assert db.session.scalar(select(func.sum(Refund.amount_fen))) == 12 * PRICE_FEN
    assert db.session.scalar(select(func.sum(Posting.amount_fen))) == 0


def test_a_repeated_request_gets_the_same_answer_and_acts_once(app: Flask) -> None:
    closed = closed_round(50)
    clerk = Caller(app, closed.clerk)
    item = item_id(closed, clerk)
    clerk.ask("PUT", f"/notice-items/{item}/yields", {"quantity": 45})
    first = clerk.ask("POST", f"/notice-items/{item}/allocation", {}, key="once")
    again = clerk.ask("POST", f"/notice-items/{item}/allocation", {}, key="once")
    assert first == again
    assert db.session.scalar(select(func.count()).select_from(AllocationRun)) == 1
    other = clerk.ask("POST", f"/notice-items/{item}/allocation", {"policy": "equal"}, key="once")
    assert (other[0], other[1]["code"]) == (409, "idempotency_key_reused")


def test_a_figure_that_looks_mistyped_needs_confirming(app: Flask) -> None:
    closed = closed_round(50)
    clerk = Caller(app, closed.clerk)
    way = f"/notice-items/{item_id(closed, clerk)}/yields"
    status, refused = clerk.ask("PUT", way, {"quantity": 500})
    assert (status, refused["code"], refused["expected"]) == (409, "looks_mistyped", 50)
    assert db.session.scalars(select(YieldEntry)).all() == []
    assert clerk.ask("PUT", way, {"quantity": 500, "confirmed": True})[0] == 200


def test_what_belongs_to_another_seller_does_not_exist(app: Flask) -> None:
    closed = closed_round(50)
    mine = item_id(closed, Caller(app, closed.clerk))
    stranger = Caller(app, builders.account(Role.CLERK, builders.seller().organisation))
    status, found = stranger.ask("GET", f"/rounds/{closed.round.public_id}/harvest-notices")
    assert (status, found["items"]) == (200, [])
    for method, path, body in (
        ("GET", f"/notice-items/{mine}/proposal", None),
        ("PUT", f"/notice-items/{mine}/yields", {"quantity": 50}),
        ("POST", f"/notice-items/{mine}/allocation", {}),
        ("PUT", f"/notice-items/{mine}/quotas", {"quotas": [{"household_id": "x", "quantity": 1}]}),
        ("POST", "/consignments", {"group_order_id": "nothing"}),
    ):
        status, refused = stranger.ask(method, path, body)
        assert (status, refused["code"]) == (404, "not_found"), path
    assert db.session.scalars(select(YieldEntry)).all() == []


def test_a_steward_acts_only_for_the_households_entrusted_to_them(app: Flask) -> None:
    closed = closed_round(60)
    clerk = Caller(app, closed.clerk)
    item = item_id(closed, clerk)
    proposal = clerk.ask("GET", f"/notice-items/{item}/proposal")[1]
    quota = clerk.ask("PUT", f"/notice-items/{item}/quotas", proposal)[1]["quotas"][0]
    other = Caller(app, builders.account(Role.STEWARD, closed.seller.organisation))
    assert other.ask("POST", f"/quotas/{quota['id']}/answer", {"accept": True})[0] == 404
    body = {"household_id": quota["household_id"], "quantity": quota["quantity"]}
    assert other.ask("PUT", f"/notice-items/{item}/yields", body)[0] == 404
    assert other.ask("PUT", f"/notice-items/{item}/yields", {"quantity": 60})[0] == 404
    assert db.session.scalars(select(YieldEntry)).all() == []


def test_a_steward_of_another_seller_acts_for_no_household_that_still_names_them(
    app: Flask,
) -> None:
    closed = closed_round(60)
    clerk, steward = Caller(app, closed.clerk), Caller(app, closed.steward)
    item = item_id(closed, clerk)
    proposal = clerk.ask("GET", f"/notice-items/{item}/proposal")[1]
    quota = clerk.ask("PUT", f"/notice-items/{item}/quotas", proposal)[1]["quotas"][0]
    grant(closed.steward, Role.STEWARD, builders.seller().organisation)
    end_membership(closed.steward.id, Role.STEWARD, closed.seller.id)
    assert steward.ask("POST", f"/quotas/{quota['id']}/answer", {"accept": True})[0] == 404
    body = {"household_id": quota["household_id"], "quantity": quota["quantity"]}
    assert steward.ask("PUT", f"/notice-items/{item}/yields", body)[0] == 404
    page = Visitor(app, app.response_class)
    page.enter(closed.steward.login)
    assert f"{quota['quantity']}" not in page.page("/field")
    assert db.session.scalars(select(YieldEntry)).all() == []


def test_a_steward_reads_nothing_of_other_households_in_the_answer(app: Flask) -> None:
    closed = closed_round(60)
    clerk, steward = Caller(app, closed.clerk), Caller(app, closed.steward)
    item = item_id(closed, clerk)
    proposal = clerk.ask("GET", f"/notice-items/{item}/proposal")[1]
    quotas = clerk.ask("PUT", f"/notice-items/{item}/quotas", proposal)[1]["quotas"]
    for quota in quotas:
        body = {"household_id": quota["household_id"], "quantity": quota["quantity"]}
        status, answer = steward.ask("PUT", f"/notice-items/{item}/yields", body)
        assert status == 200
        shown = [one["household_id"] for one in (*answer["quotas"], *answer["yields"])]
        assert shown == [quota["household_id"]] * 2
    assert len(quotas) == len(closed.households)


def test_unknown_fields_and_a_missing_key_are_refused(app: Flask) -> None:
    closed = closed_round(50)
    clerk = Caller(app, closed.clerk)
    way = f"/notice-items/{item_id(closed, clerk)}/yields"
    assert clerk.ask("PUT", way, {"quantity": 50, "colour": "green"})[0] == 422
    token = issue_token(closed.clerk)
    headers = {"Authorization": f"Bearer {token}"}
    answer = contextvars.Context().run(
        lambda: app.test_client().put("/api/v1" + way, json={"quantity": 50}, headers=headers)
    )
    assert answer.get_json()["code"] == "idempotency_key_missing"
    assert db.session.scalars(select(YieldEntry)).all() == []


def test_a_large_harvest_may_be_weighed(app: Flask) -> None:
    closed = closed_round(50)
    clerk = Caller(app, closed.clerk)
    way = f"/notice-items/{item_id(closed, clerk)}/yields"
    body = {"household_id": None, "quantity": 3000, "weight_g": 15_000_000, "confirmed": True}
    assert clerk.ask("PUT", way, body)[0] == 200
    assert clerk.ask("PUT", way, {**body, "weight_g": MAX_WEIGHT_G + 1})[0] == 422
