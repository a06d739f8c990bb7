"""The coordinator's and two colleagues' way through the API."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel.db import transaction
from kernel.identity import Account, Membership, Role
from kernel.paging import encode
from kernel.tokens import issue_token
from orders.actions.group_orders import set_needs
from orders.actions.rounds import add_offer, create_round
from sellers.actions.stock import close_lot
from sellers.model import LotMode
from tests import builders
from tests.laws import assert_laws_hold
from tests.orders.fairs import fair, plan, promised


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
        assert_laws_hold()


def bearer(account: Account, key: str = "") -> dict[str, str]:
    """Headers of a request by `account`."""
    return {"Authorization": f"Bearer {issue_token(account)}", "Idempotency-Key": key}


def test_from_opening_to_closing(client: FlaskClient) -> None:
    at = fair()
    unit = builders.buying_unit()
    leader = builders.account(Role.COORDINATOR, unit.organisation)
    listed = client.get("/api/v1/rounds").get_json()["items"]
    assert [one["id"] for one in listed] == [at.round.public_id]
    offer = listed[0]["offers"][0]["id"]
    opened = client.post(
        f"/api/v1/rounds/{at.round.public_id}/group-orders",
        json={"pay_mode": "members"},
        headers=bearer(leader, "open"),
    )
    assert opened.status_code == 201, opened.text
    group = opened.get_json()
    code = group["join_url"].rsplit("/", 1)[1]
    path = f"/api/v1/group-orders/{group['id']}"
    people = {"0231": builders.account(), "0107": builders.account()}
    for number, person in people.items():
        joined = client.post(
            f"/api/v1/join/{code}",
            json={"staff_number": number, "department": "办公室"},
            headers=bearer(person),
        ).get_json()
        assert joined["state"] == "pending"
        needs = {"needs": [{"offer_id": offer, "quantity": 30}]}
        denied = client.put(f"{path}/needs", json=needs, headers=bearer(person, "n"))
        assert denied.status_code in {403, 404}
        client.post(f"{path}/members/{joined['id']}/approve", headers=bearer(leader))
        kept = client.put(f"{path}/needs", json=needs, headers=bearer(person, "n1"))
        assert kept.status_code == 200, kept.text
        assert kept.get_json()["total_fen"] == 4500
        again = client.put(f"{path}/needs", json=needs, headers=bearer(person, "n1"))
        assert again.get_json() == kept.get_json()
        assert client.get(path, headers=bearer(person)).get_json()["total_fen"] is None
    seen = client.get(path, headers=bearer(leader)).get_json()
    assert (seen["people"], seen["total_fen"]) == (2, 9000)
    assert promised(at.eggs) == (60, 60)
    closed = client.post(f"{path}/close", headers=bearer(leader, "close")).get_json()
    assert closed["state"] == "closed"
    late = client.put(f"{path}/needs", json={"needs": []}, headers=bearer(people["0107"], "n2"))
    assert late.status_code == 409
    assert late.get_json()["code"] == "group_order_closed"
    assert promised(at.eggs) == (60, 60)


def test_a_member_sees_its_needs_of_a_lot_that_its_seller_closed(client: FlaskClient) -> None:
    at = fair()
    member = at.members[0]
    set_needs(at.group.id, member.id, {at.eggs.id: 30})
    close_lot(at.eggs.lot_id)
    path = f"/api/v1/group-orders/{at.group.public_id}"
    needs = [{"offer_id": at.eggs.public_id, "quantity": 30}]
    assert client.get(path, headers=bearer(member)).get_json()["my_needs"] == needs
    kept = client.put(f"{path}/needs", json={"needs": needs}, headers=bearer(member, "same"))
    assert (kept.status_code, kept.get_json()["needs"]) == (200, needs)
    less = client.put(f"{path}/needs", json={"needs": []}, headers=bearer(member, "less"))
    assert (less.status_code, less.get_json()["code"]) == (409, "offer_closed")


def test_writes_need_a_key_and_known_fields(client: FlaskClient) -> None:
    at = fair()
    path = f"/api/v1/group-orders/{at.group.public_id}/needs"
    member = at.members[0]
    needs = [{"offer_id": at.eggs.public_id, "quantity": 30}]
    missing = client.put(path, json={"needs": needs}, headers=bearer(member))
    assert (missing.status_code, missing.get_json()["code"]) == (400, "idempotency_key_missing")
    unknown = client.put(path, json={"needs": needs, "x": 1}, headers=bearer(member, "k"))
    assert unknown.status_code == 422
    twice = client.put(path, json={"needs": needs * 2}, headers=bearer(member, "k"))
    assert (twice.status_code, twice.get_json()["code"]) == (422, "offer_repeated")
    assert promised(at.eggs) == (0, 0)


@pytest.mark.parametrize(
    ("language", "which", "once"),
    [
        ("zh", "你管着几个单位，写明是哪一个。", "同一个上架只写一次。"),
        ("en", "You coordinate several units: say which one.", "Name each offer only once."),
    ],
)
def test_refusals_are_said_in_the_callers_language(
    client: FlaskClient, language: str, which: str, once: str
) -> None:
    at, second = fair(), builders.buying_unit()
    with transaction() as session:
        leads = {"role": Role.COORDINATOR, "organisation_id": second.id}
        session.add(Membership(account_id=at.coordinator.id, **leads))
    asked = client.post(
        f"/api/v1/rounds/{at.round.public_id}/group-orders",
        json={"pay_mode": "members"},
        headers={**bearer(at.coordinator, "open"), "Accept-Language": language},
    ).get_json()
    assert (asked["code"], asked["fields"]) == ("unit_needed", {"unit_id": which})
    twice = client.put(
        f"/api/v1/group-orders/{at.group.public_id}/needs",
        json={"needs": [{"offer_id": at.eggs.public_id, "quantity": 30}] * 2},
        headers={**bearer(at.members[0], "k"), "Accept-Language": language},
    ).get_json()
    assert (twice["code"], twice["fields"]) == ("offer_repeated", {"needs": once})


def test_rounds_come_page_by_page_by_their_cut_off(client: FlaskClient) -> None:
    made = [create_round(plan(timedelta(days=days))) for days in (3, 1, 2)]
    lot = builders.lot(builders.product(builders.seller()), mode=LotMode.IN_FIELD)
    for one in made:
        add_offer(one.id, lot.id, 4700)
    wanted = [made[1].public_id, made[2].public_id, made[0].public_id]
    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        way = "/api/v1/rounds?page_size=2" + (f"&cursor={cursor}" if cursor else "")
        page = client.get(way).get_json()
        seen.append([one["id"] for one in page["items"]])
        cursor = page["next_cursor"]
    assert seen == [wanted[:2], wanted[2:]]


@pytest.mark.parametrize("cursor", ["x", encode(10**12), encode("1"), encode(10**18)])
def test_a_cursor_that_leads_nowhere_is_refused(client: FlaskClient, cursor: str) -> None:
    fair()
    answer = client.get(f"/api/v1/rounds?cursor={cursor}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "cursor_invalid")
    assert client.get("/api/v1/rounds?page_size=0").status_code == 422
    assert client.get("/api/v1/rounds?unknown=1").status_code == 422
