"""Cash at a counter: who takes it, and who gives it back."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from kernel.db import db, public_code
from kernel.identity import OrganisationKind, Role
from kernel.tokens import issue_token
from orders.model import (
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from tests import builders
from tests.laws import assert_laws_hold
from tests.marketplace.purchases import bearer, key, order_body, orders
from tests.visitors import Visitor


def test_cash_is_taken_only_at_a_counter(visitor: Visitor) -> None:
    offer = builders.offer()
    body = order_body(offer, payment="cash", recipient=None)
    denied = visitor.post("/api/v1/orders", json=body, headers=key())
    assert (denied.status_code, denied.get_json()["code"]) == (403, "cash_at_counter_only")
    assert orders() == []
    platform = builders.organisation(OrganisationKind.PLATFORM)
    staff = builders.account(Role.STAFF, platform, login="staff-1")
    unproved = {**bearer(visitor, "staff-1"), **key()}
    asked = visitor.post("/api/v1/orders", json=body, headers=unproved)
    assert (asked.status_code, asked.get_json()["code"]) == (403, "second_factor_needed")
    assert orders() == []
    known = {"Authorization": f"Bearer {issue_token(staff, factor=True)}", **key()}
    taken = visitor.post("/api/v1/orders", json=body, headers=known)
    assert taken.status_code == 201
    assert (taken.get_json()["state"], taken.get_json()["pay_url"]) == ("confirmed", None)
    [order] = orders()
    assert order.state == OrderState.CONFIRMED
    assert db.session.scalars(select(Payment.state)).one() == PaymentState.CAPTURED


def test_an_operator_takes_cash_with_a_second_factor_only(visitor: Visitor) -> None:
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR)
    operator = builders.account(Role.OPERATOR, company, login="operator-1")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    asked = visitor.post(
        "/api/v1/orders", json=body, headers={**bearer(visitor, "operator-1"), **key()}
    )
    assert (asked.status_code, asked.get_json()["code"]) == (403, "second_factor_needed")
    assert orders() == []
    proved = {"Authorization": f"Bearer {issue_token(operator, factor=True)}", **key()}
    assert visitor.post("/api/v1/orders", json=body, headers=proved).status_code == 201


def test_whoever_took_cash_does_not_make_it_a_debt_alone(visitor: Visitor) -> None:
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR)
    operator = builders.account(Role.OPERATOR, company, login="operator-1")
    platform = builders.organisation(OrganisationKind.PLATFORM)
    staff = builders.account(Role.STAFF, platform, login="staff-1")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    token = {"Authorization": f"Bearer {issue_token(operator, factor=True)}"}
    made = visitor.post("/api/v1/orders", json=body, headers={**token, **key()})
    number = made.get_json()["number"]

    def cancelled(token: dict[str, str]) -> tuple[int, str | None]:
        answer = visitor.post(
            f"/api/v1/orders/{number}/cancel", headers={**token, **key(public_code())}
        )
        return answer.status_code, answer.get_json().get("code")

    assert cancelled(token) == (403, "second_person_needed")
    assert cancelled(bearer(visitor, "staff-1")) == (403, "second_factor_needed")
    assert db.session.scalars(select(Refund.id)).all() == []
    proved = {"Authorization": f"Bearer {issue_token(staff, factor=True)}"}
    assert cancelled(proved) == (200, None)
    assert db.session.scalars(select(Refund.state)).one() is RefundState.DEBT
    assert_laws_hold()


def test_the_page_lets_a_second_person_cancel_what_was_paid_in_cash(
    shop: Flask, visitor: Visitor
) -> None:
    platform = builders.organisation(OrganisationKind.PLATFORM)
    taker = builders.account(Role.STAFF, platform, login="staff-1")
    builders.account(Role.STAFF, platform, login="staff-2")
    body = order_body(builders.offer(), payment="cash", recipient=None)
    token = {"Authorization": f"Bearer {issue_token(taker, factor=True)}", **key()}
    number = visitor.post("/api/v1/orders", json=body, headers=token).get_json()["number"]
    second = Visitor(shop, shop.response_class)
    for who, login, shown in ((visitor, "staff-1", False), (second, "staff-2", True)):
        who.enter(login)
        assert (f"/orders/{number}/cancel" in who.page(f"/orders/{number}")) is shown
    second.show_factor()
    key_field = {"idempotency_key": "cancel-1"}
    assert visitor.send(f"/orders/{number}/cancel", **key_field).status_code == 403
    assert second.send(f"/orders/{number}/cancel", **key_field).status_code == 302
