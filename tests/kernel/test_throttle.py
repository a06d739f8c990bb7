"""Guessing: counted before it is known to be wrong, across processes, and never for ever."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select

from kernel import clock, throttle
from kernel.db import db
from kernel.errors import Invalid, TooMany
from kernel.identity import TRIES_PER_ADDRESS, TRIES_PER_LOGIN, TRIES_PER_PAIR, authenticate
from kernel.throttle import FIRST_WAIT, FORGET, LONGEST, Gate, Throttle, wait_after
from tests import builders

HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def fail(login: str, address: str = HERE, device: str | None = None) -> None:
    with pytest.raises(Invalid) as refusal:
        authenticate(login, "not-the-password", address, device)
    assert refusal.value.code == "wrong_password"


def wait_of(login: str, address: str = HERE, device: str | None = None) -> int:
    """How many seconds a try now is told to wait."""
    with pytest.raises(TooMany) as refusal:
        authenticate(login, builders.PASSWORD, address, device)
    return int(refusal.value.extra["retry_after_s"])


def test_each_further_try_costs_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(tries, 3) for tries in range(12)]
    assert waits[:3] == [timedelta(0)] * 3
    assert waits[3:6] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST
    assert wait_after(10**9, 3) == LONGEST


def test_a_closed_gate_opens_again_and_then_closes_for_longer() -> None:
    builders.account(login="buyer-1")
    at = clock.now()
    with clock.frozen(at):
        for _ in range(TRIES_PER_PAIR):
            fail("buyer-1")
        first = wait_of("buyer-1")
        assert first == FIRST_WAIT.total_seconds() + 1
    with clock.frozen(at + timedelta(seconds=first)):
        fail("buyer-1")
        assert wait_of("buyer-1") > first


def test_the_right_password_opens_after_the_wait_and_forgets_what_was_tried() -> None:
    person = builders.account(login="buyer-1")
    at = clock.now()
    with clock.frozen(at):
        for _ in range(TRIES_PER_PAIR):
            fail("buyer-1")
    with clock.frozen(at + LONGEST):
        assert authenticate("buyer-1", builders.PASSWORD, HERE).account.id == person.id
        for _ in range(TRIES_PER_PAIR):
            fail("buyer-1")


def test_somebody_who_hammers_at_a_closed_gate_never_makes_it_later() -> None:
    builders.account(login="buyer-1")
    at = clock.now()
    with clock.frozen(at):
        for _ in range(TRIES_PER_PAIR):
            fail("buyer-1")
        for _ in range(30):
            wait_of("buyer-1")
    with clock.frozen(at + FIRST_WAIT):
        authenticate("buyer-1", builders.PASSWORD, HERE)


def test_a_stranger_cannot_lock_out_the_owner_elsewhere_nor_on_a_known_browser() -> None:
    builders.account(login="buyer-1")
    for _ in range(TRIES_PER_PAIR):
        fail("buyer-1", "198.51.100.7")
    wait_of("buyer-1", "198.51.100.7")
    authenticate("buyer-1", builders.PASSWORD, HERE)
    for one in range(TRIES_PER_LOGIN):
        fail("buyer-1", f"203.0.113.{one}")
    wait_of("buyer-1")
    authenticate("buyer-1", builders.PASSWORD, HERE, device="browser-of-the-owner")


def test_a_known_browser_that_was_stolen_is_counted_too() -> None:
    builders.account(login="buyer-1")
    for _ in range(TRIES_PER_PAIR):
        fail("buyer-1", device="stolen")
    wait_of("buyer-1", device="stolen")


def test_one_address_cannot_try_many_logins_for_ever() -> None:
    for one in range(TRIES_PER_ADDRESS):
        fail(f"somebody-{one}")
    wait_of("somebody-else")


def test_an_unknown_login_gets_the_same_words_and_the_same_counting() -> None:
    builders.account(login="known")
    for login in ("known", "unknown"):
        fail(login, address=f"of-{login}")
        for _ in range(TRIES_PER_PAIR - 1):
            fail(login, address=f"of-{login}")
        wait_of(login, address=f"of-{login}")
    assert set(db.session.scalars(select(Throttle.tries))) == {
        TRIES_PER_PAIR,
        TRIES_PER_PAIR + 1,
    }


def test_what_was_tried_is_forgotten_after_a_day_and_dropped() -> None:
    gate = Gate("anything", 1)
    at = clock.now()
    with clock.frozen(at):
        throttle.enter(gate)
        with pytest.raises(TooMany):
            throttle.enter(gate)
    with clock.frozen(at + FORGET + timedelta(seconds=1)):
        throttle.enter(gate)
        assert db.session.scalar(select(Throttle.tries)) == 1
        throttle.drop_old(clock.now() + timedelta(seconds=1))
        assert db.session.scalar(select(func.count()).select_from(Throttle)) == 0


def _guess(app: Flask, times: int, start: Barrier, answers: Queue[str]) -> None:
    """Guess in a process of its own, with connections of its own."""
    with app.app_context():
        db.engine.dispose(close=False)
        start.wait()
        for _ in range(times):
            try:
                authenticate("buyer-1", "not-the-password", HERE)
            except (Invalid, TooMany) as refusal:
                answers.put(refusal.code)
        db.session.remove()
        db.engine.dispose()


def test_twenty_wrong_passwords_at_once_over_four_processes_count_as_twenty(
    app: Flask,
) -> None:
    builders.account(login="buyer-1")
    db.session.remove()
    processes = multiprocessing.get_context("fork")
    start, answers = processes.Barrier(4), processes.Queue()
    guessers = [processes.Process(target=_guess, args=(app, 5, start, answers)) for _ in range(4)]
    for one in guessers:
        one.start()
    said = Counter(answers.get(timeout=60) for _ in range(20))
    for one in guessers:
        one.join(timeout=60)
    assert said == {"wrong_password": TRIES_PER_PAIR, "too_many_tries": 20 - TRIES_PER_PAIR}
    pair = db.session.get_one(Throttle, Gate(f"pair:{HERE}:buyer-1", 0).key)
    assert pair.tries == 20
