"""Loading the demo. One that is ended on the way is known by its mark, and loaded anew."""

from __future__ import annotations

import random

import click
from flask import current_app
from sqlalchemy import exists, select, text

from kernel import clock, ledger
from kernel.db import db, metadata, transaction
from kernel.identity import Account
from kernel.settings import Environment
from livestream.first_rows import FIRST_ROWS
from marketplace.check.books import KEPT
from marketplace.demo import channels, harvests, people, shelves, till, trade
from marketplace.demo.diary import Diary
from marketplace.demo.world import World
from orders import books

DAYS = 91
SEED = 2020


UNFINISHED = "half a demo, which nobody has used: the next start drops it"
"""The comment on the table of accounts while a demo is being loaded."""


class NotLoaded(Exception):
    """The demo was not loaded; the message says why. Nothing was changed."""


def prepare() -> None:
    """Load the demo into an empty database, and anew where one was ended while it loaded."""
    if _is_unfinished():
        reset()
    elif _is_empty():
        load()


def load() -> None:
    """Fill an empty database with the demo. Raises NotLoaded in production or if not empty."""
    _refuse_production()
    if not _is_empty():
        raise NotLoaded("The database is not empty. `make demo` drops everything and reloads.")
    _replay()


def reset() -> None:
    """Drop every row and load the demo anew. Raises NotLoaded in production."""
    _refuse_production()
    tables = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
    with transaction() as session:
        for table in KEPT:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        for table in KEPT:
            session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        for statement in FIRST_ROWS:
            session.execute(text(statement))
    db.session.remove()
    load()


def _replay() -> None:
    _mark(UNFINISHED)
    click.echo("Loading the demo")
    diary = Diary(clock.now(), click.echo)
    world = World(diary, random.Random(SEED))  # noqa: S311 - dice, not secrets
    diary.at(diary.ago(DAYS, 8), lambda: people.settle(world))
    diary.at(diary.ago(DAYS, 9), lambda: shelves.stock(world))
    trade.shop(world)
    channels.broadcast(world)
    channels.cabinets(world)
    harvests.hold(world)
    diary.replay()
    till.learn(world)
    while ledger.seal(books.BOOK):
        continue
    _mark("")
    click.echo(f"  {diary.done} things have happened in {DAYS} days")


def _is_empty() -> bool:
    return not db.session.scalar(select(exists().select_from(Account)))


def _is_unfinished() -> bool:
    said = db.session.scalar(text("SELECT obj_description('account'::regclass, 'pg_class')"))
    return bool(said == UNFINISHED)


def _mark(words: str) -> None:
    with transaction() as session:
        session.execute(text(f"COMMENT ON TABLE account IS '{words}'"))


def _refuse_production() -> None:
    if current_app.extensions["settings"].environment is Environment.PRODUCTION:
        raise NotLoaded("The demo is never loaded in production.")
