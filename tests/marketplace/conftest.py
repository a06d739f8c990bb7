"""The shop, its application context for builders, and visitors with browsers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from flask import Flask

from kernel import clock
from tests import builders
from tests.visitors import Visitor


@pytest.fixture
def shop(app: Flask) -> Iterator[Flask]:
    """The application inside its context, with the shop as a credit source."""
    with app.app_context():
        builders.credit_source()
        yield app


@pytest.fixture
def visitor(shop: Flask) -> Visitor:
    """Somebody with a browser."""
    return Visitor(shop, shop.response_class)


@pytest.fixture
def at() -> Iterator[datetime]:
    """The clock stands still."""
    with clock.frozen(clock.now()):
        yield clock.now()
