"""Keeps Python 3.11 from freeing what SQLAlchemy's ORM still uses.

The attributes of all instances of a class share one table of names until a name comes that has
no room in it: then the instance gets a dictionary of its own. Making that dictionary may start
a garbage collection. Where it finds the mapped object of the very `InstanceState` that is being
changed, SQLAlchemy's weakref callback changes the same state, and Python 3.11 goes on with
memory that the callback freed: a process that had read thousands of rows died of it, or later
of what it had damaged. From Python 3.12 on no collection starts at such a place.

So every name that a state may ever have gets its room before the first state is made.
"""

from __future__ import annotations

from sqlalchemy.orm.state import InstanceState

MEMOIZED = ("attrs", "mapper", "parents", "_empty_collections", "_pending_mutations")
MOST_SHARED = 30
"""So many names Python shares at most among the instances of a class."""


def names() -> list[str]:
    """Return every attribute that a state keeps in its dictionary."""
    declared = [
        name for name in InstanceState.__annotations__ if name not in InstanceState.__slots__
    ]
    return [*declared, *MEMOIZED]


def share_names() -> None:
    """Let all states share these names. To be called before any mapped object exists."""
    first = InstanceState.__new__(InstanceState)
    for name in names():
        setattr(first, name, None)
