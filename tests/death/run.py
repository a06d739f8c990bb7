"""One run: a shop, its buyers, a list of kills, quiet, and the audit."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from subprocess import Popen

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from kernel import clock
from kernel.db import db
from kernel.tokens import issue_token
from orders import jobs as orders_jobs
from orders.payments import reconcile
from tests import builders
from tests.death.audit import Verdict, audit
from tests.death.buyers import Buyer, Witness
from tests.death.killer import Killed, Killer, NeverReached
from tests.death.moments import JOBS, WEB
from tests.death.plan import Kill, Victim
from tests.death.shop import Shop, ask_for, until

ACCOUNTS, GUESTS = 4, 2
STOCK = (12, 25, 50, 100_000, 100_000, 100_000)
"""How many units of each offer there are: some sell out, some never do."""
MOMENT_PATIENCE_S = 60.0
ASK_AGAIN_S = 2.0
WITNESS_PATIENCE_S = 20.0
QUIET_PATIENCE_S = 240.0
LATER = timedelta(hours=1)

_DUE_NOW = {
    # What a minute of waiting would make due; the clock of a run is not that patient.
    "payments.ask": "UPDATE payment SET asked_at = asked_at - interval '2 minutes'"
    " WHERE session_url IS NOT NULL",
    "payments.refund": "UPDATE refund SET asked_at = asked_at - interval '2 minutes'"
    " WHERE state = 'pending'",
    "orders.lapse": "UPDATE orders SET expires_at = now() WHERE id IN (SELECT id FROM orders"
    " WHERE state = 'due' ORDER BY id LIMIT 3)",
}


@dataclass
class Outcome:
    """What became of a run."""

    killed: list[Killed] = field(default_factory=list)
    back_after_s: list[float] = field(default_factory=list)
    witness: Witness = field(default_factory=Witness)
    verdict: Verdict = field(default_factory=Verdict)
    troubles: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def orders(self) -> int:
        """How many orders were answered."""
        return sum(intent.answer is not None for intent in self.witness.intents)


class Buying:
    """A shop with goods, and buyers who can be started."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.witness = Witness()
        self.buyers: list[Buyer] = []
        with shop.app.app_context():
            lots = [builders.lot(builders.product(builders.seller()), units) for units in STOCK]
            self.offers = [builders.offer(lot).public_id for lot in lots]
            builders.credit_source()
            people = [builders.account() for _ in range(ACCOUNTS)]
            self.people = [(one.id, issue_token(one)) for one in people] + [(None, None)] * GUESTS
            db.session.remove()

    @contextmanager
    def going_on(self, **how: bool) -> Iterator[None]:
        """Let everybody buy meanwhile; afterwards each has ended what was begun."""
        for seed, (account_id, token) in enumerate(self.people):
            self.buyers.append(
                Buyer(
                    self.shop.url,
                    token,
                    account_id,
                    self.offers,
                    self.shop.sandbox,
                    self.witness,
                    seed=seed,
                    **how,
                )
            )
        for buyer in self.buyers:
            buyer.start()
        try:
            yield
        finally:
            for buyer in self.buyers:
                buyer.stop()
            for buyer in self.buyers:
                buyer.join()
            self.buyers.clear()

    def wait_for_a_payment(self) -> None:
        """Return when the sandbox has taken money that the books do not have."""
        until(
            lambda: bool(audit(self.shop, self.witness).unrecorded),
            MOMENT_PATIENCE_S,
            "somebody has paid",
        )


def run(kills: Sequence[Kill], say: Callable[[str], None]) -> Outcome:
    """Open a shop, carry out `kills` while buyers buy, and audit what is left.

    Dead workers' jobs are waited for as long as in real life. Raises NeverReached when a moment
    does not come, NotWhole when the shop does not come back by itself.
    """
    began = time.monotonic()
    outcome = Outcome()
    with Shop() as shop:
        say(f"open after {time.monotonic() - began:.1f} s: {len(kills)} kills to come")
        buying = Buying(shop)
        carry_out(kills, buying, outcome, say)
        say("quiet: every webhook, refund and job comes to its end")
        come_to_rest(shop, patient=True)
        outcome.witness = buying.witness
        outcome.verdict = audit(shop, buying.witness)
        outcome.troubles = shop.troubles
    outcome.took_s = time.monotonic() - began
    return outcome


def carry_out(
    kills: Sequence[Kill], buying: Buying, outcome: Outcome, say: Callable[[str], None], **how: bool
) -> None:
    """Carry out `kills` while buyers buy, and return when the shop is whole again."""
    shop = buying.shop
    killer = Killer(shop.moments)
    with closing(killer), buying.going_on(**how):
        for number, kill in enumerate(kills, 1):
            struck = time.monotonic()
            outcome.killed.append(_strike(shop, killer, kill))
            if kill.victim is not Victim.STANDING:
                outcome.back_after_s.append(shop.wait_until_whole())
            killed = outcome.killed[-1]
            say(
                f"{number:>3}/{len(kills)}  {kill.who:<21} {kill.moment:<44} pid {killed.pid:<7}"
                f" {killed.proof}; {time.monotonic() - struck:.1f} s"
            )
    shop.wait_until_whole()


def _strike(shop: Shop, killer: Killer, kill: Kill) -> Killed:
    """Bring the moment about, kill, and add what the survivors say of the death."""
    deadline = time.monotonic() + MOMENT_PATIENCE_S
    killed, seen = None, [shop.job_worker().process]
    while killed is None:
        if kill.role == JOBS:
            _make_due(shop, kill.where)
        try:
            killed = killer.strike(kill, ASK_AGAIN_S, shop.cluster.pid())
        except NeverReached:
            if time.monotonic() > deadline:
                raise
        # One that lost its database may have been replaced before it was struck.
        seen.append(shop.job_worker().process)
    worker = next((one for one in seen if one is not None and one.pid == killed.pid), None)
    return replace(killed, proof=f"{killed.proof}, {_survivors_say(shop, killed, worker)}")


def _survivors_say(shop: Shop, killed: Killed, worker: Popen[bytes] | None) -> str:
    """Wait until whoever looks after the victim has noticed its death, and say how."""
    kill, pid = killed.kill, killed.pid
    if kill.victim is Victim.POSTMASTER:
        until(
            lambda: shop.cluster.pid() not in (None, pid), WITNESS_PATIENCE_S, "another postmaster"
        )
        return "another postmaster took over"
    if kill.victim is Victim.BACKEND:
        said = f"(PID {pid}) was terminated by signal 9"
        until(lambda: said in shop.postgres_log(), WITNESS_PATIENCE_S, "PostgreSQL logs a death")
        return "PostgreSQL logs signal 9"
    if kill.role == WEB:
        until(lambda: shop.has_replaced(pid), WITNESS_PATIENCE_S, "gunicorn has another worker")
        return "gunicorn reaped it and forked another"
    assert worker is not None, "nobody saw the job worker that was struck"
    assert worker.wait(WITNESS_PATIENCE_S) == -signal.SIGKILL
    return "exit code -9"


def _make_due(shop: Shop, job: str) -> None:
    """Let there be something to do for a job, and ask for it."""
    try:
        if job in _DUE_NOW:
            with shop.connect() as connection:
                connection.execute(_DUE_NOW[job])
        ask_for(shop.app, job)
    except (psycopg.Error, SQLAlchemyError) as error:
        shop.troubles.append(f"{type(error).__name__}: {error}"[:200])


def come_to_rest(shop: Shop, *, patient: bool) -> None:
    """Return when webhooks have arrived, refunds have ended, and no job is left half done.

    `patient` waits as long as in real life until a dead worker's jobs are taken up; otherwise its
    heartbeat is aged.
    """
    _wait_for_webhooks(shop)
    until(lambda: _is_taken_up(shop, patient), QUIET_PATIENCE_S, "dead workers' jobs have ended")
    at = clock.now() + LATER
    with shop.app.app_context():
        until(lambda: _is_reconciled(at), QUIET_PATIENCE_S, "nothing is left to ask about")
        shop.sandbox.settle_refunds()
        _wait_for_webhooks(shop)
        orders_jobs.seal(timestamp=0)
        db.session.remove()


def _wait_for_webhooks(shop: Shop) -> None:
    until(
        lambda: bool(shop.sandbox.control("GET", "/webhooks?wait_s=5")["idle"]),
        QUIET_PATIENCE_S,
        "every webhook has arrived",
    )


def _is_taken_up(shop: Shop, patient: bool) -> bool:
    with shop.connect() as connection:
        if not patient:
            connection.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
                " WHERE last_heartbeat < now() - interval '12 seconds'"
            )
            ask_for(shop.app, "jobs.take_up_stalled")
        doing = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
        ).fetchone()
    return doing == (0,)


def _is_reconciled(at: datetime) -> bool:
    """Ask about everything that is due at `at`, and tell whether there was nothing."""
    asked = reconcile.ask_about_sessions(at)
    return asked + reconcile.send_refunds(at) + reconcile.learn_charges(at) == 0


def table(killed: Sequence[Killed]) -> str:
    """How often who was killed at which moment, as lines."""
    counted = Counter((one.kill.who, one.kill.point) for one in killed)
    lines = [f"  {'killed':<24}{'while standing at':<20}kills"]
    lines += [f"  {who:<24}{point:<20}{n:>5}" for (who, point), n in sorted(counted.items())]
    return "\n".join(lines)
