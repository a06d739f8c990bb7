"""Several things at the same moment, each in a thread with a session of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from flask import Flask

from kernel.db import db

T = TypeVar("T")

PATIENCE_S = 60
"""How long whatever is waited for may take on a busy machine."""


def at_once(app: Flask, *works: Callable[[], T]) -> list[T]:
    """Start `works` together and return what each gave; an ExceptionGroup of what any raised."""
    gate = threading.Barrier(len(works), timeout=PATIENCE_S)
    given: dict[int, T] = {}
    raised: list[Exception] = []

    def run(number: int, work: Callable[[], T]) -> None:
        with app.app_context():
            try:
                gate.wait()
                given[number] = work()
            except Exception as error:
                raised.append(error)
            finally:
                db.session.remove()

    threads = [
        threading.Thread(target=run, args=(number, work), daemon=True)
        for number, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "not all have ended"
    if raised:
        raise ExceptionGroup("of those at once", raised)
    return [given[number] for number in range(len(works))]
