"""What the worker does for orders: by the clock, only what is due now; and what takes long."""

from __future__ import annotations

import logging

from kernel import clock, documents, ledger, logs
from kernel.jobs import jobs, task
from orders import books, lifecycle, packing
from orders.actions.closing import close_due_rounds
from orders.payments import events, gateway, news, reconcile
from orders.queries import handover
from orders.queries.handover import ConsignmentView

log = logging.getLogger(__name__)

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_THIRTY_SECONDS = "* * * * * 5,35"
EVERY_FIVE_MINUTES = "*/5 * * * *"
EVERY_NIGHT = "37 19 * * *"


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


@jobs.periodic(cron=EVERY_FIVE_MINUTES)
@task(name="payments.missed", queueing_lock="payments.missed")
def look_for_missed(timestamp: int) -> None:
    """Look in Stripe's own list for money that it moved and of which no webhook told."""
    try:
        while news.look_for_missed(clock.now()):
            continue
    except gateway.StripeBusy:
        logs.say(log, logging.WARNING, "stripe_silent")  # the next time begins where this ended


@jobs.periodic(cron=EVERY_THIRTY_SECONDS)
@task(name="ledger.seal", queueing_lock="ledger.seal")
def seal(timestamp: int) -> None:
    """Chain what was posted since the last time."""
    ledger.seal(books.BOOK)


@jobs.periodic(cron=EVERY_NIGHT)
@task(name="ledger.seal_late", queueing_lock="ledger.seal_late")
def seal_late(timestamp: int) -> None:
    """Chain what was committed so late that the run of every half minute passed it by."""
    ledger.seal(books.BOOK, whole=True)


@jobs.periodic(cron=EVERY_NIGHT)
@task(name="payments.drop_old_events", queueing_lock="payments.drop_old_events")
def drop_old_events(timestamp: int) -> None:
    """Delete the memory of events that no provider sends again, batch by batch."""
    while events.drop_old(clock.now() - events.KEPT) == events.DROPPED_AT_ONCE:
        continue


@task(name="orders.make_packing_list")
def make_packing_list(document_id: int) -> None:
    """Draw a packing list as PDF."""
    documents.make(document_id, packing.draw)


def ask_for_packing_list(view: ConsignmentView) -> None:
    """Have a packing list made as PDF, unless it is there or on its way as it is now."""
    documents.ask(packing.of(view.consignment), handover.version(view), make_packing_list)


@jobs.periodic(cron=EVERY_NIGHT)
@task(name="documents.drop_old", queueing_lock="documents.drop_old")
def drop_old_documents(timestamp: int) -> None:
    """Delete documents that were made some days ago; they can be made again."""
    documents.drop_old(clock.now())
