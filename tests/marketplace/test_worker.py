"""The job worker on a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from flask import Flask

from kernel import clock
from kernel.db import db, transaction
from kernel.jobs import defer, jobs
from marketplace import worker
from orders import jobs as orders_jobs
from orders.model import Order, OrderState, PaymentMethod
from orders.placing import place
from tests import builders


def test_the_worker_runs_what_is_asked_for_and_orders_lapse(app: Flask) -> None:
    with app.app_context():
        offer = builders.offer()
        credited = builders.credited_to_shop(offer)
        placed = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE)
        with transaction() as session:
            session.get_one(Order, placed.order_id).expires_at = clock.now() - timedelta(hours=1)
            defer(orders_jobs.lapse, timestamp=0)
        db.session.remove()

    def work() -> None:
        with jobs.replace_connector(worker.connector(app)) as working:
            working.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)

    # A browser test of the same run may have left an event loop in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=60)
    with app.app_context():
        assert db.session.get_one(Order, placed.order_id).state is OrderState.LAPSED


def test_every_periodic_task_says_what_it_does() -> None:
    names = {task.task.name for task in jobs.periodic_registry.periodic_tasks.values()}
    assert {"orders.lapse", "orders.close_rounds", "payments.ask", "payments.refund"} <= names
    assert {"payments.learn", "ledger.seal", "jobs.take_up_stalled"} <= names
