"""How often something secret may be guessed: counted in a table, so across every worker.

A try is counted before it is known whether it was right, under the row's lock: twenty at
once are twenty. Once a gate's free tries are used up it closes for a time that doubles with
every further try, up to `LONGEST`. A try at a closed gate lengthens nothing by itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, transaction
from kernel.errors import TooMany

FIRST_WAIT = timedelta(seconds=30)
LONGEST = timedelta(minutes=15)
FORGET = timedelta(hours=24)


class Throttle(Base):
    """What was tried at one gate; its key is a hash, so that it names nobody."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    tries: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(index=True)
    closed_until: Mapped[datetime | None]


@dataclass(frozen=True)
class Gate:
    """Something that is counted (`of`, any text), and how many tries are free."""

    of: str
    free: int

    @property
    def key(self) -> str:
        """The row's key."""
        return hashlib.sha256(self.of.encode()).hexdigest()


def wait_after(tries: int, free: int) -> timedelta:
    """Return how long a gate closes after that many tries."""
    if tries < free:
        return timedelta(0)
    # Beyond 2**10 it is the longest anyhow.
    return min(FIRST_WAIT * (1 << min(tries - free, 10)), LONGEST)


def enter(*gates: Gate) -> None:
    """Count one try at every gate. Raises TooMany when one is closed; nothing was tried then."""
    at = clock.now()
    free = {gate.key: gate.free for gate in gates}
    with transaction() as session:
        session.execute(
            insert(Throttle).on_conflict_do_nothing(),
            [{"key": key, "tries": 0, "last_at": at} for key in sorted(free)],
        )
        rows = session.scalars(
            select(Throttle)
            .where(Throttle.key.in_(free))
            .order_by(Throttle.key)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        for row in rows:
            if at - row.last_at > FORGET:
                row.tries, row.closed_until = 0, None
        closed = [row for row in rows if row.closed_until and row.closed_until > at]
        for row in closed or rows:
            row.tries += 1
            row.last_at = at
            if not closed and (wait := wait_after(row.tries, free[row.key])):
                row.closed_until = at + wait
        opens = max((row.closed_until for row in closed if row.closed_until), default=None)
    if opens is not None:
        # Outside the transaction, so that what was counted stays.
        raise TooMany(retry_after_s=int((opens - at).total_seconds()) + 1)


def forget(*gates: Gate) -> None:
    """It was right: open these gates and forget their tries."""
    with transaction() as session:
        session.execute(
            update(Throttle)
            .where(Throttle.key.in_([gate.key for gate in gates]))
            .values(tries=0, closed_until=None)
        )


def forgive(*gates: Gate) -> None:
    """It was right: take only this try back, so that a right one pays for no wrong ones."""
    with transaction() as session:
        session.execute(
            update(Throttle)
            .where(Throttle.key.in_([gate.key for gate in gates]), Throttle.tries > 0)
            .values(tries=Throttle.tries - 1, closed_until=None)
        )


def drop_old(before: datetime) -> None:
    """Delete what was last tried before that time."""
    with transaction() as session:
        session.execute(delete(Throttle).where(Throttle.last_at < before))
