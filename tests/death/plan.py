"""Which kills there are: who dies, and at which named moment of which endpoint or job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.death.moments import (
    AFTER_CALL,
    AFTER_COMMIT,
    BEFORE_CALL,
    BEFORE_COMMIT,
    BEFORE_RESPONSE,
    JOBS,
    WEB,
)


class Victim(StrEnum):
    """Who gets the signal: the process that stands at the moment, or PostgreSQL under it."""

    STANDING = "itself"
    POSTMASTER = "postmaster"
    BACKEND = "backend"


@dataclass(frozen=True)
class Kill:
    """One kill -9: of `victim`, while a process of `role` stands at `point` of `where`."""

    victim: Victim
    role: str
    point: str
    where: str

    @property
    def moment(self) -> str:
        """The name under which processes know the moment."""
        return f"{self.role}.{self.point}.{self.where}"

    @property
    def who(self) -> str:
        """Whom the signal reaches, in words."""
        if self.victim is Victim.STANDING:
            return "web worker" if self.role == WEB else "job worker"
        return f"PostgreSQL {self.victim}"


PLACE, PAY, BACK = "orders_api.place_order", "pay.go", "pay.back"
GIVE_UP, HOOK = "orders.give_up", "webhooks.stripe"
REFUND, ASK, LEARN = "payments.refund", "payments.ask", "payments.learn"
SEAL, LAPSE = "ledger.seal", "orders.lapse"


def _kills(victim: Victim, role: str, moments: dict[str, tuple[str, ...]]) -> list[Kill]:
    return [Kill(victim, role, point, where) for point, at in moments.items() for where in at]


def _taken_in_turns(*lists: list[Kill]) -> tuple[Kill, ...]:
    """Mix the lists evenly, so that one victim comes back while another one is killed."""
    placed = [
        ((number + 0.5) / len(kills), order, kill)
        for order, kills in enumerate(lists)
        for number, kill in enumerate(kills)
    ]
    return tuple(kill for _, _, kill in sorted(placed, key=lambda one: one[:2]))


_OF_WEB = _kills(
    Victim.STANDING,
    WEB,
    {
        BEFORE_COMMIT: (PLACE, HOOK, GIVE_UP, PAY),
        AFTER_COMMIT: (PLACE, HOOK, GIVE_UP, PAY),
        BEFORE_CALL: (PAY, BACK),
        AFTER_CALL: (PAY, BACK),
        BEFORE_RESPONSE: (PLACE, HOOK, GIVE_UP, PAY),
    },
)
_OF_JOBS = _kills(
    Victim.STANDING,
    JOBS,
    {
        BEFORE_COMMIT: (REFUND, ASK, LEARN, SEAL, LAPSE),
        AFTER_COMMIT: (REFUND, ASK, LEARN, SEAL, LAPSE),
        BEFORE_CALL: (REFUND, ASK, LEARN),
        AFTER_CALL: (REFUND, ASK, LEARN),
    },
)
_OF_POSTMASTER = _kills(
    Victim.POSTMASTER,
    WEB,
    {
        BEFORE_COMMIT: (PLACE,),
        AFTER_COMMIT: (HOOK,),
        BEFORE_CALL: (PAY,),
        AFTER_CALL: (PAY,),
        BEFORE_RESPONSE: (GIVE_UP,),
    },
) + _kills(
    Victim.POSTMASTER,
    JOBS,
    {BEFORE_COMMIT: (REFUND,), AFTER_COMMIT: (ASK,), BEFORE_CALL: (LEARN,), AFTER_CALL: (REFUND,)},
)
_OF_BACKEND = _kills(
    Victim.BACKEND,
    WEB,
    {BEFORE_COMMIT: (PLACE, HOOK, GIVE_UP, PAY), AFTER_COMMIT: (PLACE, HOOK)},
) + _kills(Victim.BACKEND, JOBS, {BEFORE_COMMIT: (REFUND, LEARN), AFTER_COMMIT: (SEAL,)})

FIFTY = _taken_in_turns(_OF_JOBS, _OF_WEB, _OF_POSTMASTER, _OF_BACKEND)

SHORT = (
    Kill(Victim.STANDING, JOBS, BEFORE_COMMIT, LAPSE),
    Kill(Victim.STANDING, WEB, BEFORE_COMMIT, PLACE),
    Kill(Victim.STANDING, WEB, AFTER_COMMIT, PLACE),
    Kill(Victim.STANDING, WEB, BEFORE_CALL, PAY),
    Kill(Victim.POSTMASTER, WEB, BEFORE_COMMIT, HOOK),
    Kill(Victim.STANDING, JOBS, AFTER_CALL, REFUND),
    Kill(Victim.STANDING, WEB, AFTER_CALL, PAY),
    Kill(Victim.STANDING, WEB, BEFORE_RESPONSE, HOOK),
    Kill(Victim.BACKEND, WEB, BEFORE_COMMIT, GIVE_UP),
    Kill(Victim.STANDING, WEB, BEFORE_RESPONSE, PLACE),
    Kill(Victim.STANDING, JOBS, AFTER_COMMIT, LEARN),
)
"""Every victim and every point, in an order in which one comes back while others die."""
