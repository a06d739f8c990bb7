"""Commands: `flask check`, `flask demo`, `flask worker`, `flask cabinet`, and who is let in."""

from __future__ import annotations

import sys

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import select

from cabinets import cli as cabinets
from kernel import crypt, factor
from kernel.db import db
from kernel.identity import Account, sign_out_everywhere
from marketplace import check as laws
from marketplace import people, worker
from marketplace.demo import loading


@click.command("check")
@with_appcontext
def check() -> None:
    """Look at every law over the whole database; exit 1 when anything breaks one."""
    findings = laws.check()
    for finding in findings:
        click.echo(laws.said(finding))
    for finding in laws.examine(laws.WAITING):
        for fault in finding.faults[: laws.SHOWN]:
            click.echo(f"waits  {finding.law.name:<22} {fault}")
    broken = sum(not finding.holds for finding in findings)
    counted = sum(finding.counted for finding in findings)
    click.echo(f"{len(findings)} laws over {counted} things: {broken or 'none'} broken")
    if broken:
        sys.exit(1)


@click.group("demo")
def demo_group() -> None:
    """The demo: what to try the marketplace with."""


@demo_group.command("load")
@with_appcontext
def load_demo() -> None:
    """Drop everything and load the demo afresh; never in production."""
    try:
        loading.reset()
    except loading.NotLoaded as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(1)


@demo_group.command("code")
def demo_code() -> None:
    """Print the code that the demo's staff need now, to confirm money; each works once."""
    click.echo(factor.code_now(factor.DEMO_SECRET))


@click.group("factor")
def factor_group() -> None:
    """Second factors."""


@factor_group.command("remove")
@click.argument("login")
@with_appcontext
def remove_factor(login: str) -> None:
    """Take away the second factor of LOGIN, whose owner has lost phone and recovery codes."""
    account = db.session.scalar(select(Account).where(Account.login == login.strip().lower()))
    if account is None:
        click.echo(f"nobody has the login {login}", err=True)
        sys.exit(1)
    factor.take_away(account)
    sign_out_everywhere(account)
    click.echo(f"{login} is signed out everywhere and sets up a new second factor")


@click.group("data-key")
def data_key_group() -> None:
    """The keys that encrypt personal data."""


@data_key_group.command("renew")
@with_appcontext
def renew_data_key() -> None:
    """Encrypt everything anew with the first key of DATA_KEY, so that the others may go."""
    click.echo(f"{crypt.renew()} values are encrypted with the first key")


def register(app: Flask) -> None:
    """Add every command to `app`."""
    app.cli.add_command(check)
    app.cli.add_command(demo_group)
    app.cli.add_command(factor_group)
    app.cli.add_command(data_key_group)
    for group in (people.organisations, people.units, people.accounts):
        app.cli.add_command(group)
    app.cli.add_command(worker.command)
    app.cli.add_command(cabinets.cabinet)
