"""Rows by the thousand are let go of without harm, whenever the garbage is collected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernel import orm_states

ROOT = Path(__file__).resolve().parents[2]

LETTING_GO = """
import gc
import sys

from sqlalchemy import create_engine, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.state import InstanceState

if sys.argv[1] == "shared":
    from kernel import orm_states

    orm_states.share_names()


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)


engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(insert(Thing), [{"id": number} for number in range(1, 301)])
for later in range(80):
    session = Session(engine)
    gc.disable()
    things = session.query(Thing).all()
    for thing in things:
        thing.__dict__["itself"] = [thing]  # only the collector lets go of it
    states = list(session.identity_map.all_states())
    if later == 0:
        states[0].parents, states[0]._pending_mutations
    del things, thing
    # A little later each time, so that once it comes while a state is being changed.
    gc.set_threshold(gc.get_count()[0] + later, 1, 1)
    gc.enable()
    InstanceState._detach_states(iter(states), session)
    gc.disable()
    gc.set_threshold(700, 10, 10)
    session.close()
    del states
    gc.collect()
"""


def ended(how: str) -> int:
    """How a process ends that lets go of rows while the garbage is collected."""
    command = [sys.executable, "-c", LETTING_GO, how]
    # Memory that was freed is overwritten at once, so that whoever still uses it is found.
    environ = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=120)
    return done.returncode


def test_rows_are_let_go_of_while_the_garbage_is_collected() -> None:
    assert ended("shared") == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="only Python 3.11 collects there")
def test_without_shared_names_the_process_dies_of_it() -> None:
    assert ended("as it is") < 0


def test_python_shares_as_many_names_as_a_state_may_have() -> None:
    assert len(orm_states.names()) <= orm_states.MOST_SHARED
