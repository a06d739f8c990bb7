"""The job worker on a real database."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from kernel import clock, documents, idempotency
from kernel.db import db, transaction
from kernel.documents import Document, DocumentState
from kernel.idempotency import IdempotencyKey
from kernel.jobs import defer, jobs, task
from marketplace import worker
from marketplace.account import jobs as account_jobs
from orders import jobs as orders_jobs
from orders.actions.handover import pack
from orders.actions.yields import Harvested, allocate, enter_yield
from orders.model import Order, OrderState, PaymentMethod
from orders.placing import place
from orders.queries import handover
from tests import builders
from tests.orders.harvest_builders import closed_round


def test_the_worker_runs_what_is_asked_for_and_orders_lapse(app: Flask) -> None:
    with app.app_context():
        offer = builders.offer()
        credited = builders.credited_to_shop(offer)
        placed = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE)
        with transaction() as session:
            session.get_one(Order, placed.order_id).expires_at = clock.now() - timedelta(hours=1)
            defer(orders_jobs.lapse, timestamp=0)
        db.session.remove()

    _work(app)
    with app.app_context():
        assert db.session.get_one(Order, placed.order_id).state is OrderState.LAPSED


def test_every_night_old_idempotency_keys_are_dropped_however_many_there_are(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "DROPPED_AT_ONCE", 2)
    with app.app_context():
        for key in ("one", "two", "three", "four", "new"):
            idempotency.once("a:1", "orders", key, {}, dict)
        with transaction() as session:
            session.execute(
                update(IdempotencyKey)
                .where(IdempotencyKey.key != "new")
                .values(created_at=clock.now() - idempotency.KEPT_FOR - timedelta(hours=1))
            )
            defer(account_jobs.drop_what_is_over, timestamp=0)
        db.session.remove()

    _work(app)
    with app.app_context():
        assert db.session.scalars(select(IdempotencyKey.key)).all() == ["new"]


def test_these_tasks_come_round_by_themselves() -> None:
    assert {task.task.name for task in jobs.periodic_registry.periodic_tasks.values()} == {
        "account.drop_what_is_over",
        "documents.drop_old",
        "jobs.take_up_stalled",
        "ledger.seal",
        "ledger.seal_late",
        "livestream.drop_old_touches",
        "orders.close_rounds",
        "orders.lapse",
        "payments.ask",
        "payments.drop_old_events",
        "payments.learn",
        "payments.missed",
        "payments.refund",
        "report.sum_days",
        "sellers.renew_terms",
    }


def _work(app: Flask) -> None:
    """Do everything that waits, in a thread that no browser test has left an event loop in."""

    def work() -> None:
        with jobs.replace_connector(worker.connector(app)) as working:
            working.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=60)


def _states() -> list[tuple[str, str]]:
    rows = db.session.execute(
        text("SELECT task_name, status FROM procrastinate_jobs ORDER BY id")
    ).all()
    db.session.rollback()
    return [(row.task_name, row.status) for row in rows]


def _die_with(*names: str) -> None:
    """Leave jobs as a killed worker leaves them: begun, and by nobody who lives."""
    with transaction() as session:
        for name in names:
            defer(jobs.tasks[name], timestamp=0)
            session.execute(
                text("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
            )


def _take_up(app: Flask) -> None:
    """Take up what dead workers left, once."""

    async def take_up() -> None:
        with jobs.replace_connector(worker.connector(app)) as working:
            async with working.open_async():
                await worker.take_up_stalled.func(timestamp=0)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(take_up())).result(timeout=60)


def test_jobs_of_a_dead_worker_wait_again_unless_their_next_turn_waits_already(app: Flask) -> None:
    with app.app_context():
        _die_with("orders.lapse", "orders.lapse", "ledger.seal", "payments.ask", "payments.ask")
        with transaction():
            defer(orders_jobs.lapse, timestamp=1)
    _take_up(app)
    with app.app_context():
        left = sorted(_states())
    assert left == [("ledger.seal", "todo"), ("orders.lapse", "todo"), ("payments.ask", "todo")]


def test_a_document_whose_worker_was_killed_is_made_by_the_next(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "pdf_of", lambda *_: b"%PDF-")
    with app.app_context():
        closed = closed_round(5)
        enter_yield(closed.item.id, None, Harvested(5, confirmed=True), account_id=None)
        allocate(closed.item.id, "pro_rata", account_id=None)
        view = handover.packed(pack(closed.seller.id, closed.group_order.id).public_id)
        orders_jobs.ask_for_packing_list(view)
        document_id = db.session.query(Document.id).scalar()
        assert documents._begin(document_id)
        with transaction() as session:
            session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    _take_up(app)
    _work(app)
    with app.app_context():
        made = db.session.get_one(Document, document_id)
        assert (made.state, made.tries) == (DocumentState.READY, 2)


def test_a_job_that_loses_the_database_runs_again_later(app: Flask) -> None:
    tries: list[int] = []

    @task(name="tests.loses_the_database")
    def loses_the_database(number: int) -> None:
        """Fail the first time as when PostgreSQL restarts."""
        tries.append(number)
        if len(tries) == 1:
            raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    try:
        with app.app_context(), transaction():
            defer(loses_the_database, number=7)
        _work(app)
    finally:
        del jobs.tasks["tests.loses_the_database"]
    assert tries == [7, 7]
    with app.app_context():
        assert ("tests.loses_the_database", "succeeded") in _states()
