"""A shop is peopled from the command line: organisations, targets and roles."""

from __future__ import annotations

import re

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from kernel import clock
from kernel.audit import AuditEntry
from kernel.db import db
from kernel.identity import Organisation, OrganisationKind, Role
from kernel.money import Money
from marketplace.people import PLACES
from orders.actions.group_orders import set_needs
from orders.queries.targets import target
from tests import builders
from tests.orders.fairs import fair, promised
from tests.visitors import Visitor

pytestmark = pytest.mark.usefixtures("shop")


def said(shop: Flask, *words: str) -> Result:
    """What a command says."""
    return shop.test_cli_runner().invoke(args=words)


def done(shop: Flask, *words: str) -> str:
    """What a command says that must work."""
    result = said(shop, *words)
    assert result.exit_code == 0, result.output
    return result.output


def registered(visitor: Visitor, login: str) -> None:
    """Somebody who has registered through the page, as anybody can."""
    typed = {"password": builders.PASSWORD, "again": builders.PASSWORD}
    assert visitor.send("/register", name="某岗位", login=login, **typed).status_code == 302


def test_an_empty_shop_gets_its_staff_a_unit_and_a_coordinator(
    shop: Flask, visitor: Visitor
) -> None:
    registered(visitor, "first-1")
    assert visitor.get("/staff/sellers").status_code == 403
    done(shop, "organisation", "add", "platform", "the-platform", "某平台")
    done(shop, "account", "grant", "first-1", "staff", "the-platform")
    assert visitor.get("/staff/sellers").status_code == 200

    done(shop, "unit", "add", "a-union", "某县总工会", "--city", "韶关市", "--staff", "320")
    year = clock.today().year
    for budget in ("1.00", "640,000.00"):
        done(shop, "unit", "target", "a-union", str(year), budget, "15")
    done(shop, "account", "grant", "first-1", "coordinator", "a-union")
    assert visitor.get("/unit/members").status_code == 200
    listed = done(shop, "organisation", "list")
    assert "a-union" in listed
    unit_id = db.session.scalars(
        select(Organisation.id).where(Organisation.code == "a-union")
    ).one()
    kept = target(unit_id, clock.now())
    assert kept is not None
    assert kept.goal == Money(640_000_00).percent(1500)


def test_a_steward_is_let_in_for_a_sellers_households(shop: Flask, visitor: Visitor) -> None:
    registered(visitor, "village-1")
    assert visitor.get("/field").status_code == 403
    done(shop, "account", "grant", "village-1", "steward", builders.seller().organisation.code)
    assert visitor.get("/field").status_code == 200


def test_every_role_that_somebody_holds_can_be_given() -> None:
    assert set(Role) - set(PLACES) == {Role.VISITOR, Role.CONSUMER, Role.DEVICE}


def test_a_role_that_is_ended_is_over_at_once_and_can_be_given_again(
    shop: Flask, visitor: Visitor
) -> None:
    registered(visitor, "first-1")
    done(shop, "organisation", "add", "platform", "the-platform", "某平台")
    for _ in range(2):
        done(shop, "account", "grant", "first-1", "staff", "the-platform")
        assert visitor.get("/staff/sellers").status_code == 200
        done(shop, "account", "end", "first-1", "staff", "the-platform")
        assert visitor.get("/staff/sellers").status_code == 403
    acts = db.session.scalars(select(AuditEntry.act).order_by(AuditEntry.id)).all()
    assert acts == ["organisation_added", *["role_granted", "role_ended"] * 2]


def test_an_official_whose_role_is_ended_needs_nothing_any_more(shop: Flask) -> None:
    at = fair(members=1)
    [gone] = at.members
    set_needs(at.group.id, gone.id, {at.eggs.id: 30})
    done(shop, "account", "end", gone.login, "official", at.unit.organisation.code)
    assert promised(at.eggs) == (0, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["account", "grant", "nobody", "staff", "the-platform"], "let them register first"),
        (["account", "grant", "buyer-1", "staff", "no-such"], "no organisation has the code"),
        (["account", "grant", "buyer-1", "coordinator", "the-platform"], "is a role in a buying"),
        (["account", "end", "buyer-1", "staff", "the-platform"], "没有找到"),
        (["organisation", "add", "platform", "the-platform", "又一个"], "换一个"),
        (["organisation", "add", "platform", "Bad Code", "某平台"], "小写字母"),
        (["unit", "target", "the-platform", "2026", "1.00", "15"], "is no buying unit"),
        (["unit", "target", "the-platform", "2026", "much", "15"], "is no amount in yuan"),
        (["unit", "add", "a-unit", "某单位", "--city", "韶关市", "--staff", "0"], "员工人数"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    shop: Flask, words: list[str], told: str
) -> None:
    builders.account(login="buyer-1")
    builders.organisation(OrganisationKind.PLATFORM, "某平台", code="the-platform")
    result = said(shop, *words)
    assert result.exit_code == 1
    assert told in result.output
    assert db.session.scalars(select(AuditEntry)).all() == []


def test_a_locked_account_is_out_at_once_and_comes_in_only_once_it_is_unlocked(
    shop: Flask, visitor: Visitor
) -> None:
    person = builders.account(login="person-of-staff")
    visitor.enter(person.login)
    assert visitor.get("/me/security").status_code == 200
    done(shop, "account", "lock", "Person-of-Staff")
    assert visitor.get("/me/security").status_code == 302
    assert visitor.enter(person.login).status_code == 422
    done(shop, "account", "unlock", person.login)
    assert visitor.get("/me/security").status_code == 302
    assert visitor.enter(person.login).status_code == 302
    acts = db.session.scalars(select(AuditEntry.act).order_by(AuditEntry.id)).all()
    assert acts == ["account_locked", "account_unlocked"]


def test_who_forgot_a_password_gets_another_one_and_the_old_one_is_over(
    shop: Flask, visitor: Visitor
) -> None:
    person = builders.account(login="person-of-staff")
    visitor.enter(person.login)
    said = done(shop, "account", "password", person.login)
    password = re.findall(r"signs in with (\S+)", said)[0]
    assert visitor.get("/me/security").status_code == 302
    assert visitor.enter(person.login).status_code == 422
    assert visitor.send("/sign-in", login=person.login, password=password).status_code == 302
    [entry] = db.session.scalars(select(AuditEntry))
    assert (entry.act, entry.reason) == ("password_reset", "")
