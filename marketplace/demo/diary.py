"""A history that is replayed: what happened when, in order, with the clock held there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush

from kernel import clock
from kernel.db import db, transaction

Act = Callable[[], object]
SAY_EVERY = 150
"""How many acts pass between two lines of progress."""
AT_ONCE = 20
"""How many acts share a transaction: few enough to stay small, many enough to be quick."""


@dataclass
class Diary:
    """Acts with their moments. An act may write further acts, never into the past."""

    now: datetime
    say: Callable[[str], None]
    acts: list[tuple[datetime, int, Act]] = field(default_factory=list)
    written: int = 0
    done: int = 0

    def at(self, moment: datetime, act: Act) -> None:
        """Let `act` happen at `moment`; what would be in the future never happens."""
        if moment <= self.now:
            heappush(self.acts, (moment, self.written, act))
            self.written += 1

    def ago(self, days: int, hour: int, minute: int = 0) -> datetime:
        """Return the hour in Shanghai so many days before today (negative: after it)."""
        day = clock.local(self.now).date() - timedelta(days=days)
        return clock.at_local(day, hour, minute)

    def replay(self) -> None:
        """Do everything in the order of its moments, some acts to a transaction."""
        while self.acts:
            with transaction():
                for _ in range(min(AT_ONCE, len(self.acts))):
                    self._next()
            db.session.expunge_all()

    def _next(self) -> None:
        moment, _, act = heappop(self.acts)
        with clock.frozen(moment):
            act()
        self.done += 1
        if self.done % SAY_EVERY == 0:
            self.say(f"  {clock.local(moment):%Y-%m-%d}: {self.done} things have happened")
