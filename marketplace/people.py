"""Commands that bring in the people of a shop: organisations, targets, and who has which role.

Buyers register by themselves, sellers register their cooperative, colleagues join their unit.
Everybody else is let in here, by whoever runs the server; what is done is remembered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from kernel import audit
from kernel.audit import Act
from kernel.db import db, transaction
from kernel.errors import Refusal
from kernel.identity import (
    Account,
    MembershipState,
    Organisation,
    OrganisationKind,
    Role,
    add_organisation,
    end_membership,
    grant,
)
from kernel.money import parse_yuan
from kernel.rescue import renew_password, set_active
from orders.actions import members
from orders.actions.units import UNIT_KINDS, add_unit, set_target

PLACES: Mapping[Role, OrganisationKind] = {
    Role.ADMIN: OrganisationKind.PLATFORM,
    Role.STAFF: OrganisationKind.PLATFORM,
    Role.AUDITOR: OrganisationKind.PLATFORM,
    Role.HOST: OrganisationKind.PLATFORM,
    Role.OPERATOR: OrganisationKind.CABINET_OPERATOR,
    Role.COORDINATOR: OrganisationKind.BUYING_UNIT,
    Role.OFFICIAL: OrganisationKind.BUYING_UNIT,
    Role.CLERK: OrganisationKind.SELLER,
    Role.STEWARD: OrganisationKind.SELLER,
}
"""The roles that are given here, and in what kind of organisation each is held."""
_ROLE = click.Choice([role.value for role in PLACES])
_KIND = click.Choice([OrganisationKind.PLATFORM.value, OrganisationKind.CABINET_OPERATOR.value])


@contextmanager
def _said() -> Iterator[None]:
    """Say a refusal in lines, and end with 1."""
    try:
        yield
    except Refusal as refusal:
        for words in refusal.fields.values() or [refusal.message]:
            click.echo(str(words), err=True)
        sys.exit(1)


def _organisation(code: str) -> Organisation:
    found = db.session.scalar(select(Organisation).where(Organisation.code == code))
    if found is None:
        raise click.ClickException(f"no organisation has the code {code}: see `organisation list`")
    return found


def _account(login: str) -> Account:
    found = db.session.scalar(select(Account).where(Account.login == login.strip().lower()))
    if found is None:
        raise click.ClickException(f"nobody has the login {login}: let them register first")
    return found


@click.group("organisation")
def organisations() -> None:
    """Organisations that people belong to; sellers register by themselves."""


@organisations.command("list")
@with_appcontext
def list_organisations() -> None:
    """List codes, kinds and names."""
    for one in db.session.scalars(
        select(Organisation).order_by(Organisation.kind, Organisation.id)
    ):
        click.echo(f"{one.code:<40} {one.kind:<18} {one.name_zh}")


@organisations.command("add")
@click.argument("kind", type=_KIND)
@click.argument("code")
@click.argument("name_zh")
@click.option("--english", default="", help="its English name")
@with_appcontext
def add(kind: str, code: str, name_zh: str, english: str) -> None:
    """Add the platform's own organisation, or one that fills cabinets."""
    with _said(), transaction():
        made = add_organisation(OrganisationKind(kind), code, name_zh, english)
        audit.note(Act.ORGANISATION_ADDED, f"organisation:{made.public_id}", account_id=None)
    click.echo(f"{code} is there")


@click.group("unit")
def units() -> None:
    """Buying units."""


@units.command("add")
@click.argument("code")
@click.argument("name_zh")
@click.option("--english", default="", help="its English name")
@click.option("--kind", type=click.Choice(UNIT_KINDS), default=UNIT_KINDS[0], show_default=True)
@click.option("--city", required=True, help="where goods are handed over")
@click.option("--staff", type=int, required=True, help="how many people work there")
@with_appcontext
def add_buying_unit(
    code: str, name_zh: str, english: str, kind: str, city: str, staff: int
) -> None:
    """Add a buying unit; its coordinator then lists its staff on the unit's page."""
    with _said(), transaction():
        made = add_unit(code, name_zh, english, kind=kind, city=city, staff=staff)
        subject = f"organisation:{made.organisation.public_id}"
        audit.note(Act.ORGANISATION_ADDED, subject, account_id=None)
    click.echo(f"{code} is there")


@units.command("target")
@click.argument("code")
@click.argument("year", type=int)
@click.argument("budget")
@click.argument("percent", type=float)
@with_appcontext
def set_unit_target(code: str, year: int, budget: str, percent: float) -> None:
    """Set what a unit sets aside in YEAR: PERCENT of its food BUDGET in yuan."""
    try:
        money = parse_yuan(budget)
    except ValueError as problem:
        raise click.ClickException(f"{budget} is no amount in yuan: write 640000.00") from problem
    unit = _organisation(code)
    if unit.kind is not OrganisationKind.BUYING_UNIT:
        raise click.ClickException(f"{code} is no buying unit")
    with _said(), transaction():
        set_target(unit.id, year, money, round(percent * 100))
        reason = f"{year}: {money}, {percent}%"
        audit.note(Act.TARGET_SET, f"organisation:{unit.public_id}", account_id=None, reason=reason)
    click.echo(f"{unit.name_zh} sets aside {percent}% of {money} in {year}")


@click.group("account")
def accounts() -> None:
    """Who has which role."""


@accounts.command("grant")
@click.argument("login")
@click.argument("role", type=_ROLE)
@click.argument("code")
@with_appcontext
def grant_role(login: str, role: str, code: str) -> None:
    """Give LOGIN a ROLE in the organisation CODE; its sessions are renewed by that."""
    account, organisation = _account(login), _organisation(code)
    place = PLACES[Role(role)]
    if organisation.kind is not place:
        raise click.ClickException(
            f"{role} is a role in a {place}; {code} is a {organisation.kind}"
        )
    with _said(), transaction():
        # A role that waited or had ended is held from now on.
        grant(account, Role(role), organisation).state = MembershipState.ACTIVE
        audit.note(
            Act.ROLE_GRANTED,
            f"account:{account.public_id}",
            account_id=None,
            reason=f"{role} {code}",
        )
    click.echo(f"{login} is {role} of {organisation.name_zh}")


@accounts.command("end")
@click.argument("login")
@click.argument("role", type=_ROLE)
@click.argument("code")
@with_appcontext
def end_role(login: str, role: str, code: str) -> None:
    """Take a ROLE in the organisation CODE from LOGIN, at once."""
    account, organisation = _account(login), _organisation(code)
    with _said(), transaction():
        if Role(role) is Role.OFFICIAL:
            members.end(organisation.id, account.id)
        else:
            end_membership(account.id, Role(role), organisation.id)
        audit.note(
            Act.ROLE_ENDED, f"account:{account.public_id}", account_id=None, reason=f"{role} {code}"
        )
    click.echo(f"{login} is no longer {role} of {organisation.name_zh}")


@accounts.command("lock")
@click.argument("login")
@with_appcontext
def lock(login: str) -> None:
    """Sign LOGIN out everywhere and let nobody in by it until it is unlocked."""
    _set_active(login, Act.ACCOUNT_LOCKED, active=False)
    click.echo(f"{login} is signed out everywhere and locked")


@accounts.command("unlock")
@click.argument("login")
@with_appcontext
def unlock(login: str) -> None:
    """Let LOGIN sign in again."""
    _set_active(login, Act.ACCOUNT_UNLOCKED, active=True)
    click.echo(f"{login} may sign in again")


def _set_active(login: str, act: Act, *, active: bool) -> None:
    account = _account(login)
    with _said(), transaction():
        set_active(account, active=active)
        audit.note(act, f"account:{account.public_id}", account_id=None)


@accounts.command("password")
@click.argument("login")
@with_appcontext
def reset_password(login: str) -> None:
    """Print another password for LOGIN, who has forgotten theirs and is signed out everywhere."""
    account = _account(login)
    with _said(), transaction():
        password = renew_password(account)
        audit.note(Act.PASSWORD_RESET, f"account:{account.public_id}", account_id=None)
    click.echo(f"{login} signs in with {password} and changes it under 我的 → 安全")
