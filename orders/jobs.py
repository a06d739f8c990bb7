"""What the worker does for orders by the clock. Each task asks only what is due now."""

from __future__ import annotations

from kernel import clock, ledger
from kernel.jobs import jobs, task
from orders import books, lifecycle
from orders.actions.closing import close_due_rounds
from orders.payments import reconcile

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_THIRTY_SECONDS = "* * * * * 5,35"


@jobs.periodic(cron=EVERY_TEN_SECONDS)
@task(name="orders.lapse", queueing_lock="orders.lapse")
def lapse(timestamp: int) -> None:
    """Let every order lapse whose payment was due, batch by batch."""
    while lifecycle.lapse_due(clock.now()) == lifecycle.LAPSED_AT_ONCE:
        continue


@jobs.periodic(cron=EVERY_TEN_SECONDS)
@task(name="orders.close_rounds", queueing_lock="orders.close_rounds")
def close_rounds(timestamp: int) -> None:
    """Close the rounds whose hour has come."""
    close_due_rounds(clock.now())


@jobs.periodic(cron=EVERY_TEN_SECONDS)
@task(name="payments.ask", queueing_lock="payments.ask")
def ask_stripe(timestamp: int) -> None:
    """Ask Stripe about sessions of which no webhook told, and end those given up."""
    reconcile.ask_about_sessions(clock.now())


@jobs.periodic(cron=EVERY_TEN_SECONDS)
@task(name="payments.refund", queueing_lock="payments.refund")
def send_refunds(timestamp: int) -> None:
    """Send refunds that are owed, and ask about those on their way."""
    reconcile.send_refunds(clock.now())


@jobs.periodic(cron=EVERY_THIRTY_SECONDS)
@task(name="payments.learn", queueing_lock="payments.learn")
def learn_charges(timestamp: int) -> None:
    """Learn how captured payments were paid and what Stripe kept of them."""
    reconcile.learn_charges(clock.now())


@jobs.periodic(cron=EVERY_THIRTY_SECONDS)
@task(name="ledger.seal", queueing_lock="ledger.seal")
def seal(timestamp: int) -> None:
    """Chain what was posted since the last time."""
    ledger.seal(books.BOOK)
